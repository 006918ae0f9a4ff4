"""Holoscan's own operators in an app, and holoflow's in an application written by hand."""

from __future__ import annotations

import gc
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.graphs import (
    EVENT2,
    GREEDY,
    INLINE,
    Count,
    Engine,
    Header,
    Operator,
    Pass,
    Sink,
    Stamped,
    Turnstile,
    app,
    flow,
    node,
    on_holoscan,
    run,
)  # fmt: skip

from holoflow import Array, HoloflowError, Image, hosted, param
from holoflow.app.graph import Node
from holoflow.cli.summary import headline
from holoflow.engine import Stopper
from holoflow.holoscan import classes, inspection, runtime, signature
from holoflow.holoscan.classes import HoloscanObject, HoloscanOperator, HoloscanPorts
from holoflow.report import numbers
from holoflow.report.measures import source_frames

holoscan = runtime.load()
from holoscan.decorator import create_op  # noqa: E402
from holoscan.operators import (  # noqa: E402 - after the CUDA runtime is loaded
    PingTensorRxOp,
    PingTensorTxOp,
    VideoStreamRecorderOp,
    VideoStreamReplayerOp,
)  # fmt: skip
from holoscan.resources import UnboundedAllocator  # noqa: E402

N = 20

# Each run ends with the half second of standstill that tells that Holoscan has ended.
on_two = pytest.mark.parametrize("engine", [GREEDY, EVENT2], ids=str)


class Images(Operator):
    n: int = param(N, doc="frames")

    def frames(self) -> Iterator[Stamped[Image]]:
        for index in range(self.n):
            data = np.full((4, 5, 3), index, np.uint8)
            yield Stamped(Image(data), timestamp=1000 + index, metadata={"index": index})


class ImageSink(Sink):
    def process(self, x: Image, header: Header) -> None:
        assert isinstance(x, Image)
        assert x.data.shape == (4, 5, 3)
        super().process(int(x.data.flat[0]), header)


class Relay(holoscan.core.Operator):
    """Passes on what it receives; raises on the call that it is told."""

    def __init__(self, fragment: Any, *args: Any, fail_at: int = -1, **kwargs: Any) -> None:
        self.fail_at = fail_at
        self.calls = 0
        super().__init__(fragment, *args, **kwargs)

    def setup(self, spec: Any) -> None:
        spec.input("in")
        spec.output("out")

    def compute(self, op_input: Any, op_output: Any, _context: Any) -> None:
        message = op_input.receive("in")
        if self.calls == self.fail_at:
            raise ValueError("bad")
        self.calls += 1
        op_output.emit(message, "out")


class Pair(holoscan.core.Operator):
    """Two inputs and two outputs."""

    def setup(self, spec: Any) -> None:
        spec.input("left")
        spec.input("right")
        spec.output("sum")
        spec.output("left_again")

    def compute(self, op_input: Any, op_output: Any, _context: Any) -> None:
        left, right = (np.asarray(op_input.receive(p)[""]) for p in ("left", "right"))
        op_output.emit({"": left + right}, "sum")
        op_output.emit({"": left.copy()}, "left_again")


def holoscans(
    name: str, cls: type, inputs: tuple[str, ...], outputs: tuple[str, ...], *conditions: Any,
    **arguments: Any,
) -> Node:  # fmt: skip
    made = HoloscanOperator(cls, arguments, conditions, inputs, outputs)
    return Node(name, f"{cls.__module__}:{cls.__name__}", cls, holoscan_operator=made)


def relay(name: str = "relay", **arguments: Any) -> Node:
    return holoscans(name, Relay, ("in",), ("out",), **arguments)


@on_holoscan
def test_recorded_and_replayed(engine: Engine, tmp_path: Path) -> None:
    where = {"directory": str(tmp_path), "basename": "clip"}
    recorder = holoscans("recorder", VideoStreamRecorderOp, ("input",), (), **where)
    ran = run(app([node("source", Images), recorder], [flow("source", "recorder.input")]), engine)
    assert ran.result.outcome == "done"
    assert ran.flow("source", "recorder.input").delivered == N
    assert ran.operator("recorder").frames == N
    replayer = holoscans(
        "replayer", VideoStreamReplayerOp, (), ("output",), realtime=False, **where
    )
    graph = app([replayer, node("sink", ImageSink)], [flow("replayer.output", "sink")])
    ran = run(graph, engine)
    assert ran.result.outcome == "done"
    assert ran.payloads() == list(range(N))
    assert [g.sequence for g in ran.sinks["sink"]] == list(range(N))
    assert ran.operator("replayer").frames == ran.operator("replayer").sent == N


