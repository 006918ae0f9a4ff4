"""How runs end: by themselves, by request, at once."""

from __future__ import annotations

import gc
import importlib
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any, ClassVar

import pytest
from support.graphs import (
    EVENT2,
    Add,
    Batch,
    Count,
    Endless,
    Engine,
    Fallible,
    Gate,
    Join,
    Loop,
    Pass,
    Repeat,
    Run,
    Sink,
    Source,
    Tick,
    Turnstile,
    app,
    calls,
    chain,
    flow,
    gates,
    left_over,
    node,
    on_all,
    on_both,
    on_schedulers,
    recorded,
    run,
)  # fmt: skip

from holoflow import Operator
from holoflow.app.graph import App
from holoflow.engine import RunOptions, Stopper, execute
from holoflow.engine.source_reader import SourceReader
from holoflow.plan import plan

fused = pytest.mark.parametrize("fuse", [True, False], ids=["fused", "unfused"])


SOURCE_STAGE = importlib.import_module("holoflow.engine.source_stage")
RUN = importlib.import_module("holoflow.engine.run")


def asks(stopper: Stopper, when: Callable[[], bool], times: int = 1) -> Callable[..., None]:
    """Return an observer that asks for the end, `times` at once, as soon as something holds."""

    def observe(*_state: Any) -> None:
        if when() and not stopper.drain.is_set():
            for _ in range(times):
                stopper.ask()

    return observe


# -- by themselves ---------------------------------------------------------------------------


@on_all
@fused
def test_no_frames(engine: Engine, fuse: bool) -> None:
    graph = chain(
        node("source", Source, {"n": 0}), node("twice", Repeat), node("a", Pass), node("sink", Sink)
    )
    ran = run(graph, engine, fuse=fuse)
    assert ran.result.outcome == "done"
    assert ran.payloads() == []
    assert all(stats.sent == 0 for stats in ran.result.last.flows)


@on_both
def test_a_source_alone(engine: Engine) -> None:
    ran = run(app([node("source", Source, {"n": 5})], []), engine)
    assert ran.result.outcome == "done"
    assert ran.operator("source").frames == 5


@on_both
def test_unconnected_operators_of_an_app(engine: Engine) -> None:
    """Two graphs that have nothing to do with each other."""
    graph = app(
        [node("a", Source, {"n": 3}), node("sa", Sink), node("b", Source, {"n": 0}),
         node("sb", Sink)],
        [flow("a", "sa"), flow("b", "sb")],
    )  # fmt: skip
    ran = run(graph, engine)
    assert (ran.payloads("sa"), ran.payloads("sb")) == ([0, 1, 2], [])


@on_both
def test_a_join_ends_with_the_shorter_stream(engine: Engine) -> None:
    """Messages left over are counted, and a source that nobody listens to any more ends."""
    graph = app(
        [node("short", Source, {"n": 5}), node("endless", Endless), node("join", Join),
         node("sink", Sink)],
        [flow("short", "join.a"), flow("endless", "join.b"), flow("join", "sink")],
    )  # fmt: skip
    ran = run(graph, engine)
    assert ran.result.outcome == "done"
    assert ran.payloads() == [(x, x) for x in range(5)]
    assert ran.flow("short", "join.a").dropped == {}
    assert ran.flow("endless", "join.b").delivered == 5
    assert ran.flow("endless", "join.b").dropped.keys() <= {"end"}


@on_both
def test_a_source_that_somebody_still_listens_to_goes_on(engine: Engine) -> None:
    graph = app(
        [node("short", Source, {"n": 5}), node("long", Source, {"n": 500}), node("join", Join),
         node("sink", Sink), node("all", Sink)],
        [flow("short", "join.a"), flow("long", "join.b"), flow("join", "sink"),
         flow("long", "all")],
    )  # fmt: skip
    ran = run(graph, engine)
    assert len(ran.payloads()) == 5
    assert ran.payloads("all") == list(range(500))
    assert ran.flow("long", "join.b").dropped == {"end": 495}


