"""What operators send and when: generators, batches, headers, paced sources."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import Any

import pytest
from support.graphs import (
    EVENT2,
    INLINE,
    Batch,
    Engine,
    Halves,
    Header,
    Join,
    Keep,
    Operator,
    Pass,
    Repeat,
    Sink,
    Source,
    Split,
    Stamped,
    Tick,
    app,
    calls,
    chain,
    flow,
    node,
    on_all,
    on_both,
    run,
)  # fmt: skip

from holoflow.app.graph import Sync

MS = 1_000_000

# -- several and none for one ----------------------------------------------------------------


@on_all
@pytest.mark.parametrize("times", [0, 1, 3])
@pytest.mark.parametrize("queue", [1, 2])
def test_generators(engine: Engine, times: int, queue: int) -> None:
    graph = chain(
        node("source", Source), node("repeat", Repeat, {"times": times}),
        node("again", Repeat, {"times": 2}), node("sink", Sink, fuse=False), queue=queue,
    )  # fmt: skip
    ran = run(graph, engine)
    assert ran.payloads() == [x for x in range(10) for _ in range(2 * times)]
    assert [g.sequence for g in ran.sinks["sink"]] == ran.payloads()
    assert ran.operator("repeat").frames == 10
    assert ran.operator("repeat").sent == 10 * times
    assert ran.operator("again").frames == 10 * times


@on_both
def test_generators_that_give_nothing_at_times(engine: Engine) -> None:
    """None sends nothing, from a generator and instead of one."""

    class Sometimes(Operator):
        def process(self, x: Any) -> Iterator[Any]:
            if x % 2:
                return iter([x, None, x])
            return None  # type: ignore[return-value]

    graph = chain(node("source", Source), node("some", Sometimes), node("sink", Sink))
    ran = run(graph, engine)
    assert ran.payloads() == [x for x in range(10) if x % 2 for _ in range(2)]
    assert ran.operator("some").frames == 10
    assert ran.operator("some").sent == 10


@on_both
@pytest.mark.parametrize("fuse", [True, False])
@pytest.mark.parametrize("sink", [Sink, Pass])
def test_sources_that_give_nothing_at_times(engine: Engine, fuse: bool, sink: type) -> None:
    """None is not a frame: it is neither sent nor numbered."""

    class Some(Operator):
        def frames(self) -> Iterator[Any]:
            for index in range(400):
                yield index
                yield None

    graph = chain(node("source", Some), node("sink", sink))
    ran = run(graph, engine, fuse=fuse)
    assert ran.operator("source").frames == ran.operator("sink").frames == 400
    if sink is Sink:
        assert ran.payloads() == [g.sequence for g in ran.sinks["sink"]] == list(range(400))


@on_both
@pytest.mark.parametrize("fuse", [True, False])
def test_several_outputs(engine: Engine, fuse: bool) -> None:
    """Each output reaches whoever is behind it, also where only one is connected."""

    class Both(Operator):
        def frames(self) -> Iterator[Halves]:
            yield {"low": 1}
            yield {"low": 2, "high": None}
            yield {"high": 3}

    graph = app(
        [node("source", Both), node("low", Sink), node("a", Source), node("split", Split),
         node("high", Sink)],
        [flow("source.low", "low"), flow("a", "split"), flow("split.high", "high")],
    )  # fmt: skip
    ran = run(graph, engine, fuse=fuse)
    assert ran.payloads("low") == [1, 2]
    assert ran.payloads("high") == [("high", x) for x in range(10)]
    assert ran.operator("source").sent == 3
    assert ran.operator("split").sent == 20


class Named(Operator):
    """Takes inputs that the app names."""

    def process(self, **values: Any) -> Any:
        return values


class KeywordOnly(Operator):
    def process(self, header: Header, *, x: Any) -> Any:
        return (x, header.sequence)


@on_both
@pytest.mark.parametrize("fuse", [True, False])
@pytest.mark.parametrize(
    ("cls", "port", "expected"),
    [
        (Named, "values", {"values": 0}), (Named, "x", {"x": 0}), (KeywordOnly, "x", (0, 0)),
    ],
)  # fmt: skip
def test_how_inputs_are_given(
    engine: Engine, fuse: bool, cls: type, port: str, expected: Any
) -> None:
    graph = app(
        [node("source", Source, {"n": 1}), node("a", cls), node("sink", Sink)],
        [flow("source", f"a.{port}"), flow("a", "sink")],
    )
    assert run(graph, engine, fuse=fuse).payloads() == [expected]


# -- batches ---------------------------------------------------------------------------------


@on_all
def test_full_batches(engine: Engine) -> None:
    """A batch is gathered even where the queue is shorter; the end sends what is left."""
    graph = chain(
        node("source", Source), node("batch", Batch, {"size": 4, "wait": 60.0}),
        node("sink", Sink), queue=1,
    )  # fmt: skip
    ran = run(graph, engine)
    assert ran.calls["batch"] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert ran.payloads() == list(range(10))
    assert ran.operator("batch").frames == ran.operator("batch").sent == 10


def test_a_batch_waits_so_long_and_no_longer() -> None:
    graph = chain(
        node("source", Tick, {"n": 10, "period": 10 * MS, "wait": True}),
        node("batch", Batch, {"size": 4, "wait": 0.025}), node("sink", Sink),
    )  # fmt: skip
    ran = run(graph)
    assert ran.calls["batch"] == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]]


def test_a_batch_that_is_called_late_in_earnest() -> None:
    """By the wall clock: the second frame is minutes away."""
    from holoflow.engine import Stopper

    stopper = Stopper()
    graph = chain(
        node("source", Tick, {"n": 2, "period": 300_000 * MS, "wait": True}),
        node("batch", Batch, {"size": 4, "wait": 0.02}), node("sink", Sink),
    )  # fmt: skip

    def observe(snapshot: Any, _history: Any) -> None:
        if snapshot.operators[2].frames:
            stopper.ask()

    ran = run(graph, EVENT2, stopper=stopper, observe=observe, every=0.0)
    assert ran.calls["batch"] == [[0]]
    assert ran.payloads() == [0]


@on_both
def test_a_batch_without_patience(engine: Engine) -> None:
    graph = chain(
        node("source", Source), node("batch", Batch, {"size": 4, "wait": 0.0}), node("sink", Sink)
    )
    ran = run(graph, engine)
    assert ran.payloads() == list(range(10))
    assert all(1 <= len(batch) <= 4 for batch in ran.calls["batch"])


@on_both
def test_the_header_in_a_batch(engine: Engine) -> None:
    """`process_batch` calls `process` as it is, also where that takes the header."""

    class WithHeader(Batch):
        def process(self, x: Any, header: Header) -> Any:  # type: ignore[override]
            return (x, header.sequence)

        process_batch = Operator.process_batch

    graph = chain(node("source", Source), node("batch", WithHeader), node("sink", Sink))
    assert run(graph, engine).payloads() == [(x, x) for x in range(10)]


# -- headers ---------------------------------------------------------------------------------


class Noted(Operator):
    """A source that sets all that can be set."""

    def frames(self) -> Iterator[Stamped[Any]]:
        yield Stamped("a", timestamp=5)
        yield Stamped("b", elapsed=7, metadata={"from": "source"})
        yield Stamped(None, timestamp=6)
        yield Stamped("c", timestamp=9, metadata={"from": "source", "more": 1})


class Adding(Operator):
    """An operator that adds to the header."""

    def process(self, x: Any) -> Stamped[Any]:
        return Stamped(x, metadata={"from": "adding"})


@on_both
@pytest.mark.parametrize("fuse", [True, False])
def test_headers(engine: Engine, fuse: bool) -> None:
    graph = app(
        [node("source", Noted), node("plain", Sink), node("pass", Pass), node("add", Adding),
         node("added", Sink)],
        [flow("source", "plain"), flow("source", "pass"), flow("pass", "add"),
         flow("add", "added")],
    )  # fmt: skip
    ran = run(graph, engine, fuse=fuse, lossless=True)
    got = ran.sinks["plain"]
    assert [g.payload for g in got] == ["a", "b", "c"]
    assert [g.timestamp for g in got] == [5, 7, 9]
    assert [g.metadata for g in got] == [
        {}, {"from": "source"}, {"from": "source", "more": 1},
    ]  # fmt: skip
    assert {g.source for g in got} == {"source"}
    got = ran.sinks["added"]
    assert [g.timestamp for g in got] == [5, 7, 9]
    assert [g.metadata for g in got] == [
        {"from": "adding"}, {"from": "adding"}, {"from": "adding", "more": 1},
    ]  # fmt: skip


@on_both
def test_times_of_the_run(engine: Engine) -> None:
    """`elapsed` counts from the begin of the stream, in the clock of the run."""
    before = time.time_ns()
    graph = chain(node("source", Tick, {"n": 4}), node("sink", Sink))
    got = run(graph, engine).sinks["sink"]
    first = got[0].timestamp
    assert before - 1 <= first <= time.time_ns()
    assert [g.timestamp - first for g in got] == [0, 10 * MS, 20 * MS, 30 * MS]


@on_both
def test_times_of_a_source_without_any(engine: Engine) -> None:
    """It is when the source gave them, by one clock, lossless or not."""

    class Sleepy(Operator):
        def start(self) -> None:
            self.given: list[tuple[int, int]] = []

        def frames(self) -> Iterator[Any]:
            for index in range(10):
                time.sleep(0.001)
                before = time.monotonic_ns()
                yield index
                self.given.append((before, time.monotonic_ns()))

        def stop(self) -> None:
            calls["given"] = self.given

    for lossless in (False, True):
        ran = run(chain(node("source", Sleepy), node("sink", Sink)), engine, lossless=lossless)
        times = [g.timestamp for g in ran.sinks["sink"]]
        given = ran.calls["given"]
        # The run's clock is ahead of this one by as much for every frame.
        ahead_at_least = max(time - after for time, (_, after) in zip(times, given, strict=True))
        ahead_at_most = min(time - before for time, (before, _) in zip(times, given, strict=True))
        assert ahead_at_least <= ahead_at_most
        assert (times[0] < 3_600_000 * MS) == lossless


@on_both
def test_headers_of_joins(engine: Engine) -> None:
    """The first input leads, or whom the app names; metadata of all is there."""

    class Other(Operator):
        def frames(self) -> Iterator[Stamped[Any]]:
            for index in range(3):
                yield Stamped(index, timestamp=100 + index, metadata={"other": index})

    for sync, leader, times in (
        (None, "a", [0, 1, 2]),
        (Sync("b", 1.0), "b", [100, 101, 102]),
    ):
        graph = app(
            [node("a", Tick, {"n": 3, "period": 1}), node("b", Other),
             node("join", Join, sync=sync), node("sink", Sink)],
            [flow("b", "join.b"), flow("a", "join.a"), flow("join", "sink")],
        )  # fmt: skip
        got = run(graph, engine, lossless=True).sinks["sink"]
        assert [g.source for g in got] == [leader] * 3
        assert [g.timestamp for g in got] == times
        assert [g.metadata for g in got] == [{"other": i} for i in range(3)]


@on_both
def test_sequences_behind_filters(engine: Engine) -> None:
    """They stay those of the source."""
    graph = chain(node("source", Source), node("keep", Keep, {"every": 3}), node("sink", Sink))
    got = run(graph, engine).sinks["sink"]
    assert [g.sequence for g in got] == [0, 3, 6, 9]


# -- paced sources ---------------------------------------------------------------------------


def test_the_simulated_clock_jumps() -> None:
    """Ten hours take no time."""
    seen: list[int] = []

    class Clock(Operator):
        def process(self, x: Any) -> Any:
            seen.append(self.context.now())
            return x

    graph = chain(
        node("source", Tick, {"n": 11, "period": 3_600_000 * MS, "wait": True}),
        node("clock", Clock), node("sink", Sink),
    )  # fmt: skip
    ran = run(graph, INLINE)  # within the time that a test may take
    times = [g.timestamp for g in ran.sinks["sink"]]
    assert [t - times[0] for t in times] == [i * 3_600_000 * MS for i in range(11)]
    assert [(now - times[0]) // (3_600_000 * MS) for now in seen] == list(range(11))


@on_all
def test_paced_sources_take_turns(engine: Engine) -> None:
    """Frames of two sources come in the order of their times, however it is scheduled."""
    order: list[Any] = []

    class Note(Operator):
        def process(self, x: Any, header: Header) -> None:
            assert self.context.now() >= header.timestamp
            order.append((header.source, x))

    class Late(Operator):
        def frames(self) -> Iterator[Stamped[Any]]:
            for index in range(3):
                yield Stamped(index, elapsed=(20 + 40 * index) * MS, wait=True)

    graph = app(
        [node("a", Tick, {"n": 3, "period": 40 * MS, "wait": True}), node("na", Note),
         node("b", Late), node("nb", Note)],
        [flow("a", "na"), flow("b", "nb")],
    )  # fmt: skip
    ran = run(graph, engine)
    assert ran.result.outcome == "done"
    assert sorted(order) == [(name, i) for name in "ab" for i in range(3)]
    if engine is INLINE:
        assert order == [(name, i) for i in range(3) for name in "ab"]


@on_both
def test_a_paced_source_that_is_behind_does_not_wait(engine: Engine) -> None:
    class Back(Operator):
        def frames(self) -> Iterator[Stamped[Any]]:
            for index in range(3):
                yield Stamped(index, elapsed=-index, wait=True)

    ran = run(chain(node("source", Back), node("sink", Sink)), engine)
    assert ran.payloads() == [0, 1, 2]


class Jumping(Operator):
    """A recording with an hour of nothing in it, of a clock that is then set back."""

    HOUR = 3_600_000 * MS

    def frames(self) -> Iterator[Stamped[Any]]:
        for elapsed in (0, MS, self.HOUR, self.HOUR + MS, 2 * MS, 3 * MS):
            yield Stamped(elapsed, elapsed=elapsed, wait=True)


@on_both
def test_a_jump_in_a_streams_times_is_told_and_not_slept_through(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    ran = run(chain(node("source", Jumping), node("sink", Sink)), engine)
    got = ran.sinks["sink"]
    assert [g.timestamp - got[0].timestamp for g in got] == [g.payload for g in got]
    told = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    # A simulated clock does not wait, so that only the second is none of its business.
    assert len(told) == 1
    jump = (
        "by its time frame 4 of source comes 1 h 0 min before the one"
        if engine is INLINE
        else ("by its time frame 2 of source comes 1 h 0 min after the one")
    )
    assert told[0].startswith(jump)


@on_both
@pytest.mark.parametrize("lossless", [True, False])
def test_the_stream_begins_when_all_have_started(engine: Engine, lossless: bool) -> None:
    """However long that takes, no frame is behind."""
    started: list[int] = []

    class SlowStart(Operator):
        def start(self) -> None:
            time.sleep(0.05)
            started.append(time.time_ns())

        def process(self, x: Any) -> Any:
            return x

    graph = chain(node("source", Tick, {"wait": True}), node("slow", SlowStart), node("sink", Sink))
    times = [g.timestamp for g in run(graph, engine, lossless=lossless).sinks["sink"]]
    if lossless:
        assert times == [i * 10 * MS for i in range(5)]
    else:
        assert times[0] >= started[0]
