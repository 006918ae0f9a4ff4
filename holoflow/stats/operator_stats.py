"""Measuring one operator while it works."""

from __future__ import annotations

import threading
from array import array
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from holoflow.stats.histogram import Histogram

if TYPE_CHECKING:
    from holoflow.stats.spans import Span


class Jitter:
    """Collects the absolute differences of successive intervals between times."""

    __slots__ = ("_last", "times")

    def __init__(self) -> None:
        self.times = Histogram()
        self._last: Any = np.empty(0, np.int64)

    def add(self, ends: Any) -> None:
        """Add ascending times in ns, int64 of shape (n,)."""
        ends = np.concatenate((self._last, ends))
        self._last = ends[-2:]
        if len(ends) > 2:
            self.times.add(np.abs(np.diff(ends, 2)) / 1e9)


MOST_CALLS = 2048
"""Calls after which the stage folds them itself because the run's observer does not keep up. Thus
memory stays constant at any frame rate."""

_end = itemgetter(3)


class OperatorMeter:
    """Running totals of an operator; times in nanoseconds.

    A call only appends to lists, which costs next to nothing; `fold` then processes thousands of
    calls at once. The lists are appended to by one thread at a time, and `fold` may be called by
    any thread: `append` and the removal of the first items are each atomic under the interpreter
    lock, and `fold` removes only what it has copied.
    """

    __slots__ = (
        "_busy", "_ended", "_room", "calls", "completes", "counts_calls", "counts_sent", "dropped",
        "failed", "frames", "jitter", "latency", "lock", "name", "overlap", "partner", "room",
        "rooms", "sent", "since", "skipped", "turn", "waits", "worker", "working",
    )  # fmt: skip

    def __init__(self, name: str) -> None:
        self.name = name
        self.frames = 0
        self.sent = 0
        self.counts_calls = self.counts_sent = True
        """Whether its calls, and the messages it sends, can be counted at all."""
        self.skipped = 0
        self.failed = 0
        self.dropped: dict[str, int] = {}
        self.since = 0
        """When the current call of one of Holoscan's own operators began; else 0."""
        self.calls: list[Span] = []
        """Spans of calls that are not folded yet; for a join, that of the leading message."""
        self.completes: list[int] = []
        """For a join or batches: when the last message of each call had arrived."""
        self.rooms: list[int] = []
        """When there was room again behind the operator, each time there had been none."""
        self.overlap = 0
        """Time of calls in which the operator did no work: shared batches, waiting for a device."""
        self.partner = self.turn = self.room = self.worker = 0
        self.working = Histogram()
        self.waits = Histogram()
        self.latency = Histogram()
        self.jitter = Jitter()
        self.lock = threading.Lock()
        """Held while folding or reading several totals."""
        self._busy = 0
        self._ended = 0
        self._room = 0

    def give_up(self, seconds: float) -> None:
        """Count the working time of a call that is no longer waited for."""
        self._busy += round(seconds * 1e9)

    @property
    def busy(self) -> float:
        """Seconds of work."""
        return max(self._busy - self.overlap, 0) / 1e9

    def count_drop(self, cause: str, count: int) -> None:
        """Count frames lost before they became messages."""
        self.dropped[cause] = self.dropped.get(cause, 0) + count

    def note(self, start: int, end: int, captured: int) -> None:
        """Note a call of a source or of one of Holoscan's operators, which waited for nothing.

        Args:
            start: When the call began, in ns.
            end: When it ended.
            captured: When its frame was captured.
        """
        self.calls.append(((None, None, start, start, start), None, start, end, captured))  # type: ignore[arg-type]

    def work(self, start: int, end: int) -> None:
        """Count the time of a call of which it is not known what it has received.

        Args:
            start: When the call began, in ns.
            end: When it ended.
        """
        with self.lock:
            self._busy += end - start
            self.working.add(np.array([(end - start) / 1e9]))

    def fold(self) -> None:
        """Add the new calls to the totals."""
        with self.lock:
            # The span of a call is appended last, so everything that belongs to it is there.
            calls = _take(self.calls, len(self.calls))
            if calls:
                self._fold(calls)

    def _fold(self, calls: list[Span]) -> None:
        before, _, *columns = zip(*calls, strict=True)
        start, end, captured = np.array(columns, np.int64)
        ready = np.fromiter(map(_end, before), np.int64, len(calls))
        complete = ready
        if self.completes:
            complete = np.array(_take(self.completes, len(calls)))
        rooms = np.array([self._room, *_take(self.rooms, len(self.rooms))])
        self._room = int(rooms[-1])
        self._add_waits(ready, complete, rooms, start, end)
        self.add((end - start), (end - captured) / 1e9, end)

    def _add_waits(self, ready: Any, complete: Any, rooms: Any, start: Any, end: Any) -> None:
        ends = np.maximum.accumulate(np.concatenate(([self._ended], end)))
        self._ended = int(ends[-1])
        before, joined = ends[:-1], ready
        if complete is not ready:
            # The calls of a batch begin together, so all of them follow what preceded the batch.
            begins = np.concatenate(([True], start[1:] != start[:-1]))
            before = ends[np.maximum.accumulate(np.where(begins, np.arange(len(start)), 0))]
            joined = np.minimum(np.maximum(complete, ready), start)
        # The reasons follow one another, and none lasts beyond the start of the call.
        free = np.minimum(np.maximum(before, joined), start)
        roomy = free
        if len(rooms) > 1 or rooms[0] > free[0]:
            room = rooms[np.maximum(np.searchsorted(rooms, start, side="right") - 1, 0)]
            roomy = np.minimum(np.maximum(room, free), start)
        self.partner += int((joined - ready).sum())
        self.turn += int((free - joined).sum())
        self.room += int((roomy - free).sum())
        self.worker += int((start - roomy).sum())
        self.waits.add((start - ready) / 1e9)

    def add(self, working: Any, latency: Any, end: Any) -> None:
        """Add n calls, each argument an array of shape (n,).

        Args:
            working: How long each took, in ns.
            latency: From the capture of its frame to its end, in seconds.
            end: When it ended, in ns.
        """
        self._busy += int(working.sum())
        self.working.add(working / 1e9)
        self.latency.add(latency)
        self.jitter.add(end)


def _take(items: list[Any], count: int) -> list[Any]:
    """Remove and return the first `count` items; another thread may be appending."""
    taken = items[:count]
    del items[:count]
    return taken


class Durations:
    """Collects durations in nanoseconds and makes a histogram of them on demand."""

    __slots__ = ("_lock", "_new", "_total")

    def __init__(self) -> None:
        self._new = array("q")
        self._total = Histogram()
        self._lock = threading.Lock()

    def add(self, nanoseconds: int) -> None:
        """Add one duration. From one thread at a time."""
        self._new.append(nanoseconds)
        if len(self._new) > MOST_CALLS:
            self.total()

    def add_many(self, nanoseconds: NDArray[np.int64]) -> None:
        """Add durations, an array of shape (n,). From any thread."""
        with self._lock:
            self._total.add(nanoseconds / 1e9)

    def total(self) -> Histogram:
        """Return a histogram of all durations. From any thread."""
        with self._lock:
            self._fold()
            return self._total.copy()

    def take(self) -> Histogram:
        """Return a histogram of all durations and forget them. From any thread."""
        with self._lock:
            self._fold()
            taken, self._total = self._total, Histogram()
            return taken

    def _fold(self) -> None:
        # A copy, because an array cannot grow while NumPy has a view of it.
        count = len(self._new)
        self._total.add(np.frombuffer(self._new[:count], np.int64) / 1e9)
        del self._new[:count]