# -- limits ----------------------------------------------------------------------------------


@on_all
@fused
@pytest.mark.parametrize("frames", [0, 1, 300])
def test_a_number_of_frames(engine: Engine, fuse: bool, frames: int) -> None:
    graph = chain(node("source", Endless), node("a", Pass), node("sink", Sink))
    ran = run(graph, engine, fuse=fuse, frames=frames)
    assert ran.result.outcome == "done"
    assert ran.payloads() == list(range(frames))


def test_a_number_of_frames_of_every_source() -> None:
    graph = app(
        [node("a", Endless), node("b", Source, {"n": 7}), node("count", Count), node("sink", Sink)],
        [flow("a", "count"), flow("b", "sink")],
    )
    ran = run(graph, frames=10)
    assert ran.operator("a").frames == ran.operator("count").frames == 10
    assert ran.payloads() == list(range(7))


@on_both
@fused
def test_a_number_of_seconds(engine: Engine, fuse: bool) -> None:
    graph = chain(node("source", Endless), node("a", Pass), node("sink", Sink))
    ran = run(graph, engine, fuse=fuse, seconds=0.05)
    assert ran.result.outcome == "done"
    assert ran.payloads() == list(range(ran.operator("source").sent))
    assert ran.payloads()


# -- by request ------------------------------------------------------------------------------


def branched() -> App:
    return app(
        [
            node("source", Endless), node("a", Add, {"amount": 0}), node("b", Pass),
            node("join", Join), node("sink", Sink), node("other", Sink),
        ],
        [
            flow("source", "a"), flow("source", "b"), flow("a", "join.a"), flow("b", "join.b"),
            flow("join", "sink"), flow("source", "other"),
        ],
    )  # fmt: skip


@on_all
@pytest.mark.parametrize("after", [0, 1, 400])
def test_asked_once_it_drains(engine: Engine, after: int) -> None:
    """Everything that was sent arrives."""
    stopper = Stopper()
    recorded["other"] = []
    observe = asks(stopper, lambda: len(recorded["other"]) >= after)
    ran = run(branched(), engine, stopper=stopper, observe=observe, every=0.0)
    assert ran.result.outcome == "interrupted"
    sent = ran.operator("source").sent
    assert sent >= after
    assert ran.payloads("other") == list(range(sent))
    assert ran.payloads() == [(x, x) for x in range(sent)]
    assert all(stats.lost == 0 for stats in ran.result.last.flows)


@on_both
def test_asked_once_a_fused_chain_drains(engine: Engine) -> None:
    stopper = Stopper()
    graph = chain(node("source", Endless), node("a", Pass), node("count", Count))
    ran = run(graph, engine, stopper=stopper, observe=asks(stopper, lambda: True), every=0.0)
    assert ran.result.outcome == "interrupted"
    assert ran.operator("source").sent == ran.operator("count").frames > 0


@on_both
@pytest.mark.parametrize("tracked", [True, False], ids=["tracked", "untracked"])
def test_a_fused_chain_that_turned_slow_drains_at_once(engine: Engine, tracked: bool) -> None:
    """That its frames were quick so far must not hold it up."""
    stopper, drained, seen = Stopper(), threading.Event(), []

    class Slow(Operator):
        def process(self, x: Any) -> None:
            if x >= 5000:
                stopper.drain.set()
                assert drained.wait(300)

    def observe(*_state: Any) -> None:
        if stopper.drain.is_set():
            seen.append(1)
        if len(seen) == 2:
            drained.set()

    graph = chain(node("source", Endless), node("a", Pass), node("slow", Slow))
    ran = run(graph, engine, tracked=tracked, stopper=stopper, observe=observe, every=0.0)
    assert ran.operator("slow").frames == ran.operator("source").sent == 5001


