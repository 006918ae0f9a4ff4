"""Queues: where messages wait between two stages. All are counted, a sample is measured."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Any, Final, Protocol

from holoflow.core.message import Header
from holoflow.core.plain import size_of
from holoflow.engine.admission import Ticket
from holoflow.link.ends import Inlet
from holoflow.plan.plan import PlannedFlow
from holoflow.stats import counters
from holoflow.stats.causes import Cause
from holoflow.stats.counters import (
    ARRIVED,
    GONE,
    RETURNED,
    SENT,
    SETTLED,
    TAKEN,
    WATERMARK,
    CounterBlock,
    gone,
)
from holoflow.stats.histogram import Histogram
from holoflow.stats.operator_stats import Durations
from holoflow.stats.snapshot import FlowStats
from holoflow.stats.spans import PathStep, TraceContext

EVERY: Final = 64
"""One in this many messages is measured, so that the cost is negligible."""


def widened(capacity: int, *, returns: bool, batch: int = 1) -> int:
    """Return how many messages may wait at an input for which the app says `capacity`.

    What an operator sends to itself (`returns`) waits for the next call, which sends again; a
    `batch` has to find room.
    """
    return max(capacity + returns, batch)


class Sizes:
    """The mean size of messages."""

    __slots__ = ("_bytes", "_count")

    def __init__(self) -> None:
        self._bytes = 0
        self._count = 0

    def add(self, size: int) -> None:
        """Add a message of `size` bytes."""
        self._bytes += size
        self._count += 1

    def mean(self) -> float | None:
        """Return the mean in bytes; None if none was measured."""
        return self._bytes / self._count if self._count else None


class Message:
    """A payload, its header, the trace of its frame, and its number if calls are recorded."""

    __slots__ = ("header", "number", "payload", "ticket", "trace")

    def __init__(
        self, payload: Any, header: Header, trace: TraceContext, number: int = 0,
        ticket: Ticket | None = None,
    ) -> None:  # fmt: skip
        """Wrap `payload`; `ticket` is that of its frame, if frames under way are counted."""
        self.payload = payload
        self.header = header
        self.trace = trace
        self.number = number
        self.ticket = ticket

    def apart(self) -> Message:
        """Return the same message without the ticket of its frame."""
        return Message(self.payload, self.header, self.trace, self.number)


class Waker(Protocol):
    """A stage that may be asleep."""

    def wake(self) -> None:
        """Schedule the stage again: something it may wait for has happened."""

    def wake_at(self, due: int) -> None:
        """Wake the stage at `due`, a time of the run's clock in nanoseconds."""


