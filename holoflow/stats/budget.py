"""Latency budgets: how long frames may take from one operator to another, judged as they flow."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Literal

from holoflow.app.graph import Budget, enough
from holoflow.core.text import duration
from holoflow.stats.histogram import Histogram
from holoflow.stats.operator_stats import Durations
from holoflow.stats.snapshot import BudgetStats
from holoflow.stats.spans import TraceContext, passed


@dataclass(frozen=True)
class BudgetChange:
    """A change found by a judgement: the budget is missed from now on, or kept again."""

    kind: Literal["missed", "kept"]
    text: str


class BudgetMeter:
    """Measures how one budget is kept.

    `add` and `drops` are called by the thread of the stage, `judge` and `stats` by the observer.
    """

    def __init__(self, budget: Budget, path: frozenset[str] = frozenset()) -> None:
        """Measure `budget`; `path` names the operators between its source and its target."""
        self.budget = budget
        self.path = path
        self._newest: int | None = None
        """When the newest frame that has reached the target began, in ns."""
        self.times = Durations()
        """Time of each frame from the budget's source to its target."""
        self.dropped = 0
        self.limit = round(max(budget.limits.values()) * 1e9)
        """Nanoseconds after which a frame can no longer keep the budget."""
        self._total = Histogram()
        self._window: deque[tuple[float, Histogram]] = deque()
        self._now: dict[str, float] = {}
        self._held = 0
        """Frames in the newest window."""
        self._worst: dict[str, float] = {}
        self._judged = 0
        self._missed = 0
        self._missing = False

    def add(self, trace: TraceContext, end: int) -> None:
        """Count a frame whose call at the budget's target ended at `end` (ns)."""
        begun = self.begun(trace)
        if begun is not None:
            self.times.add(end - begun)
            self._newest = begun

    def begun(self, trace: TraceContext) -> int | None:
        """Return when the frame began at the budget's source (ns); None if it did not pass it."""
        if len(trace) == 1 and trace[0][1].source == self.budget.source:
            return trace[0][4]
        found = [time for span_ in trace if (time := passed(span_, self.budget.source)) is not None]
        return min(found, default=None)

    def drops(self, trace: TraceContext, now: int) -> bool:
        """Whether the frame has already taken longer than every limit; if so, count it."""
        begun = self.begun(trace)
        if begun is None or now - begun <= self.limit:
            return False
        # It has missed the budget, although its final time will never be known.
        self.times.add(now - begun)
        self.dropped += 1
        return True

    def judge(
        self, now: float, *, last: bool = False, under_way: bool = False
    ) -> BudgetChange | None:
        """Judge the window that ends now, and return what has changed, if anything.

        A percentile is judged once the window holds enough frames for one to lie beyond it: 100
        for p99. If no frame arrived during the whole window although one is under way, the age of
        the last one is judged.

        Args:
            now: Seconds on the monotonic clock.
            last: The run has ended. If nothing has been judged yet, all frames of the run are.
            under_way: Whether frames are on the budget's path.
        """
        self._slide(now)
        held = Histogram()
        for _, part in self._window:
            held.merge(part)
        self._held = held.count
        last = last and not self._judged
        if last:
            held = self._total
        limits = self.budget.limits
        self._now = {name: held.statistic(name) for name in limits} if held.count else {}
        judged = {name for name in self._now if last or held.count >= enough(name)}
        age = None if self._newest is None else now - self._newest / 1e9
        stalled = under_way and not held.count
        if stalled and age is not None:
            self._now = dict.fromkeys(limits, age)
            judged = set(limits)
        if not judged:
            return None
        self._judged += 1
        for name in judged:
            self._worst[name] = max(self._worst.get(name, 0.0), self._now[name])
        over = {n: self._now[n] for n in limits if n in judged and self._now[n] > limits[n]}
        self._missed += bool(over)
        before, self._missing = self._missing, bool(over)
        if over and not before:
            values = f"the last frame is {duration(age)} old" if stalled else self._values(over)
            return BudgetChange("missed", f"budget {self._name()} missed: {values}")
        if before and not over:
            return BudgetChange(
                "kept", f"budget {self._name()} kept again: {self._values(self._now)}"
            )
        return None

    def _slide(self, now: float) -> None:
        """Add the new times to the window and remove those that have left it."""
        part = self.times.take()
        if part.count:
            self._total.merge(part)
            self._window.append((now, part))
        while self._window and self._window[0][0] <= now - self.budget.window:
            self._window.popleft()

    def _name(self) -> str:
        return f"{self.budget.source} → {self.budget.target}"

    def _values(self, values: dict[str, float]) -> str:
        limits = self.budget.limits
        parts = (f"{n} {duration(v)} (limit {duration(limits[n])})" for n, v in values.items())
        return ", ".join(parts) + f" over the last {duration(self.budget.window)}"

    def stats(self) -> BudgetStats:
        """Return how the budget was kept, as of the last judgement."""
        budget = self.budget
        return BudgetStats(
            source=budget.source, target=budget.target, limits=dict(budget.limits),
            when_missed=budget.when_missed, window=budget.window, fail=budget.fail,
            times=self._total.copy(), now=dict(self._now), frames=self._held,
            worst=dict(self._worst), judged=self._judged, missed=self._missed,
            dropped=self.dropped,
        )  # fmt: skip
