"""What the two ends do, one thing at a time."""

import pytest
from support.wires import World, linked

from holoflow.link.zeromq.frames import FlowMessage
from holoflow.link.zeromq.receiver_state import ReceiverState
from holoflow.link.zeromq.sender_state import SenderState
from holoflow.link.zeromq.settings import AppIdentity, Timing
from holoflow.stats.counters import (
    ARRIVED,
    CLOSED,
    GONE,
    RETURNED,
    SENT,
    TAKEN,
    Counters,
    consumer_counters,
    counts,
    drop,
    dropped,
    finished,
    mirror,
    producer_died,
    waiting,
)


def message(number, size=1):
    return FlowMessage(number, b"", (), size)


def sender(block, window=0, **flow):
    return SenderState(linked(block, **flow), AppIdentity("app", "digest", "here"), 1, window)


@pytest.fixture
def block():
    return Counters(1).blocks[0]


@pytest.fixture
def joined():
    """Return a function that makes a world whose ends have met."""

    def make(**options):
        world = World(**{"queue": 2, "when_full": "block", "shared": False} | options)
        world.settle_connection()
        return world

    return make


def send(world, count):
    for _ in range(count):
        world.send()


def test_what_was_received_is_not_sent_again(joined):
    world = joined()
    send(world, 2)
    world.pump()
    world.receive()
    world.cut()
    world.settle_connection()
    world.pump()
    assert [what.number for what in world.to_receiver if isinstance(what, FlowMessage)] == [2]


def test_only_what_is_sent_again_counts_as_retried(joined):
    world = joined(queue=4)
    send(world, 3)
    world.pump()
    world.receive()
    assert counts(world.ours)["retried"] == 0
    world.cut()
    world.heal()
    assert counts(world.ours)["retried"] == 2
    send(world, 1)
    world.heal()
    assert counts(world.ours)["retried"] == 2
    assert world.taken == [1, 2, 3, 4]


def test_counts_are_known_as_soon_as_the_ends_have_met(joined):
    world = joined()
    send(world, 2)
    world.heal()
    world.cut()
    block = list(world.ours)
    world.ours[TAKEN] = world.ours[ARRIVED] = 0
    world.settle_connection()
    assert list(world.ours) == block


def test_a_host_that_is_lost_leaves_its_counts_to_the_next(joined):
    world = joined()
    send(world, 2)
    world.heal()
    world.lose_receivers_host()
    send(world, 1)
    world.heal()
    assert world.stats() == {}
    assert world.theirs[TAKEN] == 3


def test_what_a_lost_host_had_in_hand_is_booked(joined):
    world = joined()
    send(world, 2)
    world.pump()
    for _ in range(2):
        world.receive()
    world.poll()
    world.take()
    world.tell()
    world.answer()
    world.lose_receivers_host()
    world.heal()
    assert world.stats() == {"crash": 1}
    assert world.taken == [2]


def test_a_restarted_receiver_of_a_flow_that_drops_books_its_queue(block):
    block[SENT], block[ARRIVED], block[TAKEN] = 5, 4, 2
    ReceiverState(linked(block, when_full="drop_oldest"), "here", 0.0)
    assert dropped(block) == {"crash": 2}
    assert finished(block) == block[ARRIVED]


def test_a_receiver_killed_between_a_drop_and_its_number_counts_on_right(block):
    block[SENT], block[ARRIVED] = 5, 2
    drop(block, "full", 3)
    ReceiverState(linked(block, when_full="drop_oldest"), "here", 0.0)
    assert block[ARRIVED] == 3
    assert dropped(block) == {"full": 3}


@pytest.mark.parametrize(("when_full", "kept"), [("drop_oldest", [4, 5]), ("drop_newest", [1, 2])])
def test_without_a_receiver_only_the_queue_is_kept(block, when_full, kept):
    end = sender(block, when_full=when_full)
    for number in range(1, 6):
        end.push(message(number))
    assert [kept.number for kept in end._unsent] == kept


def test_a_latest_input_is_kept_the_newest_only(block):
    end = sender(block, queue=1, latest=True)
    for number in range(1, 4):
        end.push(message(number))
    assert [kept.number for kept in end._unsent] == [3]


def test_a_flow_that_drops_has_its_window_under_way(joined):
    world = joined(when_full="drop_oldest")
    world.sender._window = 10
    for number in range(1, 9):
        world.ours[SENT] = number
        world.sender.push(message(number, 3))
        world.pump()
    assert [what.number for what in world.to_receiver] == [1, 2, 3]
    assert world.sender.kept == 5


def test_what_is_larger_than_the_window_goes_by_the_queue(joined):
    world = joined(when_full="drop_oldest")
    for number in range(1, 5):
        world.ours[SENT] = number
        world.sender.push(message(number, 100))
        world.pump()
    assert [what.number for what in world.to_receiver] == [1, 2]