@on_both
def test_asked_before_the_run(engine: Engine) -> None:
    stopper = Stopper()
    stopper.ask()
    ran = run(branched(), engine, stopper=stopper)
    assert ran.result.outcome == "interrupted"
    assert ran.operator("source").sent == 0


@on_all
@pytest.mark.parametrize("after", [0, 50])
def test_asked_twice_it_stops(engine: Engine, after: int) -> None:
    stopper = Stopper()
    recorded["other"] = []
    observe = asks(stopper, lambda: len(recorded["other"]) >= after, times=2)
    ran = run(branched(), engine, stopper=stopper, observe=observe, every=0.0)
    assert ran.result.outcome == "interrupted"
    assert {c for stats in ran.result.last.flows for c in stats.dropped} <= {"stopped"}
    assert ran.payloads("other") == list(range(len(ran.payloads("other"))))


@on_both
def test_a_generator_half_done_counts_as_stopped(engine: Engine) -> None:
    stopper = Stopper()
    gates["gate"] = gate = Turnstile()
    graph = chain(
        node("source", Source, {"n": 50}), node("half", Repeat, {"times": 9}),
        node("gate", Gate, fuse=False), node("sink", Sink),
    )  # fmt: skip
    asked: list[int] = []

    def twice(*_state: Any) -> None:
        if asked:
            gate.open()
        elif gate.waiting.acquire(blocking=False):
            stopper.ask()
            stopper.ask()
            asked.append(1)

    ran = run(graph, engine, stopper=stopper, observe=twice, every=0.0)
    assert ran.flow("source", "half").dropped.keys() == {"stopped"}


def test_a_batch_that_is_not_full_counts_as_stopped() -> None:
    """The first frame waits in the batch, the second is far in the future."""
    stopper = Stopper()
    graph = chain(
        node("source", Tick, {"n": 2, "period": 300 * 10**9, "wait": True}),
        node("half", Batch, {"size": 4, "wait": 60.0}),
        node("sink", Sink),
    )

    def observe(snapshot: Any, _history: Any) -> None:
        if snapshot.flows[0].delivered:
            stopper.ask()
            stopper.ask()

    ran = run(graph, EVENT2, stopper=stopper, observe=observe, every=0.0)
    assert ran.flow("source", "half").dropped == {"stopped": 1}
    assert ran.payloads() == []


@on_both
def test_a_circle_within_a_stage(engine: Engine) -> None:
    """What comes back to the stage that sent it needs room of its own."""
    graph = app(
        [node("source", Source, {"n": 4}), node("loop", Loop), node("a", Pass)],
        [flow("source", "loop"), flow("loop", "a"), flow("a", "loop.back", back_edge=True)],
        queue=1,
    )
    ran = run(graph, engine)
    assert ran.result.outcome == "done"
    assert ran.operator("a").frames == 4
    assert ran.flow("a", "loop.back").dropped == {"end": 1}


@on_both
def test_stuck_operators_are_left_behind(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RUN, "GRACE", 0.05)
    release, stuck = threading.Event(), threading.Event()
    stops: list[str] = []

    class Stuck(Operator):
        def frames(self) -> Iterator[Any]:
            yield 0
            stuck.set()
            release.wait(300)

        def stop(self) -> None:
            stops.append("stuck")

    stopper = Stopper()
    graph = chain(node("source", Stuck), node("sink", Sink))
    before = set(threading.enumerate())

    def observe(*_state: Any) -> None:
        if stuck.is_set():
            stopper.ask()

    result = execute(
        plan(replace(graph, scheduler=engine.scheduler)), RunOptions(engine=engine.name),
        stopper=stopper, observe=observe, every=0.0,
    )  # fmt: skip
    assert result.outcome == "interrupted"
    assert stops == ["stuck"]
    assert all(b.sent == b.delivered + b.lost and not b.waiting for b in result.last.flows)
    release.set()
    for thread in threading.enumerate():
        if thread not in before and not isinstance(thread, threading._DummyThread):
            thread.join(300)
    assert left_over(before) == []


