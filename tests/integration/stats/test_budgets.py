"""Budgets of running apps."""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

import pytest
from support.graphs import (
    EVENT2,
    Count,
    Endless,
    Engine,
    Join,
    Pass,
    Source,
    app,
    chain,
    check_books,
    flow,
    node,
    on_both,
    run,
)

from holoflow import Operator, param
from holoflow.app.graph import App, Budget


class Sleep(Operator):
    """Takes its time."""

    seconds: float = param(0.01, doc="for each frame")

    def process(self, x: Any) -> Any:
        time.sleep(self.seconds)
        return x


def slow(budget: Budget, frames: int = 20, **fields: Any) -> App:
    """Return an app in whose queue frames wait for half a dozen others."""
    return chain(
        node("source", Source, {"n": frames}, in_flight=frames),
        node("first", Pass, fuse=False),
        node("sleep", Sleep, fuse=False), node("sink", Count), budgets=(budget,), **fields,
    )  # fmt: skip


@on_both
def test_kept(engine: Engine) -> None:
    ran = run(slow(Budget("source", "sink", {"max": 30.0})), engine)
    (stats,) = ran.result.last.budgets
    assert stats.kept
    assert stats.times.count == 20
    assert stats.times.max < 30
    assert not ran.result.over_budget


@on_both
def test_missed_and_said(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "holoflow"):
        ran = run(slow(Budget("source", "sleep", {"max": 0.005})), engine, every=0.01)
    (stats,) = ran.result.last.budgets
    assert stats.missed
    assert stats.worst["max"] >= 0.01
    assert not ran.result.over_budget
    (record,) = [r for r in caplog.records if r.name == "holoflow.budget"]
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith("budget source → sleep missed: max ")


@on_both
def test_time_is_counted_from_operator_to_operator(engine: Engine) -> None:
    ran = run(slow(Budget("sleep", "sink", {"p50": 30.0})), engine)
    (stats,) = ran.result.last.budgets
    (path,) = ran.result.last.paths
    assert stats.times.count == 20
    assert stats.times.min >= 0.01
    assert stats.times.max <= path.end_to_end.max


@on_both
def test_on_the_fast_path(engine: Engine) -> None:
    graph = chain(
        node("source", Source, {"n": 5000}), node("a", Pass), node("b", Pass),
        node("sink", Count),
        budgets=(Budget("source", "sink", {"max": 9.0}), Budget("a", "b", {"max": 9.0})),
    )  # fmt: skip
    ran = run(graph, engine)
    assert len(ran.result.last.operators) == 4
    whole, part = ran.result.last.budgets
    assert whole.times.count == part.times.count == 5000
    assert part.times.mean < whole.times.mean


@on_both
def test_late_frames_are_dropped_and_booked(engine: Engine) -> None:
    budget = Budget("source", "sink", {"p90": 0.015}, when_missed="drop_late")
    ran = run(slow(budget, frames=60), engine)
    (stats,) = ran.result.last.budgets
    late = sum(flow.dropped.get("late", 0) for flow in ran.result.last.flows)
    assert stats.dropped == late > 0
    assert stats.times.count == 60
    assert ran.operator("sink").frames == 60 - late
    assert all(flow.ages.min > 0.015 for flow in ran.result.last.flows if flow.lost)
    check_books(ran.result)


@on_both
def test_a_late_frame_is_dropped_at_every_input_of_a_join(engine: Engine) -> None:
    graph = app(
        [
            node("source", Source, {"n": 30}), node("sleep", Sleep, fuse=False),
            node("pass", Pass, fuse=False), node("join", Join), node("slow", Sleep, fuse=False),
        ],
        [
            flow("source", "sleep"), flow("source", "pass"), flow("sleep", "join.a"),
            flow("pass", "join.b"), flow("join", "slow"),
        ],
        budgets=(Budget("source", "slow", {"max": 0.025}, when_missed="drop_late"),),
    )  # fmt: skip
    ran = run(graph, engine)
    check_books(ran.result)
    (stats,) = ran.result.last.budgets
    assert ran.operator("slow").frames == stats.times.count - stats.dropped
    a, b = ran.flow("sleep", "join.a"), ran.flow("pass", "join.b")
    assert a.dropped.get("late", 0) == b.dropped.get("late", 0)


@on_both
def test_stop_ends_the_run_and_drains_it(engine: Engine) -> None:
    graph = chain(
        node("source", Endless), node("sleep", Sleep, fuse=False), node("sink", Count),
        budgets=(Budget("source", "sink", {"max": 0.001}, when_missed="stop"),),
    )  # fmt: skip
    ran = run(graph, engine, every=0.05)
    assert ran.result.outcome == "done"
    assert ran.result.over_budget
    assert ran.operator("sink").frames == ran.operator("source").frames > 0


@on_both
def test_without_loss_no_frame_is_late(engine: Engine) -> None:
    budget = Budget("source", "sink", {"max": 0.001}, when_missed="drop_late", fail=True)
    ran = run(slow(budget), engine, lossless=True)
    assert ran.operator("sink").frames == 20
    assert ran.result.over_budget


@pytest.mark.holoscan
def test_a_run_that_stands_still_misses_its_budget(caplog: pytest.LogCaptureFixture) -> None:
    told = threading.Event()

    class Stuck(Operator):
        def process(self, x: Any) -> None:
            if x == 3:
                while not told.is_set():
                    told.wait(0.01)
                    if any("the last frame is" in line for line in caplog.messages):
                        told.set()

    budget = Budget("source", "sink", {"p99": 0.05}, window=0.3)
    graph = chain(node("source", Source, {"n": 5}), node("sink", Stuck, fuse=False),
                  budgets=(budget,))  # fmt: skip
    with caplog.at_level(logging.INFO, "holoflow"):
        ran = run(graph, EVENT2, every=0.05)
    (stats,) = ran.result.last.budgets
    assert stats.missed
    assert stats.worst["p99"] >= 0.3


def test_untracked_nothing_is_judged() -> None:
    budget = Budget("source", "sink", {"max": 0.001}, when_missed="stop", fail=True)
    ran = run(slow(budget), tracked=False)
    assert ran.result.last.budgets == ()
    assert not ran.result.over_budget