@on_holoscan
@pytest.mark.parametrize("last", [False, True], ids=["replayer", "recorder"])
def test_a_file_that_cannot_be_opened_names_the_operator(
    engine: Engine, last: bool, tmp_path: Path
) -> None:
    """Whatever of Holoscan's own takes part beside it, and whether it is the last to begin."""
    where = {"directory": str(tmp_path / "none"), "basename": "clip"}
    if last:
        (tmp_path / "none").touch()
        recorder = holoscans("bad", VideoStreamRecorderOp, ("input",), (), **where)
        graph = app([node("source", Images), recorder], [flow("source", "bad.input")])
    else:
        graph = app(
            [
                holoscans("bad", VideoStreamReplayerOp, (), ("output",), **where), relay(),
                node("source", Images), relay("other"), node("sink", ImageSink),
            ],
            [flow("bad.output", "relay.in"), flow("relay", "sink"), flow("source", "other.in")],
        )  # fmt: skip
    ran = run(graph, engine)
    assert ran.result.failure is not None
    assert (ran.result.failure.operator, ran.result.failure.frame) == ("bad", "start")
    assert "GXF_FAILURE; set HOLOSCAN_LOG_LEVEL=WARN" in ran.result.failure.cause


@on_holoscan
def test_in_the_middle(engine: Engine) -> None:
    graph = app(
        [node("source", Images), relay(), node("sink", ImageSink)],
        [flow("source", "relay.in"), flow("relay", "sink")],
    )
    ran = run(graph, engine)
    assert ran.result.outcome == "done"
    assert ran.payloads() == list(range(N))
    got = ran.sinks["sink"]
    assert [g.sequence for g in got] == list(range(N))
    assert [g.timestamp for g in got] == [1000 + i for i in range(N)]
    assert [g.metadata for g in got] == [{"index": i} for i in range(N)]
    assert {g.source for g in got} == {"source"}
    assert ran.operator("relay").frames == ran.operator("relay").sent == N
    assert ran.operator("relay").working.count == N
    assert ran.operator("relay").busy > 0
    (path,) = ran.result.last.paths
    assert path.name == "source → relay → sink"
    assert path.frames == N


class Notes(Relay):
    """Reads, changes, adds and removes metadata."""

    def compute(self, op_input: Any, op_output: Any, _context: Any) -> None:
        message = op_input.receive("in")
        self.metadata["twice"] = 2 * self.metadata["index"]
        self.metadata.pop("index")
        op_output.emit(message, "out")


@on_two
def test_metadata_is_theirs_key_by_key(engine: Engine) -> None:
    notes = holoscans("notes", Notes, ("in",), ("out",))
    graph = app(
        [node("source", Images), notes, relay(), node("sink", ImageSink)],
        [flow("source", "notes.in"), flow("notes", "relay.in"), flow("relay", "sink")],
    )
    got = run(graph, engine).sinks["sink"]
    assert [g.metadata for g in got] == [{"twice": 2 * i} for i in range(N)]
    assert [(g.sequence, g.timestamp) for g in got] == [(i, 1000 + i) for i in range(N)]


@on_two
def test_nothing_is_kept_of_a_run(engine: Engine) -> None:
    alive: list[weakref.ref[Operator]] = []

    class Model(Operator):
        def start(self) -> None:
            alive.append(weakref.ref(self))

        def process(self, x: Any) -> None:
            pass

    graph = app(
        [node("source", Images), relay(), node("model", Model)],
        [flow("source", "relay.in"), flow("relay", "model")],
    )
    run(graph, engine)
    gc.collect()
    assert [ref() for ref in alive] == [None]


@on_two
def test_joined_to_one_another(engine: Engine) -> None:
    """Between two of them there is a queue of holoflow's as well."""
    graph = app(
        [node("source", Images), relay("one"), relay("two"), node("sink", ImageSink)],
        [flow("source", "one.in"), flow("one", "two.in"), flow("two", "sink")],
    )
    ran = run(graph, engine)
    assert ran.payloads() == list(range(N))
    assert [(b.source, b.target, b.sent, b.delivered) for b in ran.result.last.flows] == [
        ("source.out", "one.in", N, N), ("one.out", "two.in", N, N), ("two.out", "sink.x", N, N),
    ]  # fmt: skip


class Giver(holoscan.core.Operator):
    """A source."""

    def setup(self, spec: Any) -> None:
        spec.output("out")

    def compute(self, _op_input: Any, op_output: Any, _context: Any) -> None:
        op_output.emit({"": np.zeros(1)}, "out")


