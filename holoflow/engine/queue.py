"""Queues: where messages wait between two stages, and where every one of them is counted."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any, Protocol

from holoflow.flow.books import FlowBooks
from holoflow.message import Header
from holoflow.plan.plan import PlannedFlow


class Message:
    """A payload, its header, and when its frame was captured (monotonic nanoseconds)."""

    __slots__ = ("born", "header", "payload")

    def __init__(self, payload: Any, header: Header, born: int) -> None:
        """Wrap `payload`."""
        self.payload = payload
        self.header = header
        self.born = born


class Waker(Protocol):
    """A stage that may be asleep."""

    def wake(self) -> None:
        """Have the stage looked at again: something it may wait for has happened."""

    def wake_at(self, due: int) -> None:
        """Have the stage woken at `due`, a time of the run's clock in nanoseconds."""


class Queue:
    """Messages on their way between two stages.

    One thread puts, one takes. A blocking queue never refuses a message: the producer asks
    `has_room` before it begins a frame. sent = delivered + dropped + waiting at any time.
    """

    def __init__(self, flow: PlannedFlow, capacity: int | None = None) -> None:
        """Make the queue of `flow`, with room for `capacity` instead of what is planned."""
        self.flow = flow
        self.items: deque[Message] = deque()
        self.capacity = flow.queue if capacity is None else capacity
        self.lossy = flow.when_full != "block"
        self.closed = False
        self.sent = 0
        self.taken = 0
        self.dropped: dict[str, int] = {}
        self.producer: Waker | None = None
        self.consumer: Waker | None = None
        self.abandoned: str | None = None
        """Why nothing more will be taken; None while it is."""
        self._lock = threading.Lock()

    def has_room(self) -> bool:
        """Whether the producer may begin a frame."""
        return len(self.items) < self.capacity or self.lossy or self.abandoned is not None

    def put(self, message: Message) -> None:
        """Add `message`, or drop one as the flow says, and wake the consumer."""
        self.sent += 1
        if self.lossy or self.abandoned is not None:
            self._put_lossy(message)
        else:
            self.items.append(message)
        if self.consumer is not None:
            self.consumer.wake()

    def _put_lossy(self, message: Message) -> None:
        with self._lock:
            if self.abandoned is not None:
                self.drop(self.abandoned)
            elif len(self.items) < self.capacity:
                self.items.append(message)
            else:
                self.drop("full")
                if self.flow.when_full == "drop_oldest":
                    self.items.popleft()
                    self.items.append(message)

    def take(self) -> Message:
        """Remove and return the oldest message; raises IndexError where there is none."""
        if self.lossy:
            with self._lock:
                message = self.items.popleft()
        else:
            message = self.items.popleft()
            # Looked at after taking: a message put meanwhile must not hide that it was full.
            if len(self.items) + 1 >= self.capacity and self.producer is not None:
                self.producer.wake()
        self.taken += 1
        return message

    def ended(self) -> bool:
        """Whether nothing is there and nothing will come."""
        return self.closed and not self.items

    def close(self) -> None:
        """Say that nothing more will be put."""
        self.closed = True
        if self.consumer is not None:
            self.consumer.wake()

    def abandon(self, cause: str) -> None:
        """Say that nothing more will be taken: what waits and what comes is dropped."""
        with self._lock:
            self.abandoned = self.abandoned or cause
            while self.items:
                self.items.popleft()
                self.drop(cause)
        if self.producer is not None:
            self.producer.wake()

    def drop(self, cause: str, count: int = 1) -> None:
        """Book `count` messages as dropped."""
        self.dropped[cause] = self.dropped.get(cause, 0) + count

    def rebook(self, cause: str) -> None:
        """Book a message that was taken as dropped instead of delivered."""
        self.taken -= 1
        self.drop(cause)

    def books(self) -> FlowBooks:
        """Return the state of the books."""
        return FlowBooks(
            source=str(self.flow.source),
            target=str(self.flow.target),
            sent=self.sent,
            delivered=self.taken,
            dropped=dict(self.dropped),
            waiting=len(self.items),
            queue=self.capacity,
        )


class LatestQueue(Queue):
    """Holds the newest message; taking leaves it there."""

    def __init__(self, flow: PlannedFlow) -> None:
        """Make it for `flow`, whose input is `Latest`."""
        super().__init__(flow, capacity=1)
        self._newest: Message | None = None

    def has_room(self) -> bool:
        """Whatever comes takes the place of what is there."""
        return True

    def put(self, message: Message) -> None:
        """Take the place of the message that waits; the consumer is not woken."""
        with self._lock:
            self.sent += 1
            if self.abandoned is not None:
                self.drop(self.abandoned)
                return
            if self.items:
                self.items.popleft()
                self.drop("replaced")
            self.items.append(message)

    def newest(self) -> Any:
        """Return the newest payload, None before the first."""
        with self._lock:
            if self.items:
                self._newest = self.items.popleft()
                self.taken += 1
        return self._newest.payload if self._newest is not None else None
