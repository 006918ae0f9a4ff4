"""An operator that raises on frame 100 of 200, anywhere in a graph."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from support.graphs import (
    EVENT2,
    INLINE,
    SCHEDULED,
    Add,
    Batch,
    Count,
    Engine,
    Fallible,
    Halves,
    Join,
    Keep,
    Pass,
    Repeat,
    Run,
    Sink,
    Source,
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

from holoflow import Operator, Stamped, param

N, BAD = 200, 100
on_error = pytest.mark.parametrize("on_error", ["stop", "skip"])
tracked = pytest.mark.parametrize("tracked", [True, False], ids=["tracked", "untracked"])
fused = pytest.mark.parametrize("fuse", [True, False], ids=["fused", "unfused"])


def check_failure(ran: Run, operator: str, frame: str = f"frame {BAD} of source") -> None:
    failure = ran.result.failure
    assert ran.result.outcome == "failed"
    assert failure is not None
    assert (failure.operator, failure.frame) == (operator, frame)
    assert failure.cause == f"ValueError: bad {BAD}"
    assert isinstance(failure.error, ValueError)
    assert str(failure) == f"operator {operator!r} failed on {frame}: ValueError: bad {BAD}"


def check_skipped(ran: Run, caplog: pytest.LogCaptureFixture, operator: str) -> None:
    assert ran.result.outcome == "done"
    assert ran.result.failure is None
    (record,) = [r for r in caplog.records if r.levelno >= logging.WARNING]
    assert record.name == f"holoflow.operator.{operator}"
    text = record.getMessage()
    assert text.startswith(f"skipped frame {BAD} of source (timestamp ")
    assert text.endswith(f"ValueError: bad {BAD}")
    assert ran.operator(operator).skipped == 1


ALL = list(range(N))
BEFORE = list(range(BAD))
WITHOUT = [x for x in ALL if x != BAD]

# -- a chain, the bad operator at each of its places ------------------------------------------


everywhere = pytest.mark.parametrize(
    ("engine", "fuse", "tracked"),
    [
        *((engine, True, True) for engine in (INLINE, *SCHEDULED)),
        *((engine, False, True) for engine in (INLINE, *SCHEDULED)),
        (INLINE, True, False),
        (EVENT2, True, False),
        (EVENT2, False, False),
    ],
)


@everywhere
@on_error
@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_operators_of_a_chain(
    engine: Engine, fuse: bool, tracked: bool, on_error: Any, place: str,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    names = ["first", "middle", "last"]
    graph = chain(
        node("source", Source, {"n": N}),
        *(node(n, Pass, {"fail_at": BAD} if n == place else {}, on_error=on_error) for n in names),
        node("sink", Sink),
    )
    ran = run(graph, engine, fuse=fuse, tracked=tracked)
    bad = names.index(place)
    if on_error == "stop":
        check_failure(ran, place)
        assert ran.payloads() == BEFORE
        # What comes before may have worked on frames behind the bad one.
        assert all(ran.operator(n).frames > BAD for n in names[:bad])
        assert all(ran.operator(n).frames == BAD for n in names[bad:])
    else:
        check_skipped(ran, caplog, place)
        assert ran.payloads() == WITHOUT
        assert all(ran.operator(n).frames == N for n in names[:bad])
        assert all(ran.operator(n).frames == N - 1 for n in names[bad:])
        assert ran.operator("source").frames == ran.operator("source").sent == N
    before = ["source", *names][bad]
    into = ran.flow(before, place)
    assert into.delivered == ran.operator(place).frames
    assert into.dropped["error"] == 1
    assert into.sent == ran.operator(before).sent
    assert [got.sequence for got in ran.sinks["sink"]] == ran.payloads()


@on_both
@on_error
@tracked
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_chain_without_headers(
    engine: Engine, on_error: Any, tracked: bool, place: int, caplog: pytest.LogCaptureFixture
) -> None:
    """The fast path of fused chains: nobody asks for a header."""

    class Note(Operator):
        def process(self, x: Any) -> None:
            if place == 2 and x == BAD:
                raise ValueError(f"bad {x}")
            calls.setdefault("got", []).append(x)

    graph = chain(
        node("source", Source, {"n": N}),
        node("0", Pass, {"fail_at": BAD if place == 0 else -1}, on_error=on_error),
        node("1", Pass, {"fail_at": BAD if place == 1 else -1}, on_error=on_error),
        node("2", Note, on_error=on_error),
    )
    ran = run(graph, engine, tracked=tracked)
    if on_error == "stop":
        check_failure(ran, str(place))
        assert ran.calls["got"] == BEFORE
        assert ran.operator("source").frames == ran.operator("source").sent == BAD + 1
    else:
        check_skipped(ran, caplog, str(place))
        assert ran.calls["got"] == WITHOUT
        assert ran.operator("source").frames == ran.operator("source").sent == N
    for index, name in enumerate(["0", "1", "2"]):
        good = BAD if on_error == "stop" else N - 1
        assert ran.operator(name).frames == good + (index < place)
        assert ran.operator(name).sent == (0 if index == 2 else good + (index < place))


# -- sources -------------------------------------------------------------------------------


@everywhere
@on_error
def test_a_source(engine: Engine, fuse: bool, tracked: bool, on_error: Any) -> None:
    """A generator is at its end once it has raised: it cannot go on, whatever was asked for."""
    graph = chain(
        node("source", Source, {"n": N, "fail_at": BAD}, on_error=on_error),
        node("pass", Pass),
        node("sink", Sink),
    )
    ran = run(graph, engine, fuse=fuse, tracked=tracked)
    if on_error == "stop":
        check_failure(ran, "source")
    else:
        failure = ran.result.failure
        assert ran.result.outcome == "failed"
        assert failure is not None
        assert failure.frame == f"frame {BAD} of source"
        assert failure.cause.startswith(f"ValueError: bad {BAD}; `on_error: skip` cannot continue")
        assert ran.operator("source").skipped == 0
    assert ran.payloads() == BEFORE
    assert ran.operator("source").frames == ran.operator("source").sent == BAD


class Mapped(Source):
    """What a generator gives, and other iterators over it."""

    over: int = param(0, doc="which")

    def frames(self) -> Iterator[Any]:
        """Give what `Source` gives."""
        given = super().frames()
        return [
            map(int, given),
            filter(lambda _: True, given),
            itertools.starmap(lambda _, x: x, enumerate(given)),
            itertools.islice(map(int, given), N),
        ][self.over]


@on_both
@fused
@pytest.mark.parametrize("over", range(4))
def test_a_source_that_draws_from_a_generator(engine: Engine, fuse: bool, over: int) -> None:
    """It ends with the generator, which is not the end of its frames."""
    graph = chain(
        node("source", Mapped, {"n": N, "fail_at": BAD, "over": over}, on_error="skip"),
        node("pass", Pass),
        node("sink", Sink),
    )
    ran = run(graph, engine, fuse=fuse)
    failure = ran.result.failure
    assert failure is not None
    assert failure.cause.startswith(f"ValueError: bad {BAD}; `on_error: skip` cannot continue")
    assert ran.payloads() == BEFORE


@on_both
@tracked
@pytest.mark.parametrize("sink", [Sink, Count])
@fused
def test_a_source_that_goes_on(
    engine: Engine, tracked: bool, sink: type, fuse: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Its frames are numbered without gaps."""
    graph = chain(
        node("source", Fallible, {"n": N, "fail_at": BAD}, on_error="skip"),
        node("pass", Pass),
        node("sink", sink),
    )
    ran = run(graph, engine, fuse=fuse, tracked=tracked)
    check_skipped(ran, caplog, "source")
    assert ran.operator("source").frames == ran.operator("sink").frames == N - 1
    if sink is Sink:
        assert ran.payloads() == WITHOUT
        assert [got.sequence for got in ran.sinks["sink"]] == list(range(N - 1))


