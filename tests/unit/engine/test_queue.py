"""Queues and their statistics."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holoflow.app.format import WhenFull
from holoflow.app.graph import Endpoint
from holoflow.core.message import Header
from holoflow.engine.queue import LatestQueue, Message, Queue
from holoflow.plan.plan import PlannedFlow
from holoflow.stats.counters import RETURNED, TAKEN, CounterBlock, Counters
from holoflow.stats.spans import PathStep

STOP = PathStep("work", "b", "x")


class Waker:
    def __init__(self) -> None:
        self.count = 0

    def wake(self) -> None:
        self.count += 1

    def wake_at(self, due: int) -> None:
        raise AssertionError


def planned(when_full: WhenFull = "block", size: int = 2, latest: bool = False) -> PlannedFlow:
    return PlannedFlow(
        Endpoint("a", "out"), Endpoint("b", "x"), size, when_full,
        fused=False, latest=latest, back_edge=False, link="none",
    )  # fmt: skip


def block() -> CounterBlock:
    return Counters(1).blocks[0]


def message(payload: Any) -> Message:
    return Message(payload, Header(0, 0, "a"), ())


def queue(when_full: WhenFull = "block", size: int = 2) -> Queue:
    made = Queue(planned(when_full, size), STOP, block())
    made.producer, made.consumer = Waker(), Waker()
    return made


def put(q: Queue, *payloads: Any) -> None:
    for payload in payloads:
        q.put(message(payload))


def taken(q: Queue) -> list[Any]:
    return [q.pop().payload for _ in range(len(q.items))]


def test_in_order() -> None:
    q = queue(size=3)
    put(q, 1, 2, 3)
    assert not q.has_room()
    assert taken(q) == [1, 2, 3]
    assert q.has_room()
    with pytest.raises(IndexError):
        q.pop()
    assert q.stats().sent == q.stats().delivered == 3


def test_drop_oldest() -> None:
    q = queue("drop_oldest")
    put(q, 1, 2, 3, 4, 5)
    assert q.has_room()
    assert taken(q) == [4, 5]
    assert q.stats().dropped == {"full": 3}


def test_drop_newest() -> None:
    q = queue("drop_newest")
    put(q, 1, 2, 3, 4, 5)
    assert taken(q) == [1, 2]
    assert q.stats().dropped == {"full": 3}


def test_the_end() -> None:
    q = queue()
    put(q, 1)
    q.close()
    assert not q.ended()
    q.pop()
    assert q.ended()
    assert q.consumer.count == 2  # type: ignore[union-attr]


@pytest.mark.parametrize("when_full", ["block", "drop_oldest", "drop_newest"])
def test_abandoned(when_full: WhenFull) -> None:
    q = queue(when_full)
    put(q, 1, 2)
    q.abandon("stopped")
    assert q.has_room()
    put(q, 3, 4, 5)
    q.abandon("end")  # the first cause counts
    assert q.stats().dropped == {"stopped": 5}
    assert q.stats().waiting == 0
    assert q.producer.count > 0  # type: ignore[union-attr]


def test_rebook() -> None:
    q = queue()
    put(q, 1, 2)
    q.count_dropped("error", q.pop())
    stats = q.stats()
    assert (stats.sent, stats.delivered, stats.waiting, stats.lost) == (2, 0, 1, 1)


def test_only_a_full_queue_wakes_its_producer() -> None:
    q = queue()
    put(q, 1)
    q.pop()
    assert q.producer.count == 0  # type: ignore[union-attr]
    put(q, 2, 3)
    q.pop()
    assert q.producer.count == 1  # type: ignore[union-attr]


def test_a_queue_that_fills_while_its_consumer_takes() -> None:
    """The producer has seen it full, so it must be woken, whoever was first."""
    q = queue()

    class Slow(deque):  # type: ignore[type-arg]
        def popleft(self) -> Any:
            if len(self) == 1:
                q.put(message(2))
                assert not q.has_room()
            return super().popleft()

    q.items = Slow()
    put(q, 1)
    assert q.pop().payload == 1
    assert q.producer.count == 1  # type: ignore[union-attr]


def test_latest() -> None:
    q = LatestQueue(planned(latest=True), STOP, block())
    q.consumer = Waker()
    assert q.newest() == (None, None)
    put(q, 1)
    payload, first = q.newest()
    assert payload == 1
    assert first is not None
    assert first.payload == 1
    assert q.newest() == (1, None)
    put(q, 2, 3)
    assert q.has_room()
    assert q.newest()[0] == 3
    put(q, 4)
    q.abandon("end")
    put(q, 5)
    assert q.newest() == (3, None)
    assert q.consumer.count == 0
    stats = q.stats()
    assert (stats.sent, stats.delivered, dict(stats.dropped)) == (5, 2, {"replaced": 1, "end": 2})


@given(
    st.sampled_from(["block", "drop_oldest", "drop_newest"]), st.integers(1, 4),
    st.lists(st.sampled_from(["put", "put", "take", "rebook", "abandon"]), max_size=40),
)  # fmt: skip
def test_books_add_up_at_any_time(when_full: WhenFull, size: int, steps: list[str]) -> None:
    q = queue(when_full, size)
    model: list[int] = []
    abandoned = False
    for number, step in enumerate(steps):
        if step == "put" and q.has_room():
            put(q, number)
            if abandoned:
                pass
            elif len(model) < size:
                model.append(number)
            elif when_full == "drop_oldest":
                model = [*model[1:], number]
        elif step == "take" and model:
            assert q.pop().payload == model.pop(0)
        elif step == "rebook" and q.counters[TAKEN] > q.counters[RETURNED]:
            q.count_dropped("error", message(number))
        elif step == "abandon":
            q.abandon("stopped")
            abandoned, model = True, []
        assert [m.payload for m in q.items] == model
        assert len(model) <= size
        stats = q.stats()
        assert stats.sent == stats.delivered + stats.lost + stats.waiting
