"""Operators that note for themselves what they do, and what follows from their notes.

Every payload is the `Piece` of work that made it, and knows the pieces it was made of. So the
times of every path, operator and flow can be had without asking the tracker.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from holoflow import Batching, Latest, Operator, Stamped, param

MS = 1_000_000
clock = time.monotonic_ns


@dataclass(frozen=True, eq=False)
class Piece:
    """What an operator did to give one message; times in nanoseconds."""

    operator: str
    parents: tuple[Piece, ...]
    """Messages that were used for the first time, that which leads first."""
    start: int
    end: int
    back: Piece | None = None
    """What came in by a back edge."""

    @property
    def captured(self) -> int:
        """When the source of what leads it had the frame."""
        return self.parents[0].captured if self.parents else self.end

    def ways(self) -> list[tuple[Piece, ...]]:
        """Return the pieces on each way from a source to this one."""
        if not self.parents:
            return [(self,)]
        return [(*way, self) for parent in self.parents for way in parent.ways()]

    def last_way(self, doubt: int) -> tuple[tuple[Piece, ...], bool]:
        """Return the way that came last at every join, and whether that is beyond `doubt` (ns)."""
        if not self.parents:
            return (self,), True
        first, *others = sorted(self.parents, key=lambda piece: -piece.end)
        way, sure = first.last_way(doubt)
        return (*way, self), sure and not (others and first.end - others[0].end < doubt)


@dataclass
class Notes:
    """What the operators of one run noted down, by operator."""

    done: dict[str, list[Piece]] = field(default_factory=dict)
    """Calls that ended, one piece a frame or result, in their order."""
    failed: dict[str, list[Piece]] = field(default_factory=dict)
    """Calls that raised."""
    kept: set[Piece] = field(default_factory=set)
    """Pieces that were not sent."""

    def clear(self) -> None:
        """Forget all."""
        self.done.clear()
        self.failed.clear()
        self.kept.clear()


notes = Notes()
"""Those of the last run; to be cleared before it."""


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

    def note(self, parents: tuple[Piece, ...], start: int, back: Piece | None = None) -> Piece:
        """Note that a piece of work is done."""
        piece = Piece(self.context.name, parents, start, clock(), back)
        notes.done[self.context.name].append(piece)
        return piece

    def work(self, *pieces: Piece | None) -> Piece:
        """Wait and note it."""
        start = clock()
        self.wait()
        return self.note(self.new(*pieces), start)


class Scene(Noting):
    """A source; gives `burst` frames at once."""

    n: int = param(24, doc="frames")
    burst: int = param(1, doc="frames at once")

    def frames(self) -> Iterator[Piece]:
        for index in range(self.n):
            start = clock()
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
            start = clock()
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
            begin = clock()
            self.wait()
            name = self.context.name
            notes.failed[name].append(Piece(name, (x,), begin, clock()))
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
        for index in range(self.times):
            start = clock()
            if index < self.slow:
                self.wait()
            yield self.note((x,), start)


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
        start = clock()
        self.wait()
        end = clock()
        name = self.context.name
        made = [Piece(name, (item["x"],), start, end) for item in batch]
        notes.done[name] += made
        return made


class Turn(Noting):
    """Works on its input and what came back of the one before."""

    def process(self, x: Any, back: Any = None) -> Any:
        start = clock()
        self.wait()
        return self.note((x,), start, back)
