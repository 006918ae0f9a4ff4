"""Counter blocks whose writer has died between any two writes."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.marked_queues import make, put

from holoflow.engine.by_frame import ByFrame
from holoflow.engine.queue import Queue
from holoflow.stats import counters
from holoflow.stats.counters import (
    ARRIVED,
    PASSED,
    RETURNED,
    SENT,
    SETTLED,
    TAKEN,
    WANTS_MORE,
    WANTS_ROOM,
    WATERMARK,
    WIDTH,
    consumer_died,
    delivered,
    drop,
    dropped,
    flow_over,
    gone,
    lost,
    producer_died,
    queued,
    waiting,
)


class DeathError(Exception):
    """What a process dies of."""


class Life:
    """How many integers a process writes before it dies."""

    def __init__(self, writes: int) -> None:
        self.writes = writes


class MortalRow(list[int]):
    """Counts of a process that dies before it writes the next one."""

    def __init__(self, life: Life) -> None:
        super().__init__([0] * WIDTH)
        self.life = life

    def __setitem__(self, at: Any, value: Any) -> None:
        if self.life.writes == 0:
            raise DeathError
        self.life.writes -= 1
        super().__setitem__(at, value)


class Consumer:
    """What the process of a consumer writes, in its order, and what is true besides."""

    def __init__(self, block: Any) -> None:
        self.counters = block
        self.queue: deque[int] = deque()
        self.finished = 0
        self.hand = 0
        self.failed = 0

    def arrive(self, lost_before: int) -> None:
        number = self.counters[ARRIVED] + lost_before + 1
        if number > self.counters[SENT]:
            return
        self.counters[ARRIVED] = number
        if lost_before:
            drop(self.counters, "full", lost_before)
        self.queue.append(number)

    def take(self) -> None:
        if self.queue:
            self.counters[TAKEN] += 1
            self.queue.popleft()
            self.hand += 1

    def fail(self) -> None:
        if self.hand:
            self.counters[RETURNED] += 1
            self.hand -= 1
            self.failed += 1
            drop(self.counters, "error")

    def drop(self) -> None:
        if self.queue:
            self.queue.popleft()
            drop(self.counters, "full")

    def settle(self) -> None:
        self.counters[SETTLED] = self.counters[TAKEN]
        self.finished += self.hand
        self.hand = self.failed = 0


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send")),
        st.tuples(st.just("arrive"), st.integers(0, 3)),
        st.sampled_from([("take",), ("fail",), ("drop",), ("settle",), ("sleep",)]),
    ),
    max_size=60,
)
LOSSLESS = STEPS.map(lambda steps: [(s[0], 0) if s[0] == "arrive" else s for s in steps]).map(
    lambda steps: [s for s in steps if s[0] != "drop"]
)


def die(steps: list[tuple[Any, ...]], writes: int) -> tuple[Any, Consumer]:
    block = MortalRow(Life(writes))
    consumer = Consumer(block)
    try:
        for name, *arguments in steps:
            if name == "send":
                list.__setitem__(block, SENT, block[SENT] + 1)  # of another process, which lives
            elif name == "sleep":
                block[WANTS_MORE] = 1
            else:
                getattr(consumer, name)(*arguments)
    except DeathError:
        pass
    return list(block), consumer


@given(STEPS, st.integers(0, 200))
def test_what_a_dead_consumer_had_is_booked(steps: list[Any], writes: int) -> None:
    block, consumer = die(steps, writes)
    before = dropped(block)
    consumer_died(block, resent=False)
    assert queued(block) == 0
    assert waiting(block) == block[SENT] - block[ARRIVED]
    assert block[SENT] == delivered(block) + lost(block) + waiting(block)
    # What failed since all was settled last may be counted as lost twice, never as delivered.
    assert consumer.finished - consumer.failed <= delivered(block) <= consumer.finished
    assert all(dropped(block).get(cause, 0) >= count for cause, count in before.items())
    assert min(block) >= 0
    assert block[WANTS_MORE] == 0
    again = list(block)
    consumer_died(again, resent=False)
    assert again == block
    flow_over(block)
    assert waiting(block) == 0
    assert block[SENT] == delivered(block) + lost(block)


@given(LOSSLESS, st.integers(0, 200))
def test_what_is_sent_again_is_under_way_again(steps: list[Any], writes: int) -> None:
    block, consumer = die(steps, writes)
    consumer_died(block, resent=True)
    assert all(number > block[ARRIVED] for number in consumer.queue)
    assert queued(block) == 0
    assert waiting(block) == block[SENT] - block[ARRIVED]
    again = list(block)
    consumer_died(again, resent=True)
    assert again == block
    while block[ARRIVED] < block[SENT]:  # its successor
        block[ARRIVED] += 1
        block[TAKEN] += 1
    assert waiting(block) == 0
    assert block[SENT] == delivered(block) + lost(block)


def send(queue: Queue, number: MortalRow, counts: list[int], *, source: bool) -> None:
    """Send so many messages of each frame, from `number` on, as a source or an operator does."""
    if source:
        queue.mark(number[0])
    while number[0] < len(counts):
        frame = number[0]
        number[0] = frame + 1  # of an operator, that it has taken the frame
        for _ in range(counts[frame]):
            assert frame >= queue.counters[WATERMARK]  # else it was said that it never comes
            put(queue, frame, frame)
        queue.mark(frame + 1)
    queue.mark(len(counts))  # nothing waits at its input


@given(
    counts=st.lists(st.integers(0, 2), max_size=8),
    lives=st.lists(st.integers(0, 12), max_size=4),
    source=st.booleans(),
)
def test_a_join_waits_for_nothing_that_a_dead_producer_has_not_sent(
    counts: list[int], lives: list[int], *, source: bool
) -> None:
    life = Life(0)
    block, number = MortalRow(life), MortalRow(life)
    whole, mortal = make("whole"), make("mortal")
    join = ByFrame({"whole": whole, "mortal": mortal}, frozenset(), {}, {})
    for frame in range(len(counts)):
        put(whole, frame)
    whole.mark(len(counts))
    joined: list[int] = []
    came: list[int] = []
    for life.writes in [*lives, 1000]:
        process = make("mortal", block)
        with suppress(DeathError):
            send(process, number, counts, source=source)
        mortal.counters[WATERMARK] = block[WATERMARK]
        for message in process.items:
            came.append(message.payload)
            mortal.put(message)
        while join.ready():
            joined.append(join.pop().arguments["mortal"])
    assert joined == came == sorted(came)
    assert not whole.items
    assert whole.stats().dropped.get("unpaired", 0) == len(counts) - len(set(came))


def block_of(**counts: int) -> Any:
    block = [0] * WIDTH
    for name, count in counts.items():
        block[getattr(counters, name)] = count
    return block


def test_in_hand_and_in_the_queue() -> None:
    block = block_of(SENT=10, ARRIVED=8, TAKEN=5, SETTLED=3)
    consumer_died(block, resent=False)
    assert (delivered(block), dropped(block), waiting(block)) == (3, {"crash": 5}, 2)


def test_only_what_was_in_hand_where_the_queue_is_sent_again() -> None:
    block = block_of(SENT=10, ARRIVED=8, TAKEN=5, SETTLED=3)
    consumer_died(block, resent=True)
    assert (block[ARRIVED], delivered(block), dropped(block), waiting(block)) == (
        5,
        3,
        {"crash": 2},
        5,
    )


def test_a_producer_that_died_will_pass_on_nothing_more() -> None:
    block = block_of(SENT=10, PASSED=9, WANTS_ROOM=1)
    producer_died(block)
    assert (block[PASSED], block[WANTS_ROOM]) == (10, 0)


@pytest.mark.parametrize(("said", "counted"), [(0, "full"), (gone("error"), "error")])
def test_what_never_arrives_is_booked_as_the_consumer_said(said: int, counted: str) -> None:
    block = block_of(SENT=10, ARRIVED=8, TAKEN=8, GONE=said)
    flow_over(block, "full")
    assert (block[ARRIVED], dropped(block), waiting(block)) == (10, {counted: 2}, 0)
    flow_over(block, "full")
    assert dropped(block) == {counted: 2}
