"""What the end of a fragment means for its flows."""

from __future__ import annotations

from support.graphs import Pass, Sink, Source, chain, fragment, node

from holoflow.launch.supervisor import count_crash, count_leftovers, end_flows
from holoflow.plan import plan
from holoflow.stats.counters import (
    ARRIVED,
    CLOSED,
    GONE,
    SENT,
    SETTLED,
    TAKEN,
    Counters,
    delivered,
    dropped,
    gone,
    waiting,
)

PLAN = plan(
    chain(
        node("source", Source), node("first", Pass), node("second", Pass), node("sink", Sink),
        fragments=[
            fragment("a", "source"), fragment("b", "first", "second"), fragment("c", "sink"),
        ],
    ),
    fuse=False,
)  # fmt: skip
INTO, WITHIN, OUT = range(3)


def under_way() -> Counters:
    """Ten messages sent, of which the middle fragment has one in hand, one waiting inside."""
    counters = Counters.of(PLAN)
    into, within, out = counters.blocks
    into[SENT], into[ARRIVED], into[TAKEN], into[SETTLED] = 10, 8, 7, 6
    within[SENT], within[TAKEN], within[SETTLED] = 6, 5, 5
    out[SENT], out[ARRIVED], out[TAKEN], out[SETTLED] = 5, 5, 4, 4
    return counters


def test_what_a_dead_process_had_is_lost_and_what_it_had_not_is_not() -> None:
    counters = under_way()
    count_crash(PLAN, counters, "b")
    into, within, out = counters.blocks
    assert (delivered(into), dropped(into), waiting(into)) == (6, {"crash": 2}, 2)
    assert (delivered(within), dropped(within), waiting(within)) == (5, {"crash": 1}, 0)
    assert (delivered(out), dropped(out), waiting(out)) == (4, {}, 1)
    assert not into[GONE]
    assert not out[CLOSED]
    before = [list(block) for block in counters.blocks]
    count_crash(PLAN, counters, "b")
    assert [list(block) for block in counters.blocks] == before


def test_who_does_not_come_back_takes_nothing_and_sends_nothing() -> None:
    counters = under_way()
    assert end_flows(PLAN, counters, "b", "crash") == (INTO, WITHIN, OUT)
    assert counters.blocks[INTO][GONE] == gone("crash")
    assert counters.blocks[OUT][CLOSED] == 1
    assert counters.blocks[OUT][GONE] == 0
    assert end_flows(PLAN, counters, "b", "stopped") == ()
    assert counters.blocks[INTO][GONE] == gone("crash")


def test_at_the_end_the_books_add_up() -> None:
    counters = under_way()
    count_crash(PLAN, counters, "b")
    end_flows(PLAN, counters, "b", "crash")
    count_leftovers(PLAN, counters, "stopped")
    assert [dropped(block) for block in counters.blocks] == [
        {"crash": 4},
        {"crash": 1},
        {"stopped": 1},
    ]
    assert all(waiting(block) == 0 for block in counters.blocks)
