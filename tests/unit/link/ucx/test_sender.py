"""The sending end of a flow: when a message may go."""

from dataclasses import replace

import pytest
from support.graphs import Sink, Source, chain, fragment, node

from holoflow.link.ends import LinkedFlow
from holoflow.link.ucx.control import Answer, Ask, Closed, UcxProgress
from holoflow.link.ucx.sender import UcxSender
from holoflow.plan import plan
from holoflow.stats.counters import ARRIVED, CLOSED, GONE, TAKEN, Counters, drop, gone


class World:
    def __init__(self, *, near=True, **flow):
        graph = chain(
            node("source", Source), node("sink", Sink),
            fragments=[fragment("a", "source"), fragment("b", "sink")],
        )  # fmt: skip
        whole = plan(replace(graph, flows=(replace(graph.flows[0], link="ucx", **flow),)))
        self.counters = Counters.of(whole).blocks[0]
        self.far = Counters.of(whole).blocks[0]
        self.woken = 0
        self.said = []
        self.end = UcxSender(
            LinkedFlow(0, whole.flows[0], "a", "b", self.counters), self, near=near
        )
        self.end.send_frame = self.said.append

    def wake(self):
        self.woken += 1

    def send(self, *numbers):
        for number in numbers:
            self.end.send([number], b"", [])

    def state(self, received, *, listening=True, closed=False):
        block = tuple(self.far[ARRIVED:])
        self.end.receive(UcxProgress(received, listening, closed, block))

    def next(self):
        ucx_frame = self.end.next()
        return None if ucx_frame is None else ucx_frame.number


def test_the_next_goes_when_the_one_before_has_come():
    world = World(queue=5)
    world.send(1, 2)
    world.state(0, listening=False)
    assert world.next() is None
    world.state(0)
    assert world.next() == 1
    assert world.next() is None
    world.state(0)
    assert world.next() is None
    world.state(1)
    assert world.next() == 2
    assert world.next() is None


def test_a_state_that_says_less_takes_nothing_back():
    world = World(queue=5)
    world.send(1, 2)
    world.state(0)
    assert world.next() == 1
    world.state(1)
    world.state(-1)
    assert world.next() == 2


@pytest.mark.parametrize(
    ("when_full", "left"),
    [("block", [1, 2, 3, 4]), ("drop_oldest", [3, 4]), ("drop_newest", [1, 2])],
)
def test_what_finds_no_room(when_full, left):
    world = World(queue=2, when_full=when_full)
    world.send(1, 2, 3, 4)
    gone_on = []
    world.state(0)
    while (number := world.next()) is not None:
        gone_on.append(number)
        world.state(number)
    assert gone_on == left


def test_the_end_is_told_behind_the_last_message():
    world = World(queue=5, when_full="drop_newest")
    world.send(1, 2)
    world.end.close()
    world.state(0)
    assert world.next() == 1
    world.state(1)
    assert world.said == []
    assert world.next() == 2
    world.state(2)
    assert world.said == [Closed(2)]
    world.end.close()
    world.state(2, closed=True)
    assert world.said == [Closed(2)]
    assert world.end.done


def test_nothing_was_sent():
    world = World()
    world.end.close()
    assert world.said == [Closed(0)]


def test_numbers_that_were_left_out():
    world = World(queue=1, when_full="drop_newest")
    world.send(1, 2, 0)
    world.state(0)
    assert world.next() == 1
    world.end.close()
    world.state(1)
    assert world.said == [Closed(2)]  # the other end counts 2


def test_nobody_takes_anything_any_more():
    world = World(queue=5)
    world.send(1, 2, 3)
    world.state(0)
    assert world.next() == 1
    world.counters[GONE] = gone("stopped")
    world.state(1)
    assert world.next() is None
    assert world.said == [Closed(3)]
    world.send(4)
    assert world.next() is None


def test_counts_of_another_host():
    world = World(near=False, queue=5)
    world.far[TAKEN] = world.far[ARRIVED] = 7
    drop(world.far, "late", 2)
    world.state(7)
    assert world.counters[ARRIVED:] == world.far[ARRIVED:]
    assert not world.counters[CLOSED]
    assert world.woken == 1


def test_counts_of_this_host_are_there_already():
    world = World(near=True)
    world.far[TAKEN] = 7
    world.state(7)
    assert world.counters[TAKEN] == 0


def test_what_time_it_is():
    world = World()
    world.end.receive(Ask(5))
    (answer,) = world.said
    assert isinstance(answer, Answer)
    assert answer.asked == 5
    assert 0 < answer.arrived <= answer.left
