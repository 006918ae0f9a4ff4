"""Operators without state that work on several frames at once."""

from __future__ import annotations

import gc
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from support.copied_operators import (
    Dawdle,
    Die,
    HeavyDawdle,
    HeavyMeet,
    Meet,
    Pictures,
    Refuse,
    Stay,
    Take,
    Tell,
    Where,
)
from support.graphs import (
    EVENT2,
    GREEDY,
    INLINE,
    SCHEDULED,
    Engine,
    Join,
    Sink,
    Source,
    app,
    chain,
    flow,
    node,
    recorded,
    run,
)

from holoflow import Operator
from holoflow.core.errors import HoloflowError
from holoflow.launch.group import children

COPIES = 3
THREADS, PROCESSES = True, False
DAWDLE = {THREADS: HeavyDawdle, PROCESSES: Dawdle}
MEET = {THREADS: HeavyMeet, PROCESSES: Meet}

in_all_ways = pytest.mark.parametrize(
    ("engine", "kind"),
    [(INLINE, THREADS), *((engine, THREADS) for engine in SCHEDULED), (EVENT2, PROCESSES)],
    ids=lambda value: {THREADS: "threads", PROCESSES: "processes"}.get(value, str(value)),
)


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    before = set(children())
    yield
    recorded.clear()
    gc.collect()
    assert set(children()) <= before
    assert "holoflow-copy" not in Path("/proc/self/maps").read_text()


@pytest.mark.parametrize(
    ("engine", "kind"),
    [*((engine, THREADS) for engine in SCHEDULED), (GREEDY, PROCESSES)],
    ids=str,
)
def test_several_calls_go_on_at_once(engine: Engine, kind: bool, tmp_path: Path) -> None:
    """Even where the scheduler has one worker."""
    graph = chain(
        node("source", Source, {"n": 4 * COPIES}, in_flight=COPIES),
        node("meet", MEET[kind], {"folder": str(tmp_path), "size": COPIES}, copies=COPIES),
        node("sink", Sink),
    )
    assert run(graph, engine).payloads() == list(range(4 * COPIES))


@pytest.mark.parametrize("engine", [INLINE, *SCHEDULED], ids=str)
def test_results_keep_their_order(engine: Engine) -> None:
    graph = chain(
        node("source", Source, {"n": 100}),
        node("dawdle", HeavyDawdle, copies=COPIES),
        node("sink", Sink),
    )
    assert run(graph, engine).payloads() == [x for x in range(100) if x % 4 != 3]


@in_all_ways
def test_joined_by_frame_with_what_went_around_it(engine: Engine, kind: bool) -> None:
    """The join learns which frames the copies have sent nothing of."""
    graph = app(
        [node("source", Source, {"n": 60}), node("dawdle", DAWDLE[kind], copies=COPIES),
         node("join", Join), node("sink", Sink)],
        [flow("source", "join.a"), flow("source", "dawdle"), flow("dawdle", "join.b"),
         flow("join", "sink")],
    )  # fmt: skip
    ran = run(graph, engine)
    assert ran.payloads() == [(x, x) for x in range(60) if x % 4 != 3]
    assert ran.flow("source", "join.a").dropped == {"unpaired": 15}


@in_all_ways
def test_a_frame_that_fails_is_skipped_alone(
    engine: Engine, kind: bool, caplog: pytest.LogCaptureFixture
) -> None:
    graph = chain(
        node("source", Source, {"n": 40}),
        node("dawdle", DAWDLE[kind], {"fail_at": 21}, copies=COPIES, on_error="skip"),
        node("sink", Sink),
    )
    ran = run(graph, engine)
    assert ran.payloads() == [x for x in range(40) if x % 4 != 3 and x != 21]
    assert ran.operator("dawdle").skipped == 1
    assert ran.flow("source", "dawdle").dropped == {"error": 1}
    (skipped,) = [r.getMessage() for r in caplog.records if "skipped" in r.getMessage()]
    assert skipped.startswith("skipped frame 21 of source (timestamp ")
    assert skipped.endswith(" ns): ValueError: not this one")


@in_all_ways
def test_nothing_comes_after_the_frame_that_stops_the_run(engine: Engine, kind: bool) -> None:
    graph = chain(
        node("source", Source, {"n": 40}),
        node("dawdle", DAWDLE[kind], {"fail_at": 21}, copies=COPIES),
        node("sink", Sink),
    )
    ran = run(graph, engine)
    failure = ran.result.failure
    assert failure is not None
    assert (failure.operator, failure.frame) == ("dawdle", "frame 21 of source")
    assert ran.payloads() == [x for x in range(21) if x % 4 != 3]


@pytest.mark.parametrize("engine", [GREEDY, EVENT2], ids=str)
def test_a_full_queue_holds_them_up(engine: Engine) -> None:
    """What is done waits for room, and nothing is lost."""

    class Slow(Operator):
        def process(self, x: Any) -> Any:
            time.sleep(0.001)
            return x

    graph = app(
        [node("source", Source, {"n": 80}, in_flight=80),
         node("dawdle", HeavyDawdle, copies=COPIES), node("slow", Slow, fuse=False),
         node("sink", Sink)],
        [flow("source", "dawdle", queue=80), flow("dawdle", "slow", queue=1),
         flow("slow", "sink")],
    )  # fmt: skip
    assert run(graph, engine).payloads() == [x for x in range(80) if x % 4 != 3]


