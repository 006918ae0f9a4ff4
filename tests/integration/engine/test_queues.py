"""Full queues, newest values, standstills: what is lost and what is not, counted exactly."""

from __future__ import annotations

import gc
import importlib
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar

import pytest
from support.graphs import (
    EVENT2,
    GREEDY,
    INLINE,
    MULTITHREAD2,
    Add,
    Count,
    Endless,
    Engine,
    Gate,
    Join,
    Keep,
    Pass,
    Repeat,
    Sink,
    Source,
    Tick,
    Turnstile,
    WithLatest,
    app,
    calls,
    chain,
    flow,
    gates,
    node,
    on_all,
    on_both,
    on_parallel,
    on_schedulers,
    run,
)  # fmt: skip

from holoflow import Operator
from holoflow.app.graph import App, Sync
from holoflow.engine import Stopper

N = 20


class InStep(Operator):
    """Sends frame 0, waits until it is held up at the gate, sends the rest, lets it through."""

    def frames(self) -> Iterator[Any]:
        gate = gates["gate"]
        yield 0
        assert gate.waiting.acquire(timeout=300)
        yield from range(1, N)
        gate.open()


def slow(source: type, when_full: Any, queue: int = 3) -> App:
    return app(
        [node("source", source, {"n": N} if source is Source else {}, fuse=False, in_flight=N),
         node("gate", Gate), node("sink", Sink)],
        [flow("source", "gate", queue=queue, when_full=when_full), flow("gate", "sink")],
    )  # fmt: skip


@on_parallel
@pytest.mark.parametrize(
    ("when_full", "survivors"), [("drop_oldest", [0, 17, 18, 19]), ("drop_newest", [0, 1, 2, 3])]
)
def test_what_survives_a_full_queue(engine: Engine, when_full: Any, survivors: list[int]) -> None:
    gates["gate"] = Turnstile()
    ran = run(slow(InStep, when_full), engine)
    assert ran.result.outcome == "done"
    assert ran.payloads() == survivors
    stats = ran.flow("source", "gate")
    assert (stats.sent, stats.delivered, stats.dropped) == (N, 4, {"full": 16})


@on_all
@pytest.mark.parametrize("when_full", ["drop_oldest", "drop_newest"])
def test_lossy_flows_add_up(engine: Engine, when_full: Any) -> None:
    gates["gate"] = Turnstile()
    gates["gate"].open()
    ran = run(slow(Source, when_full, queue=1), engine)
    got = ran.payloads()
    stats = ran.flow("source", "gate")
    assert stats.sent == N
    assert stats.delivered == len(got)
    assert stats.dropped.get("full", 0) == N - len(got)
    assert got == sorted(set(got))
    assert (got[-1] == N - 1) if when_full == "drop_oldest" else (got[0] == 0)


@on_all
@pytest.mark.parametrize("when_full", ["drop_oldest", "drop_newest"])
def test_lossless_loses_nothing(engine: Engine, when_full: Any) -> None:
    gates["gate"] = Turnstile()
    gates["gate"].open()
    ran = run(slow(Source, when_full, queue=1), engine, lossless=True)
    assert ran.payloads() == list(range(N))


@on_parallel
@pytest.mark.parametrize("queue", [1, 3])
def test_block_holds_the_producer_up(engine: Engine, queue: int) -> None:
    gates["gate"] = gate = Turnstile()
    most = 0

    def observe(snapshot: Any, _history: Any) -> None:
        nonlocal most
        stats = snapshot.flows[0]
        most = max(most, stats.waiting)
        if stats.waiting == queue and stats.delivered == 1:
            assert stats.sent == queue + 1
            gate.open()

    ran = run(slow(Source, "block", queue), engine, observe=observe, every=0.0)
    assert most == queue
    assert ran.payloads() == list(range(N))
    assert ran.flow("source", "gate").dropped == {}


@on_parallel
def test_an_endless_generator_stays_bounded(engine: Engine) -> None:
    class Endlessly(Operator):
        def process(self, x: Any) -> Iterator[Any]:
            while True:
                yield x

    gates["gate"] = gate = Turnstile()
    stopper = Stopper()
    graph = app(
        [node("source", Source), node("endless", Endlessly), node("gate", Gate, fuse=False),
         node("count", Count)],
        [flow("source", "endless"), flow("endless", "gate", queue=3), flow("gate", "count")],
    )  # fmt: skip

    def observe(snapshot: Any, _history: Any) -> None:
        stats = snapshot.flows[1]
        assert stats.waiting <= 3
        if stopper.now.is_set():
            gate.open()
        elif stats.waiting == 3:
            stopper.ask()
            stopper.ask()

    ran = run(graph, engine, stopper=stopper, observe=observe, every=0.0)
    assert ran.flow("endless", "gate").dropped == {"stopped": 3}


# -- memory ----------------------------------------------------------------------------------

MANY = 40_000


