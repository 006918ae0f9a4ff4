"""Operators that note for themselves what they do, and what follows from their notes.

Every payload is the `Piece` of work that made it, and knows the pieces it was made of. So the
times of every path, operator and flow can be had without asking the tracker.

A piece begins with what the engine last read from the clock before, and ends with what it reads
next, in the same thread (`watch_clock`): on a busy machine milliseconds may pass between that
and a reading of the operator's own, which only tells whether the engine looked at the right time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from holoflow import Batching, Latest, Operator, Stamped, param
from holoflow.engine import (
    chain,
    holoscan_observed,
    holoscan_ports,
    operator_stage,
    queue,
    source_reader,
    source_stage,
    stage,
)

MS = 1_000_000
clock = time.monotonic_ns


@dataclass(eq=False)
class Piece:
    """What an operator did to give one message; times in nanoseconds."""

    operator: str
    parents: tuple[Piece, ...]
    """Messages that were used for the first time, that which leads first."""
    start: int
    end: int = 0
    back: Piece | None = None
    """What came in by a back edge."""
    called: int = 0
    """When the call began: before `start` where a generator is asked for its results later."""
    noted: int = 0
    """When the operator itself saw it end."""
    sent: int = 0
    """When it was on its way: after `end` for a source's."""
    displaced: int = 0
    """When another message was dropped for it."""

    def __post_init__(self) -> None:
        self.called = self.called or self.start

    @property
    def captured(self) -> int:
        """When the source of what leads it had the frame."""
        return self.parents[0].captured if self.parents else self.sent

    def ways(self) -> list[tuple[Piece, ...]]:
        """Return the pieces on each way from a source to this one."""
        if not self.parents:
            return [(self,)]
        return [(*way, self) for parent in self.parents for way in parent.ways()]

    def last_way(self, doubt: int) -> tuple[tuple[Piece, ...], bool]:
        """Return the way that came last at every join, and whether that is beyond `doubt` (ns)."""
        if not self.parents:
            return (self,), True
        first, *others = sorted(self.parents, key=lambda piece: -piece.sent)
        way, sure = first.last_way(doubt)
        return (*way, self), sure and not (others and first.sent - others[0].sent < doubt)


@dataclass
class Notes:
    """What the operators of one run noted down, by operator."""

    done: dict[str, list[Piece]] = field(default_factory=dict)
    """Calls that ended, one piece a frame or result, in their order."""
    failed: dict[str, list[Piece]] = field(default_factory=dict)
    """Calls that raised."""
    kept: set[Piece] = field(default_factory=set)
    """Pieces that were not sent."""
    gaps: dict[str, list[int]] = field(default_factory=dict)
    """Nanoseconds between the readings of operators and those of the engine beside them."""

    def clear(self) -> None:
        """Forget all."""
        self.done.clear()
        self.failed.clear()
        self.kept.clear()
        self.gaps.clear()


notes = Notes()
"""Those of the last run; to be cleared before it."""


class _Thread(threading.local):
    """What a thread of the engine's does."""

    def __init__(self) -> None:
        self.last = 0
        """What was last read from the clock."""
        self.newest: Piece | None = None
        self.ended: list[Piece] = []
        """Pieces that have ended since."""
        self.drawn: list[Piece] = []
        """Those that a source has given, and that have not been sent."""


_thread = _Thread()


def _read() -> int:
    now = _thread.last = clock()
    for piece in _thread.ended:
        piece.end = piece.sent = piece.displaced = now
        notes.gaps[piece.operator].append(now - piece.noted)
    _thread.ended = []
    return now


def _read_by_source() -> int:
    """A source's frame is drawn with one reading and sent with the next."""
    drawn, _thread.drawn = _thread.drawn, _thread.ended
    now = _read()
    for piece in drawn:
        piece.sent = piece.displaced = now
    return now


def _read_by_queue() -> int:
    """Queues look when they drop something, for the message that is put."""
    now = _read()
    if _thread.newest is not None:
        _thread.newest.displaced = now
    return now


