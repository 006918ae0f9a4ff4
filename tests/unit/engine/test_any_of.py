"""Inputs of which any calls, without any stage."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from support.marked_queues import make, put

from holoflow.engine.any_of import InOrder, InTurn
from holoflow.engine.queue import Queue


def drain(inputs: InOrder | InTurn) -> list[Any]:
    taken = []
    while inputs.ready():
        taken += inputs.pop().arguments.values()
    return taken


def test_what_may_still_come_earlier_is_waited_for() -> None:
    a, b = make("a"), make("b")
    inputs = InOrder({"a": a, "b": b}, {})
    put(a, 1)
    put(a, 2)
    assert drain(inputs) == []
    assert inputs.waits_for() == "'b' from of_b.out (0 processed) for frame 1 of cam"
    b.mark(1)
    assert (drain(inputs), inputs.passed()) == (["a1"], 1)  # the rest of 1 may come to a
    a.mark(2)
    assert drain(inputs) == []
    put(b, 1)
    assert (drain(inputs), inputs.passed()) == (["b1"], 1)
    b.close()
    assert (drain(inputs), inputs.ended()) == (["a2"], False)
    a.close()
    assert inputs.ended()


def test_the_rest_of_a_frame_finds_room() -> None:
    a, b = make("a"), make("b", queue=1)
    inputs = InOrder({"a": a, "b": b}, {})
    put(b, 0, "first")
    assert (drain(inputs), b.has_room()) == ([], True)
    put(b, 0, "second")
    a.mark(1)
    assert drain(inputs) == ["first", "second"]


@given(st.data())
def test_the_order_is_the_same_however_they_come(data: Any) -> None:
    frames = data.draw(st.lists(st.integers(0, 2), max_size=20))
    queues = [make(port, several=False) for port in "abc"]
    inputs = InOrder({queue.flow.target.port: queue for queue in queues}, {})
    came = [0, 0, 0]
    taken = []
    while min(came) < len(frames):
        way = data.draw(st.sampled_from([i for i in range(3) if came[i] < len(frames)]))
        if frames[came[way]] == way:
            put(queues[way], came[way], came[way])
        came[way] += 1
        queues[way].mark(came[way])
        taken += drain(inputs)
    assert taken == list(range(len(frames)))
    assert sum(queue.stats().delivered for queue in queues) == len(frames)


def in_turn(number: Any) -> tuple[InTurn, Queue, Queue]:
    a, b = make("a"), make("b")
    return InTurn({"a": a, "b": b}, {}, "merge", number), a, b


def test_inputs_take_turns_and_numbers_go_on_in_a_successor() -> None:
    number = memoryview(bytearray(8)).cast("q")
    inputs, a, b = in_turn(number)
    for frame in range(3):
        put(a, frame)
    put(b, 0)
    assert drain(inputs) == ["a0", "b0", "a1", "a2"]
    assert inputs.passed() == 4
    successor, a, b = in_turn(number)
    put(b, 9)
    assert successor.ready()
    header = successor.pop().header
    assert (header.source, header.sequence) == ("merge", 4)
    assert header.metadata == {"from": {"source": "cam", "sequence": 9}}
