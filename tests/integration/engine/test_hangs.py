"""Operators that do not return: the run ends, and says which one on which frame."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest
from support.graphs import (
    EVENT2,
    GREEDY,
    INLINE,
    MULTITHREAD2,
    THREADS2,
    Count,
    Endless,
    Engine,
    Pass,
    Sink,
    Source,
    app,
    chain,
    check_books,
    flow,
    node,
    recorded,
)

from holoflow import Array, Batching, Operator
from holoflow.app.graph import App, Node
from holoflow.engine import RunOptions, RunResult, Stopper, calls, execute
from holoflow.holoscan import runtime
from holoflow.holoscan.classes import HoloscanOperator
from holoflow.plan import plan
from holoflow.report.diagnosis.decision import explain
from holoflow.stats import standing
from holoflow.stats.standing import stuck

holoscan = runtime.load()
on_engines = pytest.mark.parametrize(
    "engine", [INLINE, GREEDY, EVENT2, MULTITHREAD2, THREADS2], ids=str
)
release = threading.Event()
hanging = threading.Event()


class Hang(Operator):
    """Passes on what comes, and does not return from 60."""

    def process(self, x: Any) -> Any:
        if x == 60:
            hanging.set()
            release.wait(300)
        return x


class HangsInHoloscan(holoscan.core.Operator):
    """One of Holoscan's own, which does not return from its sixth call."""

    calls = 0

    def setup(self, spec: Any) -> None:
        spec.input("in")
        spec.output("out")

    def compute(self, op_input: Any, op_output: Any, _context: Any) -> None:
        message = op_input.receive("in")
        if self.calls == 5:
            release.wait(300)
        self.calls += 1
        op_output.emit(message, "out")


class Arrays(Operator):
    """Gives arrays without an end."""

    def frames(self) -> Iterator[Array]:
        while True:
            yield np.zeros(4, np.float32)


class HangInBatches(Operator):
    """The same with four at once."""

    def process(self, x: Any) -> Any:
        return x

    def batching(self) -> Batching:
        return Batching(4, 0.001)

    def process_batch(self, inputs: Any) -> Any:
        if any(given["x"] == 60 for given in inputs):
            release.wait(300)
        return [given["x"] for given in inputs]


class HangInACopy(Hang):
    """The same in one of two copies, which are threads."""

    heavy: ClassVar[bool] = True
    stateless: ClassVar[bool] = True


class HangHalfway(Operator):
    """Sends everything twice, and does not come to the second 60."""

    def process(self, x: Any) -> Iterator[Any]:
        yield x
        if x == 60:
            release.wait(300)
        yield x


class HangingSource(Operator):
    """Gives 60 frames, and then none, for ever."""

    def frames(self) -> Iterator[Any]:
        yield from range(60)
        release.wait(300)