# -- other kinds -----------------------------------------------------------------------------


@on_all
@on_error
def test_a_generator(engine: Engine, on_error: Any, caplog: pytest.LogCaptureFixture) -> None:
    """What it gave of the bad frame before it raised stays given."""
    graph = chain(
        node("source", Source, {"n": N}),
        node("bad", Repeat, {"times": 3, "fail_at": BAD}, on_error=on_error),
        node("sink", Sink),
    )
    ran = run(graph, engine)
    expected = [x for x in ALL for _ in range(2 if x == BAD else 3)]
    if on_error == "stop":
        check_failure(ran, "bad")
        assert ran.payloads() == expected[: 3 * BAD + 2]
        assert ran.operator("bad").frames == BAD
    else:
        check_skipped(ran, caplog, "bad")
        assert ran.payloads() == expected
        assert ran.operator("bad").frames == N - 1
    assert ran.flow("source", "bad").dropped["error"] == 1
    assert ran.operator("bad").sent == len(ran.payloads())


@on_all
@on_error
def test_a_join(engine: Engine, on_error: Any, caplog: pytest.LogCaptureFixture) -> None:
    graph = app(
        [
            node("source", Source, {"n": N}),
            node("way", Add, {"amount": 0}),
            node("bad", Join, {"fail_at": BAD}, on_error=on_error),
            node("sink", Sink),
        ],
        [
            flow("source", "way"), flow("source", "bad.a"), flow("way", "bad.b"),
            flow("bad", "sink"),
        ],
    )  # fmt: skip
    ran = run(graph, engine)
    if on_error == "stop":
        check_failure(ran, "bad")
        assert ran.payloads() == [(x, x) for x in BEFORE]
    else:
        check_skipped(ran, caplog, "bad")
        assert ran.payloads() == [(x, x) for x in WITHOUT]
    for source, port in (("source", "a"), ("way", "b")):
        stats = ran.flow(source, f"bad.{port}")
        assert stats.dropped["error"] == 1
        assert stats.delivered == len(ran.payloads())