class Taker(holoscan.core.Operator):
    """A sink."""

    def setup(self, spec: Any) -> None:
        spec.input("in")

    def compute(self, op_input: Any, _op_output: Any, _context: Any) -> None:
        op_input.receive("in")


@on_two
def test_frames_of_an_app_of_theirs_alone_are_what_its_sources_gave(engine: Engine) -> None:
    graph = app(
        [holoscans("give", Giver, (), ("out",)), relay(), holoscans("take", Taker, ("in",), ())],
        [flow("give", "relay.in"), flow("relay", "take.in")],
    )
    last = run(graph, engine, frames=N).result.last
    assert [stats.frames for stats in last.operators] == [N, N, N]
    assert source_frames(last) == N


@on_two
def test_those_in_cpp_are_counted_too(engine: Engine) -> None:
    """What they send one another is seen where it arrives; how much they send is not known."""
    ping = holoscans("ping", PingTensorTxOp, (), ("out",), storage_type="system", rows=3, columns=2)
    pong = holoscans("pong", PingTensorRxOp, ("in",), ())
    last = run(app([ping, pong], [flow("ping", "pong.in")]), engine, frames=N).result.last
    assert [(stats.frames, stats.sent) for stats in last.operators] == [(N, None), (N, 0)]
    assert source_frames(last) == N
    assert [(f.name, f.sent, f.delivered) for f in last.flows] == [("ping.out -> pong.in", N, N)]
    (path,) = last.paths
    assert (path.name, path.frames) == ("ping → pong", N)
    assert last.operator("pong").latency.count == last.operator("pong").working.count == N
    assert headline("pings", "done", "holoscan", last).startswith(f"pings: done, {N} frames in ")
    (row, _) = numbers.operators(last)
    assert (row["frames"], row["sent"]) == (N, None)


@on_two
def test_several_ports(engine: Engine) -> None:
    graph = app(
        [node("a", Images), node("b", Images), holoscans("pair", Pair, ("left", "right"),
         ("sum", "left_again")), node("sum", ImageSink), node("left", ImageSink),
         node("more", ImageSink)],
        [flow("a", "pair.left"), flow("b", "pair.right"), flow("pair.sum", "sum"),
         flow("pair.left_again", "left"), flow("pair.sum", "more")],
    )  # fmt: skip
    ran = run(graph, engine)
    assert ran.result.outcome == "done", ran.result.failure
    assert ran.payloads("sum") == ran.payloads("more") == [2 * i for i in range(N)]
    assert ran.payloads("left") == list(range(N))
    assert ran.operator("pair").frames == N


@on_holoscan
@pytest.mark.parametrize("where", ["middle", "last"])
def test_one_that_raises(engine: Engine, where: str) -> None:
    graph = app(
        [node("source", Images), relay(fail_at=7),
         *([node("sink", ImageSink)] if where == "middle" else [])],
        [flow("source", "relay.in"), *([flow("relay", "sink")] if where == "middle" else [])],
    )  # fmt: skip
    ran = run(graph, engine)
    assert ran.result.outcome == "failed"
    assert ran.result.failure is not None
    assert (
        str(ran.result.failure) == "operator 'relay' failed on frame 7 of source: ValueError: bad"
    )
    assert ran.operator("relay").frames == 7
    if where == "middle":
        assert ran.payloads() == list(range(7))


@on_two
@pytest.mark.parametrize("frames", [0, 7])
def test_a_number_of_frames(engine: Engine, frames: int) -> None:
    class Shape(Operator):
        def process(self, x: Array) -> tuple[int, ...]:
            return x.shape

    ping = holoscans("ping", PingTensorTxOp, (), ("out",), storage_type="system", rows=3, columns=2)
    graph = app(
        [ping, node("shape", Shape), node("sink", Sink)],
        [flow("ping", "shape"), flow("shape", "sink")],
    )
    ran = run(graph, engine, frames=frames)
    assert ran.result.outcome == "done"
    assert ran.payloads() == [(3, 2)] * frames


@on_two
@pytest.mark.parametrize("times", [1, 2])
def test_asked_to_end(engine: Engine, times: int) -> None:
    """Those that never end by themselves are stopped."""
    stopper = Stopper()
    ping = holoscans("ping", PingTensorTxOp, (), ("out",), storage_type="system", rows=3, columns=2)
    graph = app([ping, node("count", Count)], [flow("ping", "count")])

    def observe(snapshot: Any, _history: Any) -> None:
        if snapshot.operators[1].frames > 10:
            for _ in range(times):
                stopper.ask()

    ran = run(graph, engine, stopper=stopper, observe=observe, every=0.0)
    assert ran.result.outcome == "interrupted"
    if times == 1:
        assert ran.operator("ping").sent == ran.operator("count").frames


