"""Admission: how many frames of a source may be under way at once.

A frame that is sent before there is a worker for it only waits: it adds to the latency of all
frames and to the rate of none. So a source begins a frame only while fewer than `limit` of its
frames are under way. What the limit should be is measured while the app runs, as congestion
controls do: more frames under way are worth having only if more come out at the end (L. Kleinrock,
"Power and deterministic rules of thumb for probabilistic problems in computer communications",
1979; N. Cardwell et al., "BBR: congestion-based congestion control", 2016).

The limit is no promise that operators rely on: where they need more frames than are under way
(a batch to fill, a join by time that looks ahead), nothing moves, which is seen, and one more
frame begins.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

SECOND = 1_000_000_000
EPOCH = SECOND // 4
"""Least nanoseconds over which a rate is measured."""
EPOCH_FRAMES = 12
"""Least number of frames over which a rate is measured, unless they take `LONGEST_EPOCH`."""
LONGEST_EPOCH = 4 * SECOND
ROUNDS = 2
"""How often each of two limits is measured, in turn, before one is chosen."""
REST = (8, 64)
"""Epochs until the next comparison: after one that has changed the limit, and at most."""
CHANGED = 1.3
"""Ratio of two rates at the same limit that shows that the load has changed."""


class Ticket:
    """Of a frame under way, which is over when no message and no call holds it any more.

    That includes all ways in which a message can end: taken, failed, filtered out, dropped.
    """

    __slots__ = ("_admission",)

    def __init__(self, admission: Admission) -> None:
        """Be the ticket of a frame that `admission` has let in."""
        self._admission = admission

    def __del__(self) -> None:
        """Tell the source."""
        self._admission.leave()


class Admission:
    """Lets the frames of one source in. All but `leave` is called by the source's own thread."""

    def __init__(
        self,
        wake: Callable[[], None],
        limit: int | Literal["auto"] = "auto",
        now: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """Let in `limit` frames at once, or as many as pay off by the clock `now` (ns).

        `wake` wakes the source.
        """
        self._wake = wake
        self._now = now
        self.fixed = None if limit == "auto" else limit
        self.search = Search(self.fixed or 1)
        self._entered = 0
        self._left = 0
        self._leaving: deque[None] = deque()
        """One entry for each frame that is over and not counted yet; any thread appends."""
        self._waits = False
        """Whether the source waits until a frame leaves."""
        self._waited = False
        """Whether it has waited since the last frame that was let in."""

    @property
    def limit(self) -> int:
        """Frames that may be under way at once."""
        return self.search.limit if self.fixed is None else self.fixed

    def expect(self, usual: int, least: int) -> None:
        """Begin with `usual` frames, and never go below `least`, unless the app says a number."""
        self.search = Search(usual, least)

    def settle(self, limit: int) -> None:
        """Let in `limit` frames, unless the app says a number: one thread has no use for more."""
        self.fixed = self.fixed or limit

    @property
    def under_way(self) -> int:
        """Frames that have been let in and are not over."""
        return self._entered - self._left - len(self._leaving)

    def open(self) -> bool:
        """Whether another frame may begin. Callable from any thread."""
        return self.under_way < self.limit

    def admits(self, *, full: bool = False) -> bool:
        """Whether another frame may begin; if not, the source is woken when one has left.

        `full`: the source waits anyway, for room in a queue.
        """
        if full:
            self._waited, self._waits = True, False
            return False
        if self._entered - self._left < self.limit:
            self._waits = False  # a limit that was lifted has let it in
            return True
        self._waits = True  # before the count, so that a frame that leaves now is not missed
        self._count()
        if self._entered - self._left < self.limit:
            self._waits = False
            return True
        self._waited = True
        return False

    def enter(self) -> Ticket:
        """Begin a frame."""
        self._waits = False
        self._entered += 1
        if self.fixed is None:
            self.search.entered(self._now(), waited=self._waited)
        self._waited = False
        return Ticket(self)

    def leave(self) -> None:
        """End a frame; called from any thread, wherever the last reference to it is given up."""
        self._leaving.append(None)
        if self._waits:
            self._wake()

    def _count(self) -> None:
        while self._leaving:
            self._leaving.popleft()
            self._left += 1

    def lift(self) -> bool:
        """Let one more frame in, because nothing moves; false if the source does not wait."""
        if not self._waits or self._leaving:
            return False
        if self.fixed is None:
            self.search.lift()
        else:
            self.fixed += 1
        self._wake()
        return True


@dataclass
class Measured:
    """How many frames were let in at a limit, and in what time."""

    frames: int = 0
    time: int = 0
    """Nanoseconds."""

    def add(self, frames: int, took: int) -> None:
        """Add what one epoch has shown."""
        self.frames += frames
        self.time += took

    @property
    def rate(self) -> float:
        """Frames per nanosecond."""
        return self.frames / self.time if self.time else 0.0


def worth(limit: int) -> float:
    """Return by what factor the rate must grow for one more frame than `limit` to be let in.

    With `limit` frames the latency is `limit / rate`; it grows by as much as the rate does not.
    """
    return 1 + max(0.05, 0.15 / limit)


class Search:
    """Finds the limit: compares neighbours by the rates at which frames come out, in turn.

    Pure: it is told when frames enter, and whether the source had to wait for that. Without
    waiting there is nothing to find: the source is slower than the app.
    """

    def __init__(self, usual: int, least: int = 1) -> None:
        """Begin with `usual` frames; never try fewer than `least`."""
        self.least = least
        self.chosen = max(usual, least)
        self._tried: int | None = None
        """The other limit of the comparison that is going on."""
        self._measured: dict[int, Measured] = {}
        self._up = True
        """Whether more frames are tried next, or fewer."""
        self._failures = 0
        """Comparisons in a row after which the limit stayed the same."""
        self._rest = 1
        """Epochs until the next comparison."""
        self._usual = 0.0
        """The rate of the last epoch at the chosen limit."""
        self._begin = 0
        """When the epoch began (ns); 0 while the app adapts to a new limit."""
        self._settling = self.chosen
        self._frames = self._waits = 0
        self.limit = self.chosen

    def lift(self) -> None:
        """Allow one more frame at once."""
        self.chosen = self.limit + 1
        self._stop()

    def entered(self, now: int, *, waited: bool) -> None:
        """Note that a frame enters at `now` (ns); `waited`: another had to leave first."""
        if self._settling > 0:
            self._settling -= 1
            if self._settling == 0:
                self._begin, self._frames, self._waits = now, 0, 0
            return
        self._frames += 1
        self._waits += waited
        took = now - self._begin
        if took < EPOCH or (self._frames < EPOCH_FRAMES and took < LONGEST_EPOCH):
            return
        # After one wait all that are allowed may enter.
        frames, binding = self._frames, 2 * self._waits * self.limit > self._frames
        self._begin, self._frames, self._waits = now, 0, 0
        if binding:
            self._epoch(frames, took)
        else:
            self._stop()

    def _epoch(self, frames: int, took: int) -> None:
        if self._tried is None:
            self._watch(frames / took)
            return
        self._measured[self.limit].add(frames, took)
        self._rest -= 1
        if self._rest > 0:
            self._set(self._tried if self.limit == self.chosen else self.chosen)
            return
        self._decide()

    def _watch(self, rate: float) -> None:
        """Wait for the next comparison; it comes soon if the rate has changed by itself."""
        if self._usual and not 1 / CHANGED < rate / self._usual < CHANGED:
            self._failures, self._rest = 0, min(self._rest, 1)
        self._usual = rate
        self._rest -= 1
        if self._rest > 0:
            return
        step = max(1, self.chosen // 8)
        if self.chosen - step < self.least:
            self._up = True
        self._tried = self.chosen + step if self._up else self.chosen - step
        self._measured = {self.chosen: Measured(), self._tried: Measured()}
        self._rest = 2 * ROUNDS
        self._set(self._tried)

    def _decide(self) -> None:
        assert self._tried is not None  # noqa: S101 - for the type checker
        fewer, more = sorted((self.chosen, self._tried))
        needed = worth(fewer) ** (more - fewer)
        better = more if self._measured[more].rate > needed * self._measured[fewer].rate else fewer
        if better == self.chosen:
            self._failures += 1
            self._up = not self._up
        else:
            self._failures = 0
        self.chosen = better
        # In the other direction at once; then less and less often.
        self._stop(1 if self._failures < 2 else min(REST[0] << (self._failures - 2), REST[1]))

    def _stop(self, rest: int = 1) -> None:
        self._tried = None
        self._rest = rest
        self._usual = 0.0
        self._set(self.chosen)

    def _set(self, limit: int) -> None:
        """Measure `limit` as soon as the app has adapted to it."""
        self._settling = max(limit, self.limit)
        self.limit = limit


class Admitting(Protocol):
    """A stage, of which those of sources may have to wait."""

    admission: Admission | None
    finished: bool


def usual(
    sources: Mapping[str, Collection[str]], batches: Mapping[str, int], workers: int
) -> dict[str, tuple[int, int]]:
    """Return how many frames of each source an app can use at first, and at least.

    That is one for each worker and one in reserve, as a frame is handed from worker to worker, and
    besides as many as fill the batches on their way. A worker alone has no one to hand it to.

    Args:
        sources: The operators that frames of each source come to.
        batches: Largest batch of each operator that takes some.
        workers: Threads that work on them.
    """
    found = {}
    together = workers + 1 if workers > 1 else 1
    for name, behind in sources.items():
        least = 1
        for operator, size in batches.items():
            feeding = sum(operator in others for others in sources.values())
            least += math.ceil(size / feeding) - 1 if operator in behind else 0
        found[name] = math.ceil(together / len(sources)) + 2 * (least - 1), least
    return found


def lift(stages: Iterable[Admitting]) -> bool:
    """Let one more frame in wherever a source of `stages` waits for frames to leave."""
    waiting = [s.admission for s in stages if s.admission is not None and not s.finished]
    return sum(admission.lift() for admission in waiting) > 0