@pytest.fixture(autouse=True)
def released(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Look at once, and let all go at the end."""
    monkeypatch.setattr(calls, "LONG", 0.0)
    monkeypatch.setattr(importlib.import_module("holoflow.engine.run"), "GRACE", 0.2)
    release.clear()
    hanging.clear()
    recorded.clear()
    before = set(threading.enumerate())
    yield
    release.set()
    for thread in set(threading.enumerate()) - before:
        if not isinstance(thread, threading._DummyThread):
            thread.join(300)


def run(graph: App, engine: Engine, *, fuse: bool = True, **options: Any) -> RunResult:
    graph = replace(graph, scheduler=engine.scheduler, hang=options.pop("hang", 1.0))
    stopper = options.pop("stopper", None)
    given = RunOptions(engine=engine.name, **options)
    result = execute(plan(graph, fuse=fuse), given, stopper=stopper, every=0.0)
    check_books(result)
    return result


def payloads(sink: str = "sink") -> list[Any]:
    return [got.payload for got in recorded[sink]]


@on_engines
@pytest.mark.parametrize("fuse", [True, False], ids=["fused", "unfused"])
def test_the_run_fails_and_names_operator_and_frame(engine: Engine, fuse: bool) -> None:
    graph = chain(
        node("source", Endless), node("pass", Pass), node("hang", Hang), node("sink", Sink)
    )
    result = run(graph, engine, fuse=fuse)
    assert result.outcome == "failed"
    failure = result.failure
    assert failure is not None
    assert (failure.operator, failure.frame) == ("hang", "frame 60 of source")
    assert "it hangs" in failure.cause
    # Of a single thread that hangs nobody works off what waits behind it.
    alone = engine in (INLINE, GREEDY) and not fuse
    assert payloads() == list(range(len(payloads()) if alone else 60))
    (into,) = (stats for stats in result.last.flows if stats.consumer == "hang")
    assert (into.delivered, into.dropped["error"]) == (60, 1)


@pytest.mark.parametrize("cls", [HangInBatches, HangHalfway], ids=["batch", "generator"])
def test_other_ways_to_work(cls: type) -> None:
    graph = chain(node("source", Source, {"n": 80}), node("hang", cls), node("sink", Sink))
    failure = run(graph, EVENT2).failure
    assert failure is not None
    assert failure.operator == "hang"
    assert failure.frame in [f"frame {number} of source" for number in range(57, 61)]


def test_one_of_two_copies() -> None:
    """What was before it is processed, and what the other copy has made of later frames is not."""
    graph = chain(node("source", Endless), node("hang", HangInACopy, copies=2), node("sink", Sink))
    result = run(graph, EVENT2)
    failure = result.failure
    assert failure is not None
    assert (failure.operator, failure.frame) == ("hang", "frame 60 of source")
    assert payloads() == list(range(60))
    (into,) = (stats for stats in result.last.flows if stats.consumer == "hang")
    assert (into.delivered, into.dropped["error"]) == (60, 1)


@pytest.mark.parametrize("engine", [INLINE, EVENT2], ids=str)
@pytest.mark.parametrize("last", [Count, Sink], ids=["burst", "single"])
def test_a_source_that_gives_nothing_more(engine: Engine, last: type) -> None:
    failure = run(chain(node("source", HangingSource), node("end", last)), engine).failure
    assert failure is not None
    assert (failure.operator, failure.frame) == ("source", "frame 60 of source")


def test_what_is_not_stuck_is_worked_off() -> None:
    graph = app(
        [node("source", Source, {"n": 60}), node("hang", HangingSource), node("slow", Pass),
         node("sink", Sink), node("other", Sink)],
        [flow("source", "slow", queue=100), flow("slow", "sink", queue=100),
         flow("hang", "other")],
    )  # fmt: skip
    failure = run(graph, EVENT2, fuse=False).failure
    assert failure is not None
    assert failure.operator == "hang"
    assert payloads() == payloads("other") == list(range(60))


def test_a_hang_behind_another_is_given_up_too() -> None:
    graph = app(
        [node("one", HangingSource), node("two", HangingSource), node("source", Endless),
         node("sink", Sink), node("others", Sink), node("rest", Sink)],
        [flow("one", "sink"), flow("two", "others"), flow("source", "rest")],
    )  # fmt: skip
    engine = replace(EVENT2, scheduler=replace(EVENT2.scheduler, workers=4))
    failure = run(graph, engine, fuse=False).failure
    assert failure is not None
    assert failure.operator in ("one", "two")


def test_one_of_holoscans_own_operators() -> None:
    made = HoloscanOperator(HangsInHoloscan, {}, (), ("in",), ("out",))
    relay = Node("relay", "its:Relay", HangsInHoloscan, holoscan_operator=made)
    graph = app(
        [node("source", Arrays), relay, node("end", Count)],
        [flow("source", "relay.in"), flow("relay", "end")],
    )
    failure = run(graph, EVENT2).failure
    assert failure is not None
    assert (failure.operator, failure.frame) == ("relay", "frame 5 of source")
    assert "it hangs" in failure.cause


class HangsAtTheEnd(Sink):
    """Does not stop."""

    def stop(self) -> None:
        release.wait(300)


@pytest.mark.parametrize("engine", [INLINE, EVENT2], ids=str)
def test_an_operator_that_does_not_stop(engine: Engine) -> None:
    seen = []

    def observe(snapshot: Any, _history: Any) -> None:
        seen.append(stuck(snapshot.fragments[0]))

    graph = chain(node("source", Source, {"n": 3}), node("sink", HangsAtTheEnd))
    graph = replace(graph, scheduler=engine.scheduler, hang=1.0)
    result = execute(plan(graph), RunOptions(engine=engine.name), observe=observe)
    assert result.failure is not None
    assert (result.failure.operator, result.failure.frame) == ("sink", "its stop()")
    assert "it hangs" in result.failure.cause
    assert payloads() == list(range(3))
    assert any("sink has been at work on its stop() for " in said for said in seen)


def test_a_run_that_is_to_end_waits_no_longer_than_calls_take(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(standing, "LONG_CALL", 0.5)
    graph = chain(node("source", Endless), node("hang", Hang), node("sink", Sink))
    stopper = Stopper()

    def ask_once_it_hangs() -> None:
        hanging.wait(300)
        stopper.ask()

    asking = threading.Thread(target=ask_once_it_hangs)
    asking.start()
    result = run(graph, EVENT2, fuse=False, hang=3600.0, stopper=stopper)
    asking.join()
    assert result.failure is not None
    assert result.failure.operator == "hang"


def test_it_is_seen_from_outside_and_told_by_the_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standing, "LONG_CALL", 0.5)
    stopper, seen = Stopper(), []

    def observe(snapshot: Any, _history: Any) -> None:
        if stuck(snapshot.fragments[0]):
            seen.append(stuck(snapshot.fragments[0]))
            stopper.ask()
            stopper.ask()

    graph = chain(node("source", Endless), node("hang", Hang), node("sink", Sink))
    result = execute(
        plan(replace(graph, scheduler=EVENT2.scheduler)), RunOptions(engine=EVENT2.name),
        stopper=stopper, observe=observe, every=0.0,
    )  # fmt: skip
    assert "hang has been at work on frame 60 of source for " in seen[0]
    found = explain(result.last).bottleneck
    assert found.where == "hang"
    assert "hang has been at work on frame 60 of source for " in found.evidence