class Queue:
    """Messages on their way between two stages.

    One thread puts, one takes. A blocking queue never refuses a message: the producer asks
    `has_room` before it begins a frame. At any time, sent = delivered + dropped + waiting.
    """

    def __init__(self, flow: PlannedFlow, step: PathStep, block: CounterBlock) -> None:
        """Make the queue of `flow`, which counts in the counter block `block`.

        `step` is the path step of the operator behind the queue.
        """
        self.flow = flow
        self.counters = block
        self.name = f"{flow.source} -> {flow.target}"
        self.step = step
        self.items: deque[Message] = deque()
        self.capacity = flow.queue
        self.lossy = not flow.lossless
        self.counted = flow.lossless and not flow.back_edge
        """Whether what waits here is under way: its source waits for it, see `admission`."""
        self.closed = False
        self.waits = Durations()
        """How long messages of a join have waited."""
        self.ages = Durations()
        """Ages of dropped messages, since they were captured."""
        self._sizes = Sizes()
        self.marks = flow.watermark
        """Whether it carries a watermark: how many frames of its origin are done."""
        self._marker = Marker([block], eager=self.lossy or flow.several)
        self.producer: Waker | None = None
        self.consumer: Waker | None = None
        self.abandoned: Cause | None = None
        """Why nothing more will be taken; None while messages are taken."""
        self.place = ""
        """Where the other end is if in another process, ` of fragment edge on host box`."""
        self.inlet: Inlet | None = None
        """The link's end that messages come from, if from another process."""
        self._lock = threading.Lock()

    def has_room(self) -> bool:
        """Whether the producer may begin a frame."""
        return len(self.items) < self.capacity or self.lossy or self.abandoned is not None

    def put(self, message: Message) -> None:
        """Add `message`, or drop one as `when_full` says, and wake the consumer."""
        self.counters[SENT] += 1
        if self.counters[SENT] % EVERY == 1:
            self._sizes.add(size_of(message.payload))
        self.store(message)

    def given(self, number: int) -> list[tuple[str, int]]:
        """Return the newest message for the record of the call that sent it."""
        return [(self.name, number)]

    def store(self, message: Message) -> None:
        """Add a message that has been counted as sent."""
        if self.lossy or self.abandoned is not None:
            self._put_lossy(message)
        else:
            self.items.append(message)
        self.wake()

    def wake(self) -> None:
        """Wake the consumer."""
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

    def mark(self, frames: int) -> None:
        """Note that nothing more will be put for the first `frames` frames of its origin."""
        if self._marker.mark(frames):
            self.wake()

    def passed(self) -> int:
        """Return for how many frames of its origin, from the first, nothing more will be taken.

        Only for flows with a watermark.
        """
        block = self.counters
        # Read first: it covers only messages that are in the queue by now, or were.
        frames = block[WATERMARK]
        if self.inlet is not None and block[ARRIVED] < block[SENT]:
            frames = 0
        try:
            return self.items[0].header.sequence
        except IndexError:
            return frames

    def pop(self) -> Message:
        """Remove and return the oldest message; raises IndexError if there is none."""
        if self.lossy:
            with self._lock:
                message = self.items.popleft()
        else:
            message = self.items.popleft()
            # Checked after taking, so that a message put meanwhile cannot hide that it was full.
            if len(self.items) + 1 >= self.capacity and self.producer is not None:
                self.producer.wake()
        self.counters[TAKEN] += 1
        if self.inlet is not None:
            self.inlet.took()
        return message

    @property
    def awaited(self) -> str:
        """What an empty queue waits for."""
        return f"{self.flow.target.port!r} from {self.flow.source}{self.place}"

    def acknowledge(self, held: int = 0) -> None:
        """Note that all messages taken have been processed, except for the last `held`."""
        self.counters[SETTLED] = self.counters[TAKEN] - held

    def ended(self) -> bool:
        """Whether it is empty and nothing more will come."""
        return self.closed and not self.items

    def close(self) -> None:
        """Note that nothing more will be put."""
        self.closed = True
        self.wake()

    def abandon(self, cause: Cause) -> None:
        """Note that nothing more will be taken: what waits and what comes is dropped by `cause`."""
        with self._lock:
            first = self.abandoned is None
            self.abandoned = self.abandoned or cause
            while self.items:
                self.drop(cause, self.items.popleft())
        if first and self.inlet is not None:
            self.counters[GONE] = gone(cause)
            self.inlet.abandon()
        if self.producer is not None:
            self.producer.wake()

    def drop(self, cause: Cause, message: Message) -> None:
        """Count a message that waits as dropped by `cause`."""
        counters.drop(self.counters, cause)
        if message.trace:
            self.ages.add(time.monotonic_ns() - message.trace[0][4])

    def lose(self, cause: Cause, message: Message) -> None:
        """Count a message that was sent but cannot be put as dropped by `cause`."""
        self.counters[SENT] += 1
        self.drop(cause, message)

    def count_dropped(self, cause: Cause, message: Message) -> None:
        """Count a message that was taken as dropped by `cause` instead of delivered."""
        self.counters[RETURNED] += 1
        self.drop(cause, message)

    def stats(self, waits: Histogram | None = None) -> FlowStats:
        """Return the statistics; `waits` are used if the consumer has measured them."""
        return FlowStats(
            source=str(self.flow.source),
            target=str(self.flow.target),
            sent=self.counters[SENT]
            if self.inlet is None
            else 0,  # else the sending fragment counts it
            delivered=counters.delivered(self.counters),
            dropped=counters.dropped(self.counters),
            waiting=len(self.items),
            queue=self.capacity,
            when_full=self.flow.when_full,
            link=self.flow.link,
            latest=self.flow.latest,
            back_edge=self.flow.back_edge,
            waits=self.waits.total() if waits is None else waits,
            ages=self.ages.total(),
            size=self._sizes.mean(),
        )


class Marker:
    """Moves the watermark of flows that carry the same messages."""

    def __init__(self, blocks: Sequence[CounterBlock], *, eager: bool) -> None:
        """Move those of `blocks`; `eager` if a message does not imply that its frame is done."""
        self._blocks = blocks
        self._eager = eager
        self._sent = blocks[0][SENT] if blocks else 0

    def mark(self, frames: int) -> bool:
        """Move it to `frames`; true if consumers must be woken because no message will."""
        if not self._blocks or frames <= self._blocks[0][WATERMARK]:
            return False
        step = frames - self._blocks[0][WATERMARK]
        before, self._sent = self._sent, self._blocks[0][SENT]
        for block in reversed(self._blocks):  # the first last: it shows whether all have been moved
            block[WATERMARK] = frames
        return self._eager or step != 1 or self._sent - before != 1


class LatestQueue(Queue):
    """Holds the newest message, which stays when it is read."""

    def __init__(self, flow: PlannedFlow, step: PathStep, block: CounterBlock) -> None:
        """Make the queue of `flow`, whose input is `Latest`, counting in `block`."""
        super().__init__(flow, step, block)
        self.capacity = 1
        self._newest: Message | None = None

    def has_room(self) -> bool:
        """Return true: a new message replaces the one that is there."""
        return True

    def store(self, message: Message) -> None:
        """Replace the message that waits, without waking the consumer."""
        with self._lock:
            if self.abandoned is not None:
                self.drop(self.abandoned, message)
                return
            if self.items:
                self.drop("replaced", self.items.popleft())
            self.items.append(message)

    def newest(self) -> tuple[Any, Message | None]:
        """Return the newest payload, None before the first, and on its first use its message."""
        first = None
        with self._lock:
            if self.items:
                self._newest = first = self.items.popleft()
                self.counters[TAKEN] += 1
        return (self._newest.payload if self._newest is not None else None), first