class Blocks(Operator):
    """Notes how much memory is in use early on and at the end."""

    def process(self, x: Any) -> None:
        if x[0] in (MANY // 5, MANY - 1):
            gc.collect()
            calls.setdefault("blocks", []).append(sys.getallocatedblocks())


class Tuples(Operator):
    def frames(self) -> Iterator[Any]:
        for index in range(MANY):
            yield (index,)


@pytest.mark.parametrize("engine", [INLINE, GREEDY], ids=str)
def test_memory_stays_flat(engine: Engine) -> None:
    graph = app(
        [node("source", Tuples, fuse=False), node("blocks", Blocks), node("lossy", Count)],
        [flow("source", "blocks"), flow("source", "lossy", when_full="drop_oldest")],
    )
    ran = run(graph, engine)
    early, late = ran.calls["blocks"]
    # Up to `MOST` calls wait to be folded; if anything were kept of each frame, it would be more.
    assert late - early < 0.7 * MANY
    assert ran.flow("source", "blocks").delivered == MANY
    assert ran.flow("source", "lossy").sent == MANY


@on_both
def test_memory_of_a_fused_chain_stays_flat(engine: Engine) -> None:
    ran = run(chain(node("source", Tuples), node("a", Pass), node("blocks", Blocks)), engine)
    early, late = ran.calls["blocks"]
    assert late - early < 0.7 * MANY


class Keeps(Operator):
    """Keeps exceptions, and with each of them everything on the stack."""

    def start(self) -> None:
        self.errors: list[BaseException] = []

    def process(self, x: Any) -> Any:
        try:
            raise ValueError(x)
        except ValueError as error:
            self.errors.append(error)
        return x


class KeepsInCopies(Keeps):
    stateless: ClassVar[bool] = True
    heavy: ClassVar[bool] = True


@on_schedulers
@pytest.mark.parametrize("keeps", [Keeps, KeepsInCopies])
@pytest.mark.parametrize("out", [True, False], ids=["sends", "ends"])
def test_frames_are_over_although_exceptions_are_kept(
    engine: Engine, keeps: type, out: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else each would hold the source up until it is seen that nothing moves."""
    run_module = importlib.import_module("holoflow.engine.run")
    lifted: list[bool] = []
    lift = run_module.lift
    monkeypatch.setattr(run_module, "lift", lambda stages: lifted.append(lift(stages)))
    nodes = [node("source", Source, {"n": 30}, in_flight=1), node("keeps", keeps, fuse=False)]
    ran = run(chain(*nodes, *([node("sink", Sink)] if out else [])), engine, fuse=False)
    assert ran.operator("keeps").frames == 30
    assert not any(lifted)


# -- newest values ---------------------------------------------------------------------------


@on_all
def test_newest_values(engine: Engine) -> None:
    """Those that were replaced before they were used are counted."""
    over = threading.Event()

    class Newest(Operator):
        def frames(self) -> Iterator[Any]:
            yield from range(50)
            over.set()

    class Trigger(Operator):
        live: ClassVar[bool] = True

        def frames(self) -> Iterator[Any]:
            assert over.wait(300)
            yield from range(3)

    graph = app(
        [node("trigger", Trigger), node("newest", Newest), node("join", WithLatest),
         node("sink", Sink)],
        [flow("trigger", "join"), flow("newest", "join.newest"), flow("join", "sink")],
    )  # fmt: skip
    ran = run(graph, engine)
    assert ran.payloads() == [(0, 49), (1, 49), (2, 49)]
    stats = ran.flow("newest", "join.newest")
    assert (stats.sent, stats.delivered, stats.dropped) == (50, 1, {"replaced": 49})


@on_all
def test_no_newest_value(engine: Engine) -> None:
    """It neither triggers nor holds up, and its end is not the end."""
    graph = app(
        [node("trigger", Source, {"n": 3}), node("newest", Source, {"n": 0}),
         node("join", WithLatest), node("sink", Sink)],
        [flow("trigger", "join"), flow("newest", "join.newest"), flow("join", "sink")],
    )  # fmt: skip
    assert run(graph, engine).payloads() == [(0, None), (1, None), (2, None)]


@on_both
def test_values_that_nobody_uses_any_more(engine: Engine) -> None:
    """A source of them ends when the trigger has ended."""
    graph = app(
        [node("trigger", Source, {"n": 3}), node("newest", Endless), node("join", WithLatest),
         node("sink", Sink)],
        [flow("trigger", "join"), flow("newest", "join.newest"), flow("join", "sink")],
    )  # fmt: skip
    ran = run(graph, engine)
    assert len(ran.payloads()) == 3
    assert ran.flow("newest", "join.newest").dropped.keys() <= {"replaced", "end"}


# -- standstill ------------------------------------------------------------------------------


def diamond(source: type = Source, **fields: Any) -> App:
    return app(
        [node("source", source, {"n": 100} if source is not Endless else {}),
         node("keep", Keep, {"every": 5}), node("join", Join, **fields), node("sink", Sink)],
        [flow("source", "join.a"), flow("source", "keep"), flow("keep", "join.b"),
         flow("join", "sink")],
    )  # fmt: skip


class LiveSource(Source):
    live: ClassVar[bool] = True


@on_all
@pytest.mark.parametrize("source", [Source, LiveSource, Endless])
def test_a_standstill_is_reported(engine: Engine, source: type) -> None:
    """One way drops frames, so that the join in arrival order waits for what never comes."""
    ran = run(diamond(source, sync="arrival"), engine)
    assert ran.result.outcome == "failed"
    assert ran.result.failure is not None
    cause = ran.result.failure.cause
    assert "the app is stalled, no operator can go on" in cause
    assert "'source' waits for room in the queue of join.a" in cause
    assert "'join+sink' waits for 'b' from keep.out (1 sent)" in cause
    assert "'keep' waits for 'x' from source.out" in cause
    assert "join by time (sync)" in cause
    assert ran.payloads() == [(0, 0)]
    assert ran.flow("source", "join.a").dropped.keys() == {"stopped"}


@on_all
@pytest.mark.parametrize("fuse", [True, False])
def test_joined_by_frame_it_goes_on(engine: Engine, fuse: bool) -> None:
    ran = run(diamond(), engine, fuse=fuse)
    assert ran.result.outcome == "done"
    assert ran.payloads() == [(x, x) for x in range(0, 100, 5)]
    assert ran.flow("source", "join.a").dropped == {"unpaired": 80}


@on_all
def test_joined_by_time_it_goes_on_behind_several_of_one_time(engine: Engine) -> None:
    graph = app(
        [node("source", Tick), node("again", Repeat, {"times": 5}),
         node("join", Join, sync=Sync("a", 0.0)), node("sink", Sink)],
        [flow("source", "again"), flow("again", "join.a"), flow("again", "join.b"),
         flow("join", "sink")],
    )  # fmt: skip
    ran = run(graph, engine)
    assert ran.result.outcome == "done"
    assert ran.payloads() == [(n, n) for n in range(5) for _ in range(5)]
    assert sum(ran.flow("again", "join.b").dropped.values()) == 20


@on_both
def test_longer_queues_are_a_way_out(engine: Engine) -> None:
    graph = diamond(sync="arrival")
    graph = replace(graph, flows=(replace(graph.flows[0], queue=100), *graph.flows[1:]))
    ran = run(graph, engine)
    assert ran.result.outcome == "done"
    assert ran.flow("source", "join.a").dropped == {"end": 80}


@on_all
def test_slow_is_not_still(engine: Engine) -> None:
    """Neither an operator that takes its time nor a source that does is taken for stalled."""
    graph = app(
        [node("source", Tick, {"n": 3, "period": 60_000_000, "wait": True}),
         node("slow", Slow), node("sink", Sink, fuse=False)],
        [flow("source", "slow"), flow("slow", "sink")],
    )  # fmt: skip
    ran = run(graph, engine)
    assert ran.result.outcome == "done"
    assert ran.payloads() == [0, 1, 2]


class Slow(Operator):
    def process(self, x: Any) -> Any:
        threading.Event().wait(0.08)
        return x


@on_both
def test_a_timeout_is_not_a_standstill(engine: Engine) -> None:
    graph = diamond(sync=Sync("a", 0.0, 0.001))
    ran = run(graph, engine)
    assert ran.result.outcome == "done"
    late = ran.flow("source", "join.a").dropped["late"]
    assert late >= 80
    assert len(ran.payloads()) == 100 - late


@on_both
def test_what_comes_back_may_be_lost(engine: Engine) -> None:
    """A circle that drops a frame stands still, and says so."""

    class Back(Operator):
        def process(self, x: Any, back: Any = None) -> Any:
            return x

    graph = app(
        [node("source", Source), node("loop", Back), node("keep", Keep, {"every": 2})],
        [flow("source", "loop"), flow("loop", "keep"), flow("keep", "loop.back", back_edge=True)],
    )
    ran = run(graph, engine)
    assert ran.result.failure is not None
    assert "waits for 'back' from keep.out (1 sent)" in ran.result.failure.cause


# -- no wake-up is lost ----------------------------------------------------------------------


@pytest.mark.parametrize("engine", [EVENT2, MULTITHREAD2], ids=str)
@pytest.mark.parametrize("queue", [1, 2])
def test_many_short_runs(engine: Engine, queue: int) -> None:
    graph = chain(
        node("source", Source, {"n": 30}), node("a", Add), node("b", Repeat), node("sink", Sink),
        queue=queue,
    )  # fmt: skip
    expected = [x for i in range(30) for x in (i + 1, i + 1)]
    for _ in range(15):
        ran = run(graph, engine, fuse=False)
        assert ran.result.outcome == "done", ran.result.failure
        assert ran.payloads() == expected
