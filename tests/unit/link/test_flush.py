"""Who waits at its end until what it has sent was taken."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from support.graphs import App, Sink, Source, chain, fragment, node
from support.loopback import Loopback

from holoflow.link.links import Links
from holoflow.plan import plan
from holoflow.stats.counters import CLOSED, GONE, SENT, SETTLED, TAKEN, Counters, gone


@pytest.fixture(params=["shared_memory", "zeromq"])
def sender(request):
    """Links with a flow that has one message under way, and its block."""
    made = plan(two_parts(request.param))
    (flow,) = [flow for flow in made.flows if flow.link != "none"]
    assert flow.link == request.param
    links = Links(made, Counters.of(made), {request.param: Loopback()})
    links.outlet(links.groups([flow])[0], Nobody())
    block = links.counters(flow)
    block[SENT] = 1
    return links, block, request.param


class Nobody:
    def wake(self) -> None: ...


def two_parts(link: str) -> App:
    graph = chain(node("source", Source), node("sink", Sink))
    fragments = {"a": fragment("a", "source"), "b": fragment("b", "sink")}
    (only,) = graph.flows
    return replace(graph, flows=(replace(only, link=link),), fragments=fragments)


def looks(links: Links, most: int = 3) -> int:
    """Return how often `flush` has looked before it had done, or was made to give up."""
    count = itertools.count()
    links.flush(lambda: next(count) >= most)
    return next(count)


def test_a_stream_that_has_ended_is_waited_for(sender):
    links, block, _ = sender
    block[CLOSED] = 1
    assert looks(links) == 4
    block[TAKEN] = 1
    assert looks(links) == 0


def test_a_receiver_that_is_gone_is_not_waited_for(sender):
    links, block, _ = sender
    block[CLOSED], block[GONE] = 1, gone("end")
    assert looks(links) == 0


def test_what_stays_in_memory_is_not_waited_for_by_a_sender_that_comes_back(sender):
    links, _, kind = sender
    assert looks(links) == (0 if kind == "shared_memory" else 4)


def test_what_is_under_way_to_an_operator_is_known_in_any_process(sender):
    links, block, _ = sender
    assert links.under_way({"sink"})
    assert not links.under_way({"source"})
    block[TAKEN] = 1  # a call has it in hand
    assert links.under_way({"sink"})
    block[SETTLED] = 1
    assert not links.under_way({"sink"})
