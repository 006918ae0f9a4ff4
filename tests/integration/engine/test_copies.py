"""Operators without state that work on several frames at once."""

from __future__ import annotations

import random
import threading
import time
from typing import Any, ClassVar

import pytest
from support.graphs import (
    EVENT2,
    GREEDY,
    Engine,
    Join,
    Sink,
    Source,
    app,
    chain,
    flow,
    node,
    on_all,
    on_schedulers,
    run,
)

from holoflow import Operator

COPIES = 3
meeting: threading.Barrier
TEST_RANDOM = random.Random(7)


class Meet(Operator):
    """Returns what comes once as many calls go on as there are copies."""

    stateless: ClassVar[bool] = True

    def process(self, x: Any) -> Any:
        meeting.wait(300)
        return x


class Dawdle(Operator):
    """Takes its time, now more, now less, sends three of four on, and fails where it is told to."""

    stateless: ClassVar[bool] = True
    fail_at: int = -1

    def process(self, x: Any) -> Any:
        time.sleep(0.002 * TEST_RANDOM.random())
        if x == self.fail_at:
            raise ValueError("not this one")
        return None if x % 4 == 3 else x


@pytest.fixture(autouse=True)
def met() -> None:
    global meeting
    meeting = threading.Barrier(COPIES)


@on_schedulers
def test_several_calls_go_on_at_once(engine: Engine) -> None:
    """Even where the scheduler has one worker."""
    graph = chain(
        node("source", Source, {"n": 4 * COPIES}, in_flight=COPIES),
        node("meet", Meet, copies=COPIES),
        node("sink", Sink),
    )
    assert run(graph, engine).payloads() == list(range(4 * COPIES))


@on_all
def test_results_keep_their_order(engine: Engine) -> None:
    graph = chain(
        node("source", Source, {"n": 100}),
        node("dawdle", Dawdle, copies=COPIES),
        node("sink", Sink),
    )
    assert run(graph, engine).payloads() == [x for x in range(100) if x % 4 != 3]


@on_all
def test_joined_by_frame_with_what_went_around_it(engine: Engine) -> None:
    """The join learns which frames the copies have sent nothing of."""
    graph = app(
        [node("source", Source, {"n": 60}), node("dawdle", Dawdle, copies=COPIES),
         node("join", Join), node("sink", Sink)],
        [flow("source", "join.a"), flow("source", "dawdle"), flow("dawdle", "join.b"),
         flow("join", "sink")],
    )  # fmt: skip
    ran = run(graph, engine)
    assert ran.payloads() == [(x, x) for x in range(60) if x % 4 != 3]
    assert ran.flow("source", "join.a").dropped == {"unpaired": 15}


@on_all
def test_a_frame_that_fails_is_skipped_alone(engine: Engine) -> None:
    graph = chain(
        node("source", Source, {"n": 40}),
        node("dawdle", Dawdle, {"fail_at": 21}, copies=COPIES, on_error="skip"),
        node("sink", Sink),
    )
    ran = run(graph, engine)
    assert ran.payloads() == [x for x in range(40) if x % 4 != 3 and x != 21]
    assert ran.operator("dawdle").skipped == 1
    assert ran.flow("source", "dawdle").dropped == {"error": 1}


@on_all
def test_nothing_comes_after_the_frame_that_stops_the_run(engine: Engine) -> None:
    graph = chain(
        node("source", Source, {"n": 40}),
        node("dawdle", Dawdle, {"fail_at": 21}, copies=COPIES),
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
        [node("source", Source, {"n": 80}, in_flight=80), node("dawdle", Dawdle, copies=COPIES),
         node("slow", Slow, fuse=False), node("sink", Sink)],
        [flow("source", "dawdle", queue=80), flow("dawdle", "slow", queue=1),
         flow("slow", "sink")],
    )  # fmt: skip
    assert run(graph, engine).payloads() == [x for x in range(80) if x % 4 != 3]
