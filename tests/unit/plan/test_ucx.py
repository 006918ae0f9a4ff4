"""What a plan cannot ask of ucx."""

from dataclasses import replace

import pytest
from support.graphs import Add, Sink, Source, chain, fragment, node

from holoflow.link.ucx import environment
from holoflow.plan import plan
from holoflow.plan.hosts import find_faults
from holoflow.plan.machine import MachineResources, check_placement

MACHINE = MachineResources(frozenset(range(2)), (), 2**33)


def planned(*, link="ucx", encrypt=True, here=None, one=None, two=None):
    graph = chain(
        node("source", Source), node("add", Add), node("sink", Sink),
        fragments=[
            fragment("one", "source", **one or {}), fragment("two", "add", "sink", **two or {}),
        ],
    )  # fmt: skip
    flows = tuple(
        replace(f, link=link, encrypt=encrypt) if f.source.operator == "source" else f
        for f in graph.flows
    )
    return plan(replace(graph, flows=flows), here=here)


APART = {"one": {"host": "a"}, "two": {"host": "b"}}


def test_on_one_host():
    whole = planned()
    assert list(find_faults(whole)) == []
    assert environment(whole)["UCX_NET_DEVICES"] == "lo"


@pytest.mark.parametrize("policy", ["on-failure", "always"])
def test_nobody_joins_again(policy):
    (fault,) = find_faults(planned(two={"restart": policy}))
    assert fault.fragment == "two"
    assert fault.wrong == (
        "fragment 'two' is to be started again, but ucx carries its messages and does not "
        "allow a process to rejoin"
    )
    assert list(find_faults(planned(link="auto", two={"restart": policy}))) == []


def test_another_host_needs_a_word_on_its_network():
    (fault,) = find_faults(planned(**APART))
    assert fault.fragment == "two"
    assert fault.wrong == (
        "the flow from 'source.out' to 'add.x' leads to another host by ucx, which does not "
        "encrypt and accepts messages from anyone"
    )
    assert "encrypt: false" in fault.right
    trusted = planned(**APART, encrypt=False)
    assert list(find_faults(trusted)) == []
    assert "UCX_NET_DEVICES" not in environment(trusted)
    assert list(find_faults(planned(**APART, here=["one", "two"]))) == []


def test_the_checks_before_the_start_tell():
    for whole in (planned(**APART), planned(two={"restart": "always"})):
        (mistake,) = check_placement(whole, MACHINE)
        assert (mistake.wrong, mistake.right) == next(find_faults(whole))[1:]