# -- processes -------------------------------------------------------------------------------


def test_payloads_come_back_as_they_went() -> None:
    """Images, arrays, an app's own classes, several outputs, nothing on some, the header."""
    graph = app(
        [node("source", Pictures), node("take", Take, copies=2), node("where", Sink),
         node("arrays", Sink)],
        [flow("source", "take.image"), flow("take.where", "where"),
         flow("take.arrays", "arrays")],
    )  # fmt: skip
    ran = run(graph, EVENT2)
    assert ran.result.failure is None
    got = ran.sinks["where"]
    assert [(one.timestamp, one.metadata) for one in got] == [(n, {"seen": n}) for n in range(10)]
    found = [one.payload for one in got]
    assert all(type(where) is Where for where in found)
    assert os.getpid() not in {where.process for where in found}
    assert len({where.process for where in found}) <= 2
    for number, where in enumerate(found):
        np.testing.assert_array_equal(where.image.data, np.full((64, 48, 3), number, np.uint8))
    even = ran.sinks["arrays"]
    assert [one.sequence for one in even] == [0, 2, 4, 6, 8]
    for one in even:
        large = np.full((100, 100), one.sequence, np.float32)
        np.testing.assert_array_equal(one.payload["large"], large)
        np.testing.assert_array_equal(one.payload["small"], large[:2, :2])


def test_one_that_is_killed_fails_its_frame_and_is_started_again() -> None:
    graph = chain(
        node("source", Source, {"n": 20}), node("die", Die, copies=2, on_error="skip"),
        node("sink", Sink),
    )  # fmt: skip
    ran = run(graph, EVENT2)
    assert ran.payloads() == [x for x in range(20) if x != 7]
    assert ran.operator("die").skipped == 1


def test_one_that_is_killed_stops_the_run() -> None:
    graph = chain(node("source", Source, {"n": 20}), node("die", Die, copies=2), node("sink", Sink))
    ran = run(graph, EVENT2)
    failure = ran.result.failure
    assert failure is not None
    assert (failure.operator, failure.frame) == ("die", "frame 7 of source")
    assert failure.cause == "its process was killed by SIGKILL"
    assert ran.payloads() == list(range(7))


def test_one_that_hangs_is_named_with_its_frame() -> None:
    graph = chain(
        node("source", Source, {"n": 20}), node("stay", Stay, copies=2), node("sink", Sink),
        hang=3.0,
    )  # fmt: skip
    ran = run(graph, EVENT2, every=0.0)
    failure = ran.result.failure
    assert failure is not None
    assert (failure.operator, failure.frame) == ("stay", "frame 7 of source")
    assert failure.cause.startswith("it hangs")
    assert ran.payloads() == list(range(7))


def test_one_that_cannot_start_fails_the_run() -> None:
    graph = chain(node("source", Source), node("refuse", Refuse, copies=2), node("sink", Sink))
    failure = run(graph, EVENT2).result.failure
    assert failure is not None
    assert (failure.operator, failure.frame) == ("refuse", "start")
    assert failure.cause == "RuntimeError: no such thing"
    assert "in start" in str(failure.error.__cause__)  # its traceback there


def test_what_it_tells_comes_back(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "holoflow")
    graph = chain(
        node("source", Source, {"n": 4}), node("tell", Tell, copies=2), node("sink", Sink)
    )
    ran = run(graph, EVENT2)
    logged = [(record.name, record.getMessage()) for record in caplog.records]
    assert [text for name, text in sorted(logged) if name == "holoflow.operator.tell"] == [
        "at 0", "at 1", "at 2", "at 3", "only once (logged once)"
    ]  # fmt: skip
    assert logged.count(("holoflow.elsewhere", "100%")) == 4
    assert sorted(ran.result.last.announcements) == [("page", f"of {x}") for x in range(4)]
    assert ran.operator("tell").dropped == {"device": 8}


def test_what_only_the_run_has_is_an_error() -> None:
    graph = chain(
        node("source", Source), node("tell", Tell, {"use": "snapshot"}, copies=2),
        node("sink", Sink),
    )  # fmt: skip
    failure = run(graph, EVENT2).result.failure
    assert failure is not None
    assert failure.cause.startswith("context.snapshot is not there in a copy")


def test_a_class_that_cannot_be_imported_is_an_error() -> None:
    class Inner(Operator):
        stateless: ClassVar[bool] = True

        def process(self, x: Any) -> Any:
            return x

    graph = chain(node("source", Source), node("inner", Inner, copies=2), node("sink", Sink))
    with pytest.raises(HoloflowError, match=r"operator 'inner' has copies.*set copies: 1"):
        run(graph, EVENT2)