# -- live sources ----------------------------------------------------------------------------


@on_schedulers
def test_of_a_live_source_the_newest_frame_is_used_under_overload(engine: Engine) -> None:
    """And the others are counted; a short delay loses nothing."""
    room = SourceReader.ROOM
    shown = threading.Event()
    over = threading.Event()
    taken = threading.Event()

    class Camera(Operator):
        live: ClassVar[bool] = True
        newest: ClassVar[bool] = True

        def frames(self) -> Iterator[Any]:
            yield 0
            assert shown.wait(300)
            yield from range(1, 1 + room)
            yield from range(1 + room, 20)
            over.set()
            assert taken.wait(300)
            yield 20

    class Screen(Operator):
        def process(self, x: Any) -> Any:
            if x == 0:
                shown.set()
                assert over.wait(300)
            if x == 19:
                taken.set()
            return x

    graph = chain(
        node("source", Camera, in_flight=1), node("screen", Screen, fuse=False),
        node("sink", Sink),
    )  # fmt: skip
    ran = run(graph, engine, fuse=False)
    assert ran.payloads() == [0, 19, 20]
    assert ran.operator("source").dropped == {"full": 18}
    assert [got.sequence for got in ran.sinks["sink"]] == [0, 1, 2]


@on_all
@pytest.mark.parametrize("frames", [0, 1, 40])
def test_live_sources(engine: Engine, frames: int) -> None:
    class Finite(Operator):
        live: ClassVar[bool] = True

        def frames(self) -> Iterator[Any]:
            for index in range(frames):
                yield index
                yield None
            for _ in range(10):
                yield None

    graph = chain(node("source", Finite), node("a", Pass), node("sink", Sink))
    ran = run(graph, engine)
    assert ran.result.outcome == "done"
    assert ran.payloads() == list(range(frames))
    assert [got.sequence for got in ran.sinks["sink"]] == list(range(frames))


