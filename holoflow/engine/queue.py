"""Queues: where messages wait between two stages, and where every one of them is counted."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Any, Protocol

from holoflow.flow.books import FlowBooks
from holoflow.flow.durations import Durations
from holoflow.flow.histogram import Histogram
from holoflow.flow.paths import Stop, Tracks
from holoflow.message import Header
from holoflow.plan.plan import PlannedFlow


class Message:
    """A payload, its header, where its frame has been, and its number if calls are recorded."""

    __slots__ = ("header", "number", "payload", "tracks")

    def __init__(self, payload: Any, header: Header, tracks: Tracks, number: int = 0) -> None:
        """Wrap `payload`."""
        self.payload = payload
        self.header = header
        self.tracks = tracks
        self.number = number


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

    def __init__(self, flow: PlannedFlow, stop: Stop, capacity: int | None = None) -> None:
        """Make the queue of `flow`, with room for `capacity` instead of what is planned.

        `stop` is the step of paths that the operator behind the queue is.
        """
        self.flow = flow
        self.name = f"{flow.source} -> {flow.target}"
        self.stop = stop
        self.items: deque[Message] = deque()
        self.capacity = flow.queue if capacity is None else capacity
        self.lossy = flow.when_full != "block"
        self.closed = False
        self.sent = 0
        self.taken = 0
        self.dropped: dict[str, int] = {}
        self.waits = Durations()
        """How long messages of a join have waited."""
        self.ages = Durations()
        """How long ago messages that were dropped had been captured."""
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
                self.drop(self.abandoned, message)
            elif len(self.items) < self.capacity:
                self.items.append(message)
            elif self.flow.when_full == "drop_oldest":
                self.drop("full", self.items.popleft())
                self.items.append(message)
            else:
                self.drop("full", message)

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
                self.drop(cause, self.items.popleft())
        if self.producer is not None:
            self.producer.wake()

    def drop(self, cause: str, message: Message) -> None:
        """Book `message` as dropped."""
        self.dropped[cause] = self.dropped.get(cause, 0) + 1
        if message.tracks:
            self.ages.add(time.monotonic_ns() - message.tracks[0][4])

    def rebook(self, cause: str, message: Message) -> None:
        """Book a message that was taken as dropped instead of delivered."""
        self.taken -= 1
        self.drop(cause, message)

    def books(self, waits: Histogram | None = None) -> FlowBooks:
        """Return the state of the books; `waits` where the consumer has measured them."""
        return FlowBooks(
            source=str(self.flow.source),
            target=str(self.flow.target),
            sent=self.sent,
            delivered=self.taken,
            dropped=dict(self.dropped),
            waiting=len(self.items),
            queue=self.capacity,
            when_full=self.flow.when_full,
            link=self.flow.link,
            latest=self.flow.latest,
            back_edge=self.flow.back_edge,
            waits=self.waits.total() if waits is None else waits,
            ages=self.ages.total(),
        )


class LatestQueue(Queue):
    """Holds the newest message; taking leaves it there."""

    def __init__(self, flow: PlannedFlow, stop: Stop) -> None:
        """Make it for `flow`, whose input is `Latest`."""
        super().__init__(flow, stop, capacity=1)
        self._newest: Message | None = None

    def has_room(self) -> bool:
        """Whatever comes takes the place of what is there."""
        return True

    def put(self, message: Message) -> None:
        """Take the place of the message that waits; the consumer is not woken."""
        with self._lock:
            self.sent += 1
            if self.abandoned is not None:
                self.drop(self.abandoned, message)
                return
            if self.items:
                self.drop("replaced", self.items.popleft())
            self.items.append(message)

    def newest(self) -> tuple[Any, Message | None]:
        """Return the newest payload, None before the first, and its message on its first use."""
        first = None
        with self._lock:
            if self.items:
                self._newest = first = self.items.popleft()
                self.taken += 1
        return (self._newest.payload if self._newest is not None else None), first
