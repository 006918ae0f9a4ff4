"""Whatever happens in whatever order: each message once, in order, and the counts add up."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.wires import World

from holoflow.stats.counters import SENT

DAILY = (
    "send", "send", "pump", "receive", "receive", "answer", "poll", "take", "settle", "tell",
    "connect", "settle_connection",
)  # fmt: skip
BREAKS = (*DAILY, *DAILY, "cut", "replay")
DEATHS = (*BREAKS, "kill_sender", "send_and_die", "kill_receiver")
AFTER = (*BREAKS, "kill_receiver")
HOSTS = (*DEATHS, "lose_senders_host", "lose_receivers_host")

QUICK = settings(max_examples=60)


def orders(actions, least=40):
    # Short ones reach little; and lists are short unless they must not be.
    return st.lists(st.sampled_from(actions), min_size=least, max_size=80)


def live(world, actions):
    for action in actions:
        getattr(world, action)()
        assert len(world.receiver.backlog) <= 200
        if world.blocks:
            assert len(world.waiting) <= world.queue
            assert world.sender.kept <= world.queue
        else:
            assert world.sender.kept <= 2 * world.queue


def in_order(numbers):
    return all(a < b for a, b in pairwise(numbers))


@pytest.mark.parametrize("shared", [True, False])
class TestFlowThatBlocks:
    @QUICK
    @given(actions=orders(BREAKS), queue=st.integers(1, 3))
    def test_each_arrives_once_whatever_breaks(self, shared, actions, queue):
        world = World(queue=queue, when_full="block", shared=shared)
        live(world, actions)
        world.heal()
        assert world.taken == list(range(1, world.ours[SENT] + 1))
        assert world.stats() == {}
        assert world.sender.kept == 0

    @QUICK
    @given(actions=orders(DEATHS), queue=st.integers(1, 3))
    def test_only_what_the_dead_had_is_lost_and_booked(self, shared, actions, queue):
        world = World(queue=queue, when_full="block", shared=shared)
        live(world, actions)
        world.heal()
        missing = set(range(1, world.ours[SENT] + 1)) - set(world.taken)
        assert in_order(world.taken)
        assert missing <= world.died
        assert world.stats() == ({"crash": len(missing)} if missing else {})

    @QUICK
    @given(actions=orders(HOSTS), queue=st.integers(1, 3))
    def test_it_goes_on_after_the_loss_of_a_host(self, shared, actions, queue):
        world = World(queue=queue, when_full="block", shared=shared)
        live(world, actions)
        world.heal()
        world.stats()
        assert set(range(1, world.ours[SENT] + 1)) - set(world.taken) <= world.died
        before = len(world.taken)
        world.send()
        world.heal()
        assert len(world.taken) == before + 1

    @QUICK
    @given(
        actions=orders(DEATHS),
        queue=st.integers(1, 3),
        after=orders(AFTER, 20),
    )
    def test_it_ends_once_behind_all_that_was_sent(self, shared, actions, queue, after):
        world = World(queue=queue, when_full="block", shared=shared)
        live(world, actions)
        world.end()
        live(world, after)
        assert not (world.ends and world.waiting and not world.receiver.ended)
        world.heal()
        assert world.ends == 1
        assert not world.sender.awaited
        world.stats()


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize(
    "flow",
    [
        {"when_full": "drop_oldest"},
        {"when_full": "drop_newest"},
        {"when_full": "block", "latest": True, "queue": 1},
    ],
    ids=["drop_oldest", "drop_newest", "latest"],
)
class TestFlowThatDrops:
    @QUICK
    @given(actions=orders(DEATHS), queue=st.integers(1, 3))
    def test_the_books_add_up(self, flow, shared, actions, queue):
        world = World(**{"queue": queue, "shared": shared} | flow)
        live(world, actions)
        world.heal()
        assert in_order(world.taken)
        missing = set(range(1, world.ours[SENT] + 1)) - set(world.taken)
        counted = world.stats()
        assert sum(counted.values()) == len(missing)
        assert set(counted) <= {"full", "crash"}

    @QUICK
    @given(actions=orders(BREAKS), queue=st.integers(1, 3))
    def test_without_a_death_nothing_is_booked_as_one(self, flow, shared, actions, queue):
        world = World(**{"queue": queue, "shared": shared} | flow)
        live(world, actions)
        world.heal()
        assert set(world.stats()) <= {"full"}

    @QUICK
    @given(actions=orders(DEATHS), queue=st.integers(1, 3))
    def test_it_ends_once(self, flow, shared, actions, queue):
        world = World(**{"queue": queue, "shared": shared} | flow)
        live(world, actions)
        world.end()
        world.heal()
        assert world.ends == 1
        assert not world.sender.awaited
        world.stats()

    @QUICK
    @given(actions=orders(HOSTS), queue=st.integers(1, 3))
    def test_it_goes_on_after_the_loss_of_a_host(self, flow, shared, actions, queue):
        world = World(**{"queue": queue, "shared": shared} | flow)
        live(world, actions)
        world.heal()
        world.stats()
        before = len(world.taken)
        world.send()
        world.heal()
        assert len(world.taken) == before + 1
