"""Joins by frame, without any stage."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.marked_queues import make, put

from holoflow.engine.by_frame import ByFrame
from holoflow.engine.queue import Queue
from holoflow.stats.counters import ARRIVED, SENT


def drain(join: ByFrame) -> list[tuple[Any, ...]]:
    taken = []
    while join.ready():
        taken.append(tuple(join.pop().arguments.values()))
    return taken


def pair(optional: bool = False, **fields: Any) -> tuple[ByFrame, Queue, Queue]:
    a, b = make("a", **fields), make("b", **fields)
    return ByFrame({"a": a, "b": b}, frozenset("b" if optional else ""), {}, {}), a, b


def test_only_messages_of_one_frame_are_joined() -> None:
    join, a, b = pair(several=False)
    for frame in range(4):
        put(a, frame)
    put(b, 1)
    put(b, 3)
    assert drain(join) == [("a1", "b1"), ("a3", "b3")]
    assert a.stats().dropped == {"unpaired": 2}
    assert (a.stats().delivered, b.stats().delivered) == (2, 2)


def test_a_frame_waits_until_it_is_known_that_nothing_comes() -> None:
    join, a, b = pair()
    put(a, 0)
    put(a, 1)
    assert not join.ready()
    assert join.waits_for() == "'b' from of_b.out (0 processed) for frame 0 of cam"
    b.mark(1)
    assert not join.ready()
    assert a.stats().dropped == {"unpaired": 1}
    assert join.passed() == 1
    put(b, 1)
    assert drain(join) == [("a1", "b1")]


def test_an_optional_input_gives_none() -> None:
    join, a, b = pair(optional=True)
    put(a, 0)
    put(a, 1)
    b.mark(1)
    put(b, 1)
    assert drain(join) == [("a0", None), ("a1", "b1")]
    put(b, 2)
    a.mark(3)
    assert drain(join) == []
    assert b.stats().dropped == {"unpaired": 1}


def test_a_watermark_holds_once_all_that_it_speaks_of_has_come() -> None:
    join, a, b = pair()
    b.inlet = object()  # type: ignore[assignment]
    put(a, 0)
    b.counters[SENT] = 1
    b.mark(1)
    assert not join.ready()
    assert a.stats().dropped == {}
    b.counters[ARRIVED] = 1  # and was lost on the way
    assert not join.ready()
    assert a.stats().dropped == {"unpaired": 1}


@pytest.mark.parametrize("lossy", ["drop_oldest", "drop_newest"])
def test_what_is_dropped_at_a_queue_has_no_partner(lossy: Any) -> None:
    join, a, b = pair(when_full=lossy, queue=1)
    for frame in range(3):
        put(a, frame)
    put(b, 2)
    a.mark(3)
    b.mark(3)
    kept = 2 if lossy == "drop_oldest" else 0
    assert drain(join) == ([("a2", "b2")] if kept == 2 else [])
    join.release("end")
    for queue in (a, b):
        stats = queue.stats()
        assert stats.sent == stats.delivered + stats.lost + stats.waiting


def test_it_ends_with_an_input_that_is_needed() -> None:
    join, a, b = pair(optional=True)
    put(a, 0)
    b.close()
    assert drain(join) == [("a0", None)]
    assert not join.ended()
    a.close()
    assert join.ended()


frames = st.lists(st.integers(0, 2), min_size=6, max_size=6)


@given(frames, frames, st.booleans(), st.randoms())
def test_any_order_gives_the_same_pairs(
    of_a: list[int], of_b: list[int], optional: bool, random: Any
) -> None:
    """Whatever comes first: the j-th of each frame, the last again where one brings fewer."""
    join, a, b = pair(optional=optional)
    steps = {
        "a": [(f, j) for f, n in enumerate(of_a) for j in [*range(n), -1]],
        "b": [(f, j) for f, n in enumerate(of_b) for j in [*range(n), -1]],
    }
    joined = []
    while steps["a"] or steps["b"]:
        side = random.choice([side for side, left in steps.items() if left])
        queue = a if side == "a" else b
        frame, j = steps[side].pop(0)
        if j < 0:
            queue.mark(frame + 1)
        else:
            put(queue, frame, (side, frame, j))
        joined += drain(join)
    expected = [
        (("a", frame, min(j, m - 1)), ("b", frame, min(j, n - 1)) if n else None)
        for frame, (m, n) in enumerate(zip(of_a, of_b, strict=True))
        for j in range(max(m, n) if m and (n or optional) else 0)
    ]
    assert joined == expected
    assert join.passed() == 6
    for queue, sent in ((a, sum(of_a)), (b, sum(of_b))):
        stats = queue.stats()
        assert (stats.sent, stats.waiting) == (sent, 0)
        assert stats.sent == stats.delivered + stats.lost
