"""Budgets: judged in sliding windows."""

from __future__ import annotations

from typing import Any

import pytest

from holoflow.app.graph import Budget
from holoflow.stats.budget import BudgetMeter, enough
from holoflow.stats.spans import PathTree, extend

MS = 1_000_000


def meter(limits: dict[str, float], **others: Any) -> BudgetMeter:
    return BudgetMeter(Budget("camera", "screen", limits, **others))


def put(budget: BudgetMeter, *milliseconds: float) -> None:
    tree = PathTree()
    for value in milliseconds:
        end = round(value * MS)
        trace = extend(tree.begin("camera", 0, 0), tree.step("work", "screen", "x"), 0, end)
        budget.add(trace, end)


def test_what_stands_still_is_judged_by_its_age() -> None:
    budget = meter({"p99": 0.05, "max": 20.0}, window=10.0)
    put(budget, 10)
    assert budget.judge(1.0) is None
    assert budget.judge(12.0) is None  # nothing is under way: the source gives nothing
    assert (budget.stats().judged, budget.stats().now) == (1, {})
    change = budget.judge(13.0, under_way=True)
    assert change is not None
    assert change.text == "budget camera → screen missed: the last frame is 13 s old"
    stats = budget.stats()
    assert (stats.missed, stats.now, stats.worst["max"]) == (1, {"p99": 13.0, "max": 13.0}, 13.0)


def test_kept_missed_and_kept_again() -> None:
    budget = meter({"max": 0.05}, window=10.0)
    put(budget, 10, 20)
    assert budget.judge(1.0) is None
    put(budget, 60)
    change = budget.judge(2.0)
    assert change is not None
    assert change.kind == "missed"
    assert change.text == (
        "budget camera → screen missed: max 60 ms (limit 50 ms) over the last 10 s"
    )
    put(budget, 30)
    assert budget.judge(3.0) is None
    change = budget.judge(12.5)
    assert change is not None
    assert change.kind == "kept"
    stats = budget.stats()
    assert (stats.judged, stats.missed, stats.kept) == (4, 2, False)
    assert stats.worst["max"] == pytest.approx(0.06)
    assert stats.now["max"] == pytest.approx(0.03)
    assert stats.times.count == 4


def test_a_percentile_needs_frames_enough() -> None:
    assert [enough(n) for n in ("mean", "max", "p50", "p90", "p99", "p99.9")] == [
        1, 1, 2, 10, 100, 1000,
    ]  # fmt: skip
    budget = meter({"p90": 0.05})
    put(budget, *[60] * 9)
    assert budget.judge(1.0) is None
    assert budget.stats().judged == 0
    put(budget, 60)
    assert budget.judge(1.5) is not None


def test_the_last_judgement_takes_what_there_is() -> None:
    budget = meter({"p99": 0.05})
    put(budget, 60)
    assert budget.judge(1.0) is None
    assert budget.judge(2.0, last=True) is not None
    assert not budget.stats().kept


def test_without_frames_nothing_is_judged() -> None:
    budget = meter({"max": 0.05})
    assert budget.judge(1.0) is None
    assert budget.judge(1.0, last=True) is None
    assert budget.stats().now == {}
    assert budget.stats().judged == 0


def test_late_is_later_than_any_limit() -> None:
    budget = meter({"p50": 0.01, "p99": 0.05})
    trace = PathTree().begin("camera", 0, 0)
    assert not budget.drops(trace, 50 * MS)
    assert budget.drops(trace, 50 * MS + 1)
    other = PathTree().begin("microphone", 0, 0)
    assert not budget.drops(other, 10**12)
    budget.judge(1.0, last=True)
    stats = budget.stats()
    assert stats.dropped == stats.times.count == 1
    assert not stats.kept


def test_time_begins_with_the_call_of_an_operator() -> None:
    tree = PathTree()
    budget = BudgetMeter(Budget("detect", "screen", {"max": 1.0}))
    trace = extend(tree.begin("camera", 0, 0), tree.step("work", "detect", "x"), 5 * MS, 9 * MS)
    trace = extend(trace, tree.step("work", "screen", "x"), 10 * MS, 12 * MS)
    budget.add(trace, 12 * MS)
    assert budget.times.total().max == pytest.approx(0.007)
    budget.add(tree.begin("camera", 0, 0), 3)
    assert budget.times.total().count == 1


def test_a_budget_that_cannot_be_judged_yet_says_how_many_frames_it_has() -> None:
    budget = meter({"p99": 0.05, "max": 20.0}, window=10.0)
    put(budget, *[80.0] * 79)
    budget.judge(1.0)
    stats = budget.stats()
    assert (stats.lacks("p99"), stats.lacks("max"), stats.over) == ("79 of 100 frames", "", ())
    put(budget, *[80.0] * 21)
    budget.judge(2.0)
    stats = budget.stats()
    assert (stats.lacks("p99"), stats.over) == ("", ("p99",))