@on_all
@on_error
def test_a_batch(engine: Engine, on_error: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Of a batch that fails only the message at fault is lost, and it is the one that is named."""
    graph = chain(
        node("source", Source, {"n": N}),
        node("bad", Batch, {"size": 8, "wait": 60.0, "fail_at": BAD}, on_error=on_error),
        node("sink", Sink),
    )
    ran = run(graph, engine)
    assert ran.flow("source", "bad").dropped["error"] == 1
    if on_error == "stop":
        check_failure(ran, "bad")
        assert ran.payloads() == BEFORE
    else:
        told = [r for r in caplog.records if "a batch of 8 failed (ValueError: bad" in r.message]
        assert len(told) == 1
        caplog.records.remove(told[0])
        check_skipped(ran, caplog, "bad")
        assert ran.payloads() == WITHOUT


@everywhere
@on_error
def test_a_sink(
    engine: Engine, fuse: bool, tracked: bool, on_error: Any, caplog: pytest.LogCaptureFixture
) -> None:
    graph = chain(
        node("source", Source, {"n": N}),
        node("pass", Pass),
        node("sink", Sink, {"fail_at": BAD}, on_error=on_error),
    )
    ran = run(graph, engine, fuse=fuse, tracked=tracked)
    if on_error == "stop":
        check_failure(ran, "sink")
        assert ran.payloads() == BEFORE
    else:
        check_skipped(ran, caplog, "sink")
        assert ran.payloads() == WITHOUT


@on_all
@on_error
def test_one_branch_of_several(
    engine: Engine, on_error: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The others get all that was sent."""
    graph = app(
        [
            node("source", Source, {"n": N}),
            node("bad", Pass, {"fail_at": BAD}, on_error=on_error),
            node("good", Pass),
            node("sink", Sink),
            node("other", Sink),
        ],
        [flow("source", "bad"), flow("source", "good"), flow("bad", "sink"), flow("good", "other")],
    )
    ran = run(graph, engine)
    sent = ran.operator("source").sent
    assert ran.payloads("other") == list(range(sent))
    if on_error == "stop":
        check_failure(ran, "bad")
        assert ran.payloads() == BEFORE
        assert ran.flow("source", "bad").dropped["error"] == 1
        assert set(ran.flow("source", "bad").dropped) <= {"error", "stopped"}
    else:
        check_skipped(ran, caplog, "bad")
        assert ran.payloads() == WITHOUT
        assert sent == N


@on_both
def test_behind_a_generator_within_a_stage(engine: Engine) -> None:
    """The message that the generator had not finished counts as stopped, not as its error."""
    graph = chain(
        node("source", Source, {"n": N}),
        node("twice", Repeat, {"times": 2}),
        node("bad", Pass, {"fail_at": BAD}),
        node("sink", Sink),
    )
    ran = run(graph, engine)
    check_failure(ran, "bad")
    assert ran.payloads() == [x for x in BEFORE for _ in range(2)]
    assert "error" not in ran.flow("source", "twice").dropped
    assert ran.flow("source", "twice").delivered == ran.operator("twice").frames == BAD


@on_both
def test_in_a_circle(engine: Engine) -> None:
    """What waits for a message that comes back no more ends, and all before it arrives."""

    class Back(Operator):
        def process(self, x: Any, back: Any = None) -> Any:
            return x

    graph = app(
        [
            node("source", Source, {"n": N}),
            node("loop", Back),
            node("bad", Pass, {"fail_at": BAD}, fuse=False),
            node("sink", Sink),
        ],
        [
            flow("source", "loop"), flow("loop", "bad"), flow("bad", "sink"),
            flow("bad", "loop.back", back_edge=True),
        ],
    )  # fmt: skip
    ran = run(graph, engine)
    check_failure(ran, "bad")
    assert ran.payloads() == BEFORE


@on_both
def test_an_endless_generator_before_it(engine: Engine) -> None:
    """A generator that nobody listens to any more is not asked for more."""

    class Endlessly(Operator):
        def process(self, x: Any) -> Iterator[Any]:
            index = 0
            while True:
                yield index
                index += 1

    graph = chain(
        node("source", Source, {"n": N}),
        node("endless", Endlessly),
        node("bad", Sink, {"fail_at": BAD}, fuse=False),
    )
    ran = run(graph, engine)
    check_failure(ran, "bad", "frame 0 of source")
    assert ran.payloads("bad") == BEFORE


# -- wrong results ---------------------------------------------------------------------------


class WrongType(Operator):
    def process(self, x: Any) -> int:
        return "text" if x == BAD else x  # type: ignore[return-value]


class WrongKey(Operator):
    def process(self, x: Any) -> Halves:
        return {"middle": x} if x == BAD else {"low": x}  # type: ignore[typeddict-unknown-key]


class NoDict(Operator):
    def process(self, x: Any) -> Halves:
        return 7 if x == BAD else {"low": x}  # type: ignore[return-value]


@on_both
@on_error
@fused
@pytest.mark.parametrize(
    ("cls", "output", "cause"),
    [
        (WrongType, "out", "TypeError: output 'out' is declared to give int, but process returned "
         "str"),
        (WrongKey, "low", "TypeError: 'bad' has no output port 'middle'; it has low, high"),
        (NoDict, "low", "TypeError: process returned int, not a dict by the names of the outputs "
         "(low, high)"),
    ],
)  # fmt: skip
def test_wrong_results(
    engine: Engine, on_error: Any, fuse: bool, cls: type, output: str, cause: str,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    graph = app(
        [
            node("source", Source, {"n": N}),
            node("bad", cls, on_error=on_error),
            node("sink", Sink, fuse=False),
        ],
        [flow("source", "bad"), flow(f"bad.{output}", "sink")],
    )
    ran = run(graph, engine, fuse=fuse)
    if on_error == "stop":
        assert ran.result.failure is not None
        assert ran.result.failure.cause == cause
        assert ran.result.failure.operator == "bad"
        assert ran.result.failure.frame == f"frame {BAD} of source"
        assert ran.payloads() == BEFORE
    else:
        assert ran.result.outcome == "done"
        assert ran.payloads() == WITHOUT
        assert ran.operator("bad").skipped == 1
        assert cause in caplog.text
    into = ran.flow("source", "bad")
    assert into.sent == ran.operator("source").sent
    assert into.dropped["error"] == 1
    assert into.delivered == ran.operator("bad").frames == len(ran.payloads())


@on_both
@on_error
def test_a_wrong_result_of_a_source(
    engine: Engine, on_error: Any, caplog: pytest.LogCaptureFixture
) -> None:
    class Wrong(Operator):
        def frames(self) -> Iterator[int]:
            yield from (0, "one", 2)  # type: ignore[misc]

    graph = chain(node("source", Wrong, on_error=on_error), node("sink", Sink, fuse=False))
    ran = run(graph, engine)
    cause = "output 'out' is declared to give int, but frames gave str"
    assert ran.payloads() == ([0] if on_error == "stop" else [0, 2])
    assert ran.operator("source").sent == ran.operator("source").frames == len(ran.payloads())
    if on_error == "stop":
        assert cause in str(ran.result.failure)
    else:
        assert cause in caplog.text


@on_both
@on_error
def test_a_wrong_result_of_a_generator(engine: Engine, on_error: Any) -> None:
    class Wrong(Operator):
        def process(self, x: Any) -> Iterator[int]:
            yield from (x, "two", "three", x)  # type: ignore[misc]

    graph = chain(
        node("source", Source, {"n": 3}),
        node("bad", Wrong, on_error=on_error),
        node("sink", Sink, fuse=False),
    )
    ran = run(graph, engine)
    if on_error == "stop":
        assert ran.result.outcome == "failed"
        assert ran.payloads() == [0]
    else:
        assert ran.payloads() == [0, 0, 1, 1, 2, 2]
        assert ran.operator("bad").skipped == 6
        assert ran.operator("bad").frames == 3


@on_both
@on_error
def test_no_iterator_from_a_generator(
    engine: Engine, on_error: Any, caplog: pytest.LogCaptureFixture
) -> None:
    class Wrong(Operator):
        def process(self, x: Any) -> Iterator[int]:
            return 5 if x == BAD else iter([x])  # type: ignore[return-value]

    graph = chain(
        node("source", Source, {"n": N}),
        node("bad", Wrong, on_error=on_error),
        node("sink", Sink, fuse=False),
    )
    ran = run(graph, engine)
    if on_error == "stop":
        assert ran.result.failure is not None
        assert ran.result.failure.frame == f"frame {BAD} of source"
        assert ran.payloads() == BEFORE
    else:
        assert ran.payloads() == WITHOUT
    assert ran.flow("source", "bad").dropped["error"] == 1


@on_both
@pytest.mark.parametrize("result", [[1, 2, 3], None, 5, iter([]), "1", {"x": 1}])
def test_a_batch_of_wrong_length(engine: Engine, result: Any) -> None:
    class Wrong(Batch):
        def process_batch(self, batch: Any) -> Any:
            return result

    graph = chain(
        node("source", Source, {"n": 20}), node("bad", Wrong, {"size": 4}), node("sink", Sink)
    )
    ran = run(graph, engine)
    assert ran.result.failure is not None
    assert ran.result.failure.operator == "bad"
    assert ran.result.failure.frame == "frame 0 of source"
    assert "process_batch returned " in ran.result.failure.cause
    assert ran.payloads() == []


@on_both
def test_a_batch_that_leaves_a_result_out(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    """Which one can be told only of one message."""

    class Filter(Batch):
        def process_batch(self, batch: Any) -> Any:
            return [x for x in super().process_batch(batch) if x != BAD]

    graph = chain(
        node("source", Source, {"n": N}), node("bad", Filter, {"size": 8}, on_error="skip"),
        node("sink", Sink),
    )  # fmt: skip
    ran = run(graph, engine)
    assert ran.payloads() == WITHOUT
    assert f"skipped frame {BAD} of source" in caplog.text
    assert "process_batch returned 0 results for 1 input; return None in place" in caplog.text


@on_both
def test_a_batch_that_fails_only_as_a_whole(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    """As where memory does not suffice: nothing is lost, and what it costs is told once."""

    class Small(Batch):
        def process_batch(self, batch: Any) -> Any:
            if len(batch) > 1:
                raise MemoryError("too much")
            return super().process_batch(batch)

    graph = chain(
        node("source", Source, {"n": N}), node("small", Small, {"size": 8, "wait": 60.0}),
        node("sink", Sink),
    )  # fmt: skip
    ran = run(graph, engine)
    assert ran.result.outcome == "done"
    assert ran.payloads() == ALL
    assert ran.flow("source", "small").dropped.get("error", 0) == 0
    assert caplog.text.count("a batch of 8 failed (MemoryError: too much)") == 1


@on_both
def test_a_sink_that_returns_something(engine: Engine) -> None:
    class Wrong(Operator):
        def process(self, x: Any) -> None:
            return x  # type: ignore[no-any-return]

    graph = chain(node("source", Source, {"n": 5}), node("bad", Wrong, fuse=False))
    ran = run(graph, engine)
    assert ran.result.failure is not None
    assert "'bad' has no output port 'out'" in ran.result.failure.cause


# -- the worst -------------------------------------------------------------------------------


@on_both
@on_error
@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit])
@pytest.mark.parametrize("place", ["source", "fused", "own", "batch"])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_system_exit_ends_the_run(
    engine: Engine, on_error: Any, error: type[BaseException], place: str
) -> None:
    """It is no error to be skipped, and it does not end the process."""

    class BadSource(Source):
        def frames(self) -> Iterator[Any]:
            yield from range(BAD)
            raise error("enough")

    class BadPass(Operator):
        def process(self, x: Any) -> Any:
            if x == BAD:
                raise error("enough")
            return x

    class BadBatch(Batch):
        def process_batch(self, batch: Any) -> Any:
            if batch[0]["x"] == BAD:
                raise error("enough")
            return super().process_batch(batch)

    bad = {"source": BadSource, "fused": BadPass, "own": BadPass, "batch": BadBatch}[place]
    graph = chain(
        *([] if place == "source" else [node("source", Source, {"n": N})]),
        node("bad", bad, {"size": 1} if place == "batch" else {"n": N} if place == "source" else {},
             on_error=on_error, fuse=None if place == "fused" else False),
        node("sink", Sink),
    )  # fmt: skip
    ran = run(graph, engine)
    assert ran.result.outcome == "failed"
    assert ran.result.failure is not None
    assert ran.result.failure.operator == "bad"
    assert ran.result.failure.cause == f"{error.__name__}: enough"
    assert ran.payloads() == BEFORE


def test_the_message_is_one_line() -> None:
    class Bad(Operator):
        def process(self, x: Any) -> None:
            raise RuntimeError("a\n  b\nc")

    ran = run(chain(node("source", Source), node("bad", Bad)))
    assert ran.result.failure is not None
    assert ran.result.failure.cause == "RuntimeError: a b c"


def test_the_first_failure_counts() -> None:
    graph = app(
        [
            node("source", Source),
            node("a", Pass, {"fail_at": 3}),
            node("b", Pass, {"fail_at": 4}),
        ],
        [flow("source", "a"), flow("source", "b")],
    )
    ran = run(graph)
    assert ran.result.failure is not None
    assert ran.result.failure.operator == "a"


def test_skipped_frames_are_logged_with_what_stamped_set(caplog: pytest.LogCaptureFixture) -> None:
    class Late(Operator):
        def frames(self) -> Iterator[Stamped[Any]]:
            yield Stamped(1, timestamp=77)

    graph = chain(
        node("source", Late), node("bad", Pass, {"fail_at": 1}, on_error="skip"), node("s", Sink)
    )
    run(graph)
    assert "skipped frame 0 of source (timestamp 77 ns): ValueError: bad 1" in caplog.text


def test_skipped_frames_of_lossless_runs_have_equal_headers(
    caplog: pytest.LogCaptureFixture,
) -> None:
    graph = chain(
        node("source", Tick, {"n": N, "period": 1}),
        node("bad", Pass, {"fail_at": BAD}, on_error="skip"),
        node("count", Count),
    )
    run(graph, INLINE, lossless=True)
    assert f"skipped frame {BAD} of source (timestamp {BAD} ns)" in caplog.text


def test_headers_reach_keep(caplog: pytest.LogCaptureFixture) -> None:
    """A skipped frame leaves the numbers of the others as they are."""
    graph = chain(
        node("source", Source, {"n": 10}),
        node("bad", Pass, {"fail_at": 3}, on_error="skip"),
        node("keep", Keep, {"every": 2}),
        node("sink", Sink),
    )
    assert run(graph).payloads() == [0, 2, 4, 6, 8]