def test_the_newest_that_was_dropped_is_booked_without_a_next_one(joined):
    world = joined(when_full="drop_newest", queue=1)
    send(world, 5)
    world.heal()
    assert world.stats() == {"full": 4}


def test_a_receiver_that_is_gone_is_sent_nothing(joined):
    world = joined()
    send(world, 2)
    world.theirs[GONE] = 1
    world.tell()
    world.answer()
    assert world.ours[GONE] == 1
    assert world.sender.kept == 0
    world.ours[SENT] += 1
    world.sender.push(message(3))
    assert world.sender.kept == 0
    world.end()
    assert not world.sender.awaited


@pytest.mark.parametrize("shared", [True, False])
def test_a_sender_that_leaves_waits_until_all_has_arrived(joined, shared):
    world = joined(shared=shared)
    send(world, 1)
    assert not world.sender.awaited
    world.sender.leave()
    assert world.sender.awaited
    world.pump()
    world.receive()
    world.poll()
    world.tell()
    world.answer()
    assert not world.sender.awaited
    assert world.ends == 0


def test_the_end_of_an_empty_stream_is_told_too(joined):
    world = joined()
    world.end()
    assert world.sender.awaited
    world.heal()
    assert (world.ends, world.sender.awaited) == (1, False)


def test_a_stream_whose_sender_is_gone_ends_after_a_while(block):
    timing = Timing()
    block[SENT], block[CLOSED] = 3, 1
    end = ReceiverState(linked(block, when_full="drop_oldest"), "here", 0.0)
    end.poll(timing.silence * 2, timing, alone=True)
    assert not end.ended
    end.poll(timing.orphaned + 1, timing, alone=True)
    assert end.ended
    end.deliver(World(queue=2, when_full="block", shared=True))
    assert dropped(block) == {"crash": 3}


def test_a_stream_that_was_complete_ends_sooner(block):
    timing = Timing()
    block[CLOSED] = 1
    end = ReceiverState(linked(block), "here", 0.0)
    end.poll(timing.silence + 1, timing, alone=True)
    assert end.ended


def test_a_stream_whose_sender_has_died_for_good_ends_once_all_is_read(block):
    block[SENT], block[CLOSED] = 3, 1
    producer_died(block)
    end = ReceiverState(linked(block), "here", 0.0)
    end.poll(0.1, Timing(), alone=False)
    assert not end.ended
    end.poll(0.1, Timing(), alone=True)
    assert end.ended
    end.deliver(World(queue=2, when_full="block", shared=True))
    assert dropped(block) == {"crash": 3}


def test_a_second_sender_is_refused_while_the_first_is_there(joined):
    world = joined()
    first = world.sender.hello()
    other = AppIdentity("app", "digest", "elsewhere")
    second = SenderState(linked(Counters(1).blocks[0]), other, 7).hello()
    assert world.receiver.conflict(first, alive=True) == ""
    assert "another sender of camera.out -> view.image is connected" in world.receiver.conflict(
        second, alive=True
    )
    assert world.receiver.conflict(second, alive=False) == ""


def test_a_new_process_takes_the_place_of_the_old_for_good(joined):
    world = joined()
    old = world.sender.hello()
    world.start_sender()
    assert world.receiver.conflict(world.sender.hello(), alive=True) == ""
    world.settle_connection()
    world.receiver.greet(world.sender.hello(), 0.0)
    assert "another process has taken its place" in world.receiver.conflict(old, alive=False)


def test_who_comes_after_the_end_is_refused(joined):
    world = joined()
    world.end()
    world.heal()
    assert world.receiver.conflict(world.sender.hello(), alive=True) == ""
    world.start_sender()
    assert "has ended" in world.receiver.conflict(world.sender.hello(), alive=True)
    assert world.receiver.take(message(1), 0.0) == "after the end"


def test_more_than_any_of_ours_sends_is_not_kept(block):
    end = ReceiverState(linked(block), "here", 0.0)
    said = [end.take(message(number, 8 << 20), 0.0) for number in range(1, 20)]
    assert "without room" in said
    assert len(end.backlog) < 12


class Spy:
    """A block that notes how many messages seemed to wait after each write."""

    def __init__(self, block):
        self.counters, self.seen = block, []

    def __getitem__(self, at):
        return self.counters[at]

    def __setitem__(self, at, count):
        self.counters[at] = count
        self.seen.append(waiting(self.counters))


def test_there_never_seems_to_be_more_room_than_there_is(block):
    theirs = Counters(1).blocks[0]
    theirs[ARRIVED] = theirs[TAKEN] = 4
    theirs[RETURNED] = 2
    drop(theirs, "error", 2)
    block[SENT], block[TAKEN] = 4, 2
    spy = Spy(block)
    assert mirror(spy, consumer_counters(theirs))
    assert (min(spy.seen), spy.seen[-1]) == (0, 0)
    assert not mirror(block, consumer_counters(theirs))