@on_holoscan
def test_a_slow_consumer(engine: Engine, tmp_path: Path) -> None:
    """It holds Holoscan's source up; its slowness is not taken for the end."""

    class Slow(Operator):
        def process(self, x: Any) -> Any:
            if len(seen) == 3:
                gate.pass_through()  # longer than a standstill takes to be noticed
            seen.append(1)
            return x

    import threading

    gate, seen = Turnstile(), []
    ping = holoscans("ping", PingTensorTxOp, (), ("out",), storage_type="system", rows=3, columns=2)
    graph = app(
        [ping, node("slow", Slow), node("count", Count)],
        [flow("ping", "slow", queue=2), flow("slow", "count")],
    )
    timer = threading.Timer(0.4, gate.open)
    timer.start()
    ran = run(graph, engine, frames=12)
    timer.join()
    assert ran.result.outcome == "done"
    assert ran.operator("count").frames == 12
    assert ran.flow("ping", "slow").dropped == {}


@on_two
def test_a_failure_elsewhere(engine: Engine) -> None:
    ping = holoscans("ping", PingTensorTxOp, (), ("out",), storage_type="system", rows=3, columns=2)

    class Bad(Operator):
        def process(self, x: Any, header: Header) -> None:
            if header.sequence == 5:
                raise ValueError("bad")

    ran = run(app([ping, node("bad", Bad)], [flow("ping", "bad")]), engine)
    assert str(ran.result.failure) == "operator 'bad' failed on frame 5 of ping: ValueError: bad"


def test_it_takes_holoscan() -> None:
    graph = app([node("source", Images), relay()], [flow("source", "relay.in")])
    with pytest.raises(HoloflowError, match=r"engine inline cannot run .* \(relay\); use --engine"):
        run(graph, INLINE)


# -- whether they are given rightly ----------------------------------------------------------


def test_ports() -> None:
    assert inspection.inspect(Relay, {}, ()) == HoloscanPorts({"in": True}, ("out",))
    assert inspection.inspect(
        VideoStreamReplayerOp, {"directory": "/x", "basename": "y"}, ()
    ) == HoloscanPorts({}, ("output",))  # fmt: skip


def test_an_input_that_it_does_not_wait_for() -> None:
    class Patient(holoscan.core.Operator):
        def setup(self, spec: Any) -> None:
            spec.input("needed")
            spec.input("free").condition(holoscan.core.ConditionType.NONE)

    assert inspection.inspect(Patient, {}, ()) == HoloscanPorts({"needed": True, "free": False})


@pytest.mark.parametrize(
    ("cls", "arguments", "parameter", "words"),
    [
        (VideoStreamReplayerOp, {"directory": "/x", "basenme": "y"}, "basenme",
         "has no parameter 'basenme'; did you mean 'basename'?"),
        (VideoStreamReplayerOp, {"directory": "/x", "basename": "y", "frame_rate": "fast"},
         "frame_rate", "'frame_rate' of VideoStreamReplayerOp must be float, got 'fast'"),
        (VideoStreamReplayerOp, {"directory": "/x", "basename": "y", "realtime": 3},
         "realtime", "must be bool"),
        (Relay, {"fial_at": 3}, "fial_at", "did you mean 'fail_at'?"),
    ],
)  # fmt: skip
def test_wrong_arguments(cls: type, arguments: dict[str, Any], parameter: str, words: str) -> None:
    with pytest.raises(classes.HoloscanOperatorError) as caught:
        inspection.inspect(cls, arguments, ())
    assert caught.value.parameter == parameter
    assert words in str(caught.value)


def test_what_is_what() -> None:
    assert classes.is_operator(Relay)
    assert classes.is_operator(VideoStreamReplayerOp)
    assert not classes.is_operator(Pass)
    assert not classes.is_operator(UnboundedAllocator)
    assert signature.is_object(UnboundedAllocator)
    assert signature.is_object(holoscan.conditions.CountCondition)
    assert not signature.is_object(Relay)


@on_two
def test_conditions_and_allocators(engine: Engine) -> None:
    ping = holoscans(
        "ping", PingTensorTxOp, (), ("out",),
        HoloscanObject(holoscan.conditions.CountCondition, "count", {"count": 4}),
        allocator=HoloscanObject(UnboundedAllocator, "allocator"), storage_type="system",
    )  # fmt: skip
    ran = run(app([ping, node("count", Count)], [flow("ping", "count")]), engine)
    assert ran.operator("count").frames == 4