def watch_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Note what the engine reads from its clock."""
    for module in (stage, operator_stage, holoscan_observed, holoscan_ports):
        monkeypatch.setattr(module, "clock", _read)
    for module in (source_stage, source_reader):
        monkeypatch.setattr(module, "clock", _read_by_source)
    for module, read in ((chain, _read), (queue, _read_by_queue)):
        changed = SimpleNamespace(**{**vars(time), "monotonic_ns": read})
        monkeypatch.setattr(module, "time", changed)


class Noting(Operator):
    """Waits for drawn times; notes what it does."""

    seed: int = param(0, doc="seed of the times")
    median: float = param(4.0, doc="milliseconds")
    spin: bool = param(False, doc="wait at work, not asleep")

    def start(self) -> None:
        random = np.random.default_rng((self.seed, *self.context.name.encode()))
        drawn = np.clip(random.lognormal(np.log(self.median), 0.6, 10_000), 2.0, 20.0)
        self._drawn = iter((drawn * MS).astype(int).tolist())
        self._seen: set[Piece] = set()
        notes.done[self.context.name] = []
        notes.failed[self.context.name] = []
        notes.gaps[self.context.name] = []

    def wait(self) -> None:
        """Wait for the next drawn time."""
        nanoseconds = next(self._drawn)
        until = clock() + nanoseconds
        if self.spin:
            while clock() < until:
                pass
        else:
            time.sleep(nanoseconds / 1e9)

    def new(self, *pieces: Piece | None) -> tuple[Piece, ...]:
        """Return those of `pieces` that have not come before."""
        found = tuple(p for p in pieces if p is not None and p not in self._seen)
        self._seen.update(found)
        return found

    def begin(self) -> int:
        """Return when the piece of work began that begins now."""
        notes.gaps[self.context.name].append(clock() - _thread.last)
        return _thread.last

    def end(self, *pieces: Piece) -> None:
        """Note that pieces of work end now."""
        for piece in pieces:
            piece.noted = clock()
        _thread.ended += pieces
        _thread.newest = pieces[-1]

    def note(self, parents: tuple[Piece, ...], start: int, **others: Any) -> Piece:
        """Note that a piece of work is done."""
        piece = Piece(self.context.name, parents, start, **others)
        notes.done[self.context.name].append(piece)
        self.end(piece)
        return piece

    def work(self, *pieces: Piece | None) -> Piece:
        """Wait and note it."""
        start = self.begin()
        self.wait()
        return self.note(self.new(*pieces), start)


class Scene(Noting):
    """A source; gives `burst` frames at once."""

    n: int = param(24, doc="frames")
    burst: int = param(1, doc="frames at once")

    def frames(self) -> Iterator[Piece]:
        for index in range(self.n):
            start = self.begin()
            if index % self.burst == 0:
                self.wait()
            yield self.note((), start)


class Recording(Noting):
    """A source whose frames have times of their own."""

    n: int = param(24, doc="frames")
    period: int = param(10, doc="milliseconds")
    offset: int = param(0, doc="milliseconds")

    def frames(self) -> Iterator[Stamped[Piece]]:
        for index in range(self.n):
            start = self.begin()
            self.wait()
            elapsed = (self.offset + index * self.period) * MS
            yield Stamped(self.note((), start), elapsed=elapsed)


class Work(Noting):
    """Works on one input; every `drop`-th frame gives nothing, every `fail`-th fails."""

    drop: int = param(0, doc="every so many frames")
    fail: int = param(0, doc="every so many frames")

    def start(self) -> None:
        super().start()
        self._count = 0

    def process(self, x: Any) -> Any:
        self._count += 1
        if self.fail and self._count % self.fail == 0:
            piece = Piece(self.context.name, (x,), self.begin())
            notes.failed[self.context.name].append(piece)
            self.wait()
            self.end(piece)
            raise ValueError("as it is to be")
        piece = self.work(x)
        if self.drop and self._count % self.drop == 0:
            notes.kept.add(piece)
            return None
        return piece


class Several(Noting):
    """Gives several results, `work` of which take time."""

    times: int = param(3, doc="results of each frame")
    slow: int = param(3, doc="how many of them take time")

    def process(self, x: Any) -> Iterator[Any]:
        return self.results(x, self.begin())

    def results(self, x: Any, called: int) -> Iterator[Any]:
        """Give them; the call began at `called`."""
        for index in range(self.times):
            start = self.begin()
            if index < self.slow:
                self.wait()
            yield self.note((x,), start, called=called)


class Meet(Noting):
    """Joins two inputs."""

    def process(self, a: Any, b: Any) -> Any:
        return self.work(a, b)


class Glance(Noting):
    """Joins its trigger with the newest of the other."""

    def process(self, x: Any, newest: Latest[Any]) -> Any:
        return self.work(x, newest)


class Gathered(Noting):
    """Works on several at once."""

    size: int = param(3, doc="messages in a batch")

    def batching(self) -> Batching:
        return Batching(self.size, 1.0)

    def process(self, x: Any) -> Any:
        raise AssertionError("is called in batches")

    def process_batch(self, batch: Sequence[Mapping[str, Any]]) -> Sequence[Any]:
        start = self.begin()
        self.wait()
        name = self.context.name
        made = [Piece(name, (item["x"],), start) for item in batch]
        notes.done[name] += made
        self.end(*made)
        return made


class Turn(Noting):
    """Works on its input and what came back of the one before."""

    def process(self, x: Any, back: Any = None) -> Any:
        start = self.begin()
        self.wait()
        return self.note((x,), start, back=back)