@on_all
def test_a_live_source_that_waits_for_ever_drains(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is stopped although its reader has not come back, which `stop` may well bring about."""
    monkeypatch.setattr(RUN, "GRACE", 0.05)
    stopper, waiting, closing = Stopper(), threading.Event(), threading.Event()

    class Waiting(Operator):
        live: ClassVar[bool] = True

        def frames(self) -> Iterator[Any]:
            yield from range(3)
            waiting.set()
            closing.wait(300)

        def stop(self) -> None:
            closing.set()

    before = set(threading.enumerate())
    graph = chain(node("source", Waiting), node("sink", Sink), scheduler=engine.scheduler)
    result = execute(
        plan(graph), RunOptions(engine=engine.name),
        stopper=stopper, observe=asks(stopper, waiting.is_set), every=0.0,
    )  # fmt: skip
    assert result.outcome == "interrupted"
    assert [got.payload for got in recorded["sink"]] == [0, 1, 2]
    for thread in threading.enumerate():
        if thread.name == "read source+sink":
            thread.join(300)
    assert left_over(before) == []


@on_both
def test_a_device_is_not_closed_while_it_is_read(engine: Engine) -> None:
    stopper, reading, closed_early = Stopper(), threading.Event(), []

    class Device(Operator):
        live: ClassVar[bool] = True

        def start(self) -> None:
            self.busy = threading.Lock()

        def frames(self) -> Iterator[Any]:
            index = 0
            while True:
                with self.busy:
                    reading.set()
                    threading.Event().wait(0.1)
                yield index
                index += 1

        def stop(self) -> None:
            closed_early.append(self.busy.locked())

    graph = chain(node("source", Device), node("sink", Sink))
    run(graph, engine, stopper=stopper, observe=asks(stopper, reading.is_set), every=0.0)
    assert closed_early == [False]


@on_both
@pytest.mark.parametrize("live", [True, False], ids=["live", "plain"])
def test_a_source_that_waits_for_its_end_ends_at_once(engine: Engine, live: bool) -> None:
    waiting = threading.Event()
    stopper = Stopper()

    class Waits(Operator):
        def frames(self) -> Iterator[Any]:
            yield 0
            waiting.set()
            calls["ended"] = [self.context.ending.wait(600)]

    Waits.live = live
    graph = chain(node("source", Waits), node("sink", Sink))
    ran = run(graph, engine, stopper=stopper, observe=asks(stopper, waiting.is_set), every=0.0)
    assert ran.result.outcome == "interrupted"
    assert ran.payloads() == [0]
    assert ran.calls["ended"] == [True]


@on_both
def test_a_source_that_sleeps_through_its_end_is_left_behind(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What it takes to leave it is no time in which frames could have come."""
    monkeypatch.setattr(SOURCE_STAGE, "LEAVE", 0.5)
    asleep, over = threading.Event(), threading.Event()
    stopper = Stopper()

    class Sleeps(Operator):
        live: ClassVar[bool] = True

        def frames(self) -> Iterator[Any]:
            yield 0
            asleep.set()
            over.wait(600)

        def stop(self) -> None:
            calls["ended"] = [time.monotonic()]
            over.set()

    graph = chain(node("source", Sleeps), node("sink", Sink))
    before = time.monotonic()
    result = execute(
        plan(graph), RunOptions(engine.name), stopper=stopper,
        observe=asks(stopper, asleep.is_set), every=0.0,
    )  # fmt: skip
    assert result.outcome == "interrupted"
    assert result.last.seconds < calls["ended"][0] - before - 0.49
    assert "has not returned from frames() 0.5 s after its end" in caplog.text


@on_both
@pytest.mark.parametrize("on_error", ["stop", "skip"])
def test_a_live_source_that_raises(engine: Engine, on_error: Any) -> None:
    class LiveFallible(Fallible):
        live: ClassVar[bool] = True

    graph = chain(
        node("source", LiveFallible, {"n": 20, "fail_at": 10}, on_error=on_error),
        node("sink", Sink),
    )
    ran = run(graph, engine)
    if on_error == "stop":
        assert ran.result.failure is not None
        assert ran.result.failure.frame == "frame 10 of source"
        assert ran.payloads() == list(range(10))
    else:
        assert ran.payloads() == [x for x in range(20) if x != 10]


# -- start and stop --------------------------------------------------------------------------


def lifecycle(bad: str, moment: str, engine: Engine) -> tuple[Run, list[str]]:
    seen: list[str] = []

    class Noted(Operator):
        def note(self, what: str) -> None:
            seen.append(f"{what} {self.context.name}")
            if (self.context.name, what) == (bad, moment):
                raise RuntimeError("no")

        def start(self) -> None:
            self.note("start")

        def stop(self) -> None:
            self.note("stop")

    class First(Noted):
        def frames(self) -> Iterator[Any]:
            yield from range(3)

    class Then(Noted):
        def process(self, x: Any) -> Any:
            return x

    class Last(Noted):
        def process(self, x: Any) -> None:
            seen.append(x)

    graph = chain(node("first", First), node("then", Then), node("last", Last))
    return run(graph, engine), seen


@on_both
@pytest.mark.parametrize("bad", ["first", "then", "last"])
def test_start_raises(engine: Engine, bad: str) -> None:
    ran, seen = lifecycle(bad, "start", engine)
    names = ["first", "then", "last"]
    started = names[: names.index(bad) + 1]
    assert seen == [f"start {n}" for n in started] + [f"stop {n}" for n in reversed(started)]
    assert ran.result.outcome == "failed"
    assert str(ran.result.failure) == f"operator {bad!r} failed on start: RuntimeError: no"


@on_both
@pytest.mark.parametrize("bad", ["first", "then", "last"])
def test_stop_raises(engine: Engine, bad: str) -> None:
    ran, seen = lifecycle(bad, "stop", engine)
    assert seen[3:] == [0, 1, 2, "stop last", "stop then", "stop first"]
    assert ran.result.outcome == "failed"
    assert str(ran.result.failure) == f"operator {bad!r} failed on stop: RuntimeError: no"


@on_both
def test_frames_raises_before_the_first(engine: Engine) -> None:
    """`frames` need not be a generator function."""

    class Bad(Operator):
        def frames(self) -> Iterator[Any]:
            raise OSError("no such device")

    class Live(Source):
        live: ClassVar[bool] = True

    graph = app(
        [node("live", Live), node("bad", Bad), node("sink", Sink), node("other", Sink)],
        [flow("live", "sink"), flow("bad", "other")],
    )
    ran = run(graph, engine)
    assert str(ran.result.failure) == "operator 'bad' failed on start: OSError: no such device"


@on_both
def test_an_observer_that_raises(engine: Engine) -> None:
    """Nothing goes on behind the caller's back."""
    before = set(threading.enumerate())

    def observe(*_state: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(branched(), engine, observe=observe, every=0.0)
    assert left_over(before) == []


# -- what is seen of a run -------------------------------------------------------------------


@on_both
def test_snapshots(engine: Engine) -> None:
    seen: list[Any] = []
    stopper = Stopper()

    class Announcing(Sink):
        def start(self) -> None:
            super().start()
            self.context.announce("live page", "http://127.0.0.1:1")
            self.context.count_drop("device", 3)

    def observe(snapshot: Any, _history: Any) -> None:
        seen.append(snapshot)
        if len(seen) == 3:
            stopper.ask()

    graph = chain(node("source", Endless), node("a", Pass, fuse=False), node("sink", Announcing))
    ran = run(graph, engine, stopper=stopper, observe=observe, every=0.0)
    assert len(seen) >= 3
    for before, after in pairwise(seen):
        assert before.seconds <= after.seconds
        assert all(a.sent <= b.sent for a, b in zip(before.flows, after.flows, strict=True))
    assert seen[0].announcements == (("live page", "http://127.0.0.1:1"),)
    assert ran.operator("sink").dropped == {"device": 3}
    assert [b.name for b in ran.result.last.operators] == ["source", "a", "sink"]


@on_both
def test_the_books_of_time(engine: Engine) -> None:
    class Slow(Operator):
        def process(self, x: Any) -> Any:
            time.sleep(0.002)
            return x

    graph = chain(node("source", Source, {"n": 5}), node("slow", Slow), node("count", Count))
    stats = run(graph, engine).operator("slow")
    assert stats.working.count == stats.latency.count == 5
    assert stats.busy >= 0.01
    assert 0.002 <= stats.working.min <= stats.working.max <= stats.busy
    assert stats.latency.min >= 0.002
    untracked = run(graph, engine, tracked=False)
    slow = untracked.operator("slow")
    assert (slow.busy, slow.working.count, slow.latency.count) == (0, 0, 0)
    assert slow.frames == 5
    assert untracked.result.last.paths == ()


@on_all
def test_nothing_is_kept_of_a_run(engine: Engine) -> None:
    """A model that an operator has loaded must not stay in memory."""
    alive: list[weakref.ref[Operator]] = []

    class Model(Operator):
        def start(self) -> None:
            alive.append(weakref.ref(self))

        def process(self, x: Any) -> Any:
            return x

    run(chain(node("source", Source), node("model", Model, fuse=False), node("c", Count)), engine)
    gc.collect()
    assert [ref() for ref in alive] == [None]


@on_all
def test_no_file_stays_open_behind_a_run(engine: Engine) -> None:
    """Not even until the next garbage collection: who runs many apps runs out of files."""
    graph = chain(node("source", Source), node("pass", Pass, fuse=False), node("count", Count))
    run(graph, engine)  # what is loaded once
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    gc.disable()
    try:
        run(graph, engine)
        assert len(os.listdir("/proc/self/fd")) <= before
    finally:
        gc.enable()
