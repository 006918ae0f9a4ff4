"""Budgets: how long frames may take from one operator to another, judged while they flow."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Literal

from holoflow.app.graph import Budget
from holoflow.core.text import duration
from holoflow.stats.histogram import Histogram
from holoflow.stats.operator_stats import Durations
from holoflow.stats.snapshot import BudgetStats
from holoflow.stats.spans import TraceContext, passed


@dataclass(frozen=True)
class BudgetChange:
    """What a judgement has changed: the budget is missed from now on, or kept again."""

    kind: Literal["missed", "kept"]
    text: str


class BudgetMeter:
    """One budget. `times` is appended to by one thread, `judge` is called by one other."""

    def __init__(self, budget: Budget, way: frozenset[str] = frozenset()) -> None:
        """Nothing has been judged; frames pass the operators of `way` after the source."""
        self.budget = budget
        self.way = way
        self._newest: int | None = None
        """When the newest frame that has come to the target began."""
        self.times = Durations()
        """Of each frame, from the budget's source to its target."""
        self.dropped = 0
        self.limit = round(max(budget.limits.values()) * 1e9)
        """Nanoseconds after which a frame can not keep the budget any more."""
        self._total = Histogram()
        self._window: deque[tuple[float, Histogram]] = deque()
        self._now: dict[str, float] = {}
        self._worst: dict[str, float] = {}
        self._judged = 0
        self._missed = 0
        self._missing = False

    def add(self, trace: TraceContext, end: int) -> None:
        """Count a frame whose call at the budget's target has ended at `end`."""
        begun = self.begun(trace)
        if begun is not None:
            self.times.add(end - begun)
            self._newest = begun

    def begun(self, trace: TraceContext) -> int | None:
        """Return when the frame began at the budget's source; None where it did not come by."""
        if len(trace) == 1 and trace[0][1].source == self.budget.source:
            return trace[0][4]
        found = [time for span_ in trace if (time := passed(span_, self.budget.source)) is not None]
        return min(found, default=None)

    def drops(self, trace: TraceContext, now: int) -> bool:
        """Whether the frame has already taken longer than any limit; if so, count it."""
        begun = self.begun(trace)
        if begun is None or now - begun <= self.limit:
            return False
        # It has missed the budget, by how much ever it would have done so.
        self.times.add(now - begun)
        self.dropped += 1
        return True

    def judge(
        self, now: float, *, last: bool = False, under_way: bool = False
    ) -> BudgetChange | None:
        """Judge the window that ends `now` (seconds); return what has changed, if anything.

        Where no frame has come for all of it and one is `under_way`, the age of what came last
        is judged.

        A percentile is judged once the window holds as many frames as it takes to have one
        beyond it: 100 for p99. The `last` judgement of a run, if it is the only one, takes what
        there is.
        """
        self._slide(now)
        held = Histogram()
        for _, part in self._window:
            held.merge(part)
        last = last and not self._judged
        if last:
            held = self._total
        limits = self.budget.limits
        self._now = {name: held.statistic(name) for name in limits} if held.count else {}
        judged = {name for name in self._now if last or held.count >= enough(name)}
        age = None if self._newest is None else now - self._newest / 1e9
        stands = under_way and not held.count
        if stands and age is not None:
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
            said = f"what came last is {duration(age)} old" if stands else self._said(over)
            return BudgetChange("missed", f"budget {self._name()} missed: {said}")
        if before and not over:
            return BudgetChange(
                "kept", f"budget {self._name()} kept again: {self._said(self._now)}"
            )
        return None

    def _slide(self, now: float) -> None:
        """Add the new times to the window and let the old ones go."""
        part = self.times.take()
        if part.count:
            self._total.merge(part)
            self._window.append((now, part))
        while self._window and self._window[0][0] <= now - self.budget.window:
            self._window.popleft()

    def _name(self) -> str:
        return f"{self.budget.source} → {self.budget.target}"

    def _said(self, values: dict[str, float]) -> str:
        limits = self.budget.limits
        said = (f"{n} {duration(v)} (limit {duration(limits[n])})" for n, v in values.items())
        return ", ".join(said) + f" over the last {duration(self.budget.window)}"

    def stats(self) -> BudgetStats:
        """Return how it was kept, as of the last judgement."""
        budget = self.budget
        return BudgetStats(
            source=budget.source, target=budget.target, limits=dict(budget.limits),
            when_missed=budget.when_missed, window=budget.window, fail=budget.fail,
            times=self._total.copy(), now=dict(self._now), worst=dict(self._worst),
            judged=self._judged, missed=self._missed, dropped=self.dropped,
        )  # fmt: skip


def enough(statistic: str) -> int:
    """Return how many frames it takes to judge `statistic`: `mean`, `max` or a percentile."""
    if not statistic.startswith("p"):
        return 1
    return max(round(1 / (1 - float(statistic[1:]) / 100)), 1)