@create_op(outputs="out")
def counted() -> Any:
    yield from range(N)


@create_op(inputs="number", outputs="out")
def odd_one_out(number: int, odd: int = -1) -> int:
    if number == odd:
        raise ValueError("bad")
    return 10 * number


def made_of(function: Any, inputs: tuple[str, ...], **arguments: Any) -> Node:
    cls = classes.operator_of(function, "Made", __name__)
    assert cls is not None
    return holoscans(f"made{len(inputs)}", cls, inputs, ("out",), **arguments)


@on_two
@pytest.mark.parametrize("odd", [-1, 3])
def test_functions_that_create_op_makes_operators(engine: Engine, odd: int) -> None:
    graph = app(
        [made_of(counted, ()), made_of(odd_one_out, ("number",), odd=odd), node("sink", Sink)],
        [flow("made0", "made1.number"), flow("made1", "sink")],
    )
    ran = run(graph, engine)
    if odd < 0:
        assert ran.payloads() == [10 * i for i in range(N)]
    else:
        assert str(ran.result.failure) == "operator 'made1' failed on call 3: ValueError: bad"


# -- the other way round ---------------------------------------------------------------------


class Double(Operator):
    started = 0

    def start(self) -> None:
        type(self).started += 1

    def process(self, x: Image, header: Header) -> Image:
        if header.sequence == 100:
            raise ValueError("bad 100")
        return Image(x.data * 2)


class Seen(Operator):
    def start(self) -> None:
        self.got: list[Any] = []

    def process(self, x: Image, header: Header) -> None:
        self.got.append((int(x.data.flat[0]), header.sequence, header.timestamp, header.source))


class ByHand(holoscan.core.Application):
    def __init__(self, frames: int, seen: Seen) -> None:
        self.frames = frames
        self.seen = seen
        super().__init__()

    def compose(self) -> None:
        source = hosted(self, Images(n=self.frames), name="source")
        double = hosted(self, Double(), name="double")
        middle = Relay(self, name="relay")
        sink = hosted(self, self.seen, name="sink")
        self.add_flow(source, double, {("out", "x")})
        self.add_flow(double, middle, {("out", "in")})
        self.add_flow(middle, sink, {("out", "x")})


def test_hosted() -> None:
    seen = Seen()
    ByHand(N, seen).run()
    assert seen.got == [(2 * i, i, 1000 + i, "source") for i in range(N)]
    assert seen.context.name == "sink"


def test_hosted_sources_keep_their_times() -> None:
    """By the clock of the application; nothing comes before its time."""

    class Paced(Operator):
        def frames(self) -> Iterator[Stamped[int]]:
            for index in range(3):
                yield Stamped(index, elapsed=index * 5_000_000, wait=True)

    class Times(Operator):
        def start(self) -> None:
            self.got: list[tuple[int, int]] = []

        def process(self, x: int, header: Header) -> None:
            self.got.append((header.timestamp, self.context.now()))

    times = Times()

    class App(holoscan.core.Application):
        def compose(self) -> None:
            ends = hosted(self, Paced(), name="source"), hosted(self, times, name="sink")
            self.add_flow(*ends, {("out", "x")})

    before = time.time_ns()
    App().run()
    captured = [t for t, _ in times.got]
    assert before <= captured[0] <= time.time_ns()
    assert [t - captured[0] for t in captured] == [0, 5_000_000, 10_000_000]
    assert all(t <= now for t, now in times.got)


def test_hosted_operators_raise() -> None:
    seen = Seen()
    with pytest.raises(ValueError, match="bad 100"):
        ByHand(200, seen).run()
    assert len(seen.got) <= 100


def test_hosted_generators() -> None:
    """Several for one and none for one, from a list as well as from a generator."""

    class Lists(Operator):
        def frames(self) -> Iterator[Any]:
            return [1, 2, 3]  # type: ignore[return-value]

    class Odd(Operator):
        def process(self, x: Any) -> Iterator[Any]:
            if x % 2:
                return iter([x, None])
            return None  # type: ignore[return-value]

    class All(Operator):
        got: list[Any] = []  # noqa: RUF012

        def process(self, x: Any) -> None:
            self.got.append(x)

    collected = All()
    collected.got = []

    class App(holoscan.core.Application):
        def compose(self) -> None:
            ends = [hosted(self, o, name=n) for n, o in
                    (("a", Lists()), ("b", Odd()), ("c", collected))]  # fmt: skip
            self.add_flow(ends[0], ends[1], {("out", "x")})
            self.add_flow(ends[1], ends[2], {("out", "x")})

    App().run()
    assert collected.got == [1, 3]
