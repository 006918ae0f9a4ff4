"""Where fragments are reached from other machines."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from support.graphs import App, Pass, Sink, Source, app, flow, fragment, node

from holoflow.core.errors import HoloflowError
from holoflow.plan import plan
from holoflow.plan.hosts import FragmentAddress, addresses, crosses_hosts, listeners, read_hosts

HOSTS = ("edge", "infer", "view")


def three(hosts: tuple[str | None, ...] = HOSTS, **fields: Any) -> App:
    """Source, pass and sink in a fragment each."""
    names = ("source", "pass", "sink")
    placed = [
        fragment(f"f{name}", name, host=host, port=fields.get(name))
        for name, host in zip(names, hosts, strict=True)
    ]
    return app(
        [node("source", Source), node("pass", Pass), node("sink", Sink)],
        [flow("source", "pass"), flow("pass", "sink")],
        fragments=placed,
    )


def test_who_receives_from_other_hosts_has_an_address() -> None:
    planned = plan(three())
    assert listeners(planned) == {"fpass": "fsource", "fsink": "fpass"}
    assert addresses(planned, {}) == {
        "fpass": FragmentAddress("infer", 7421), "fsink": FragmentAddress("view", 7422),
    }  # fmt: skip
    assert all(crosses_hosts(planned, flow) for flow in planned.flows)


def test_addresses_and_ports_that_are_given() -> None:
    planned = plan(three(sink=9000))
    found = addresses(planned, {"view": "10.0.0.3", "edge": "10.0.0.1"})
    assert found == {
        "fpass": FragmentAddress("infer", 7421),
        "fsink": FragmentAddress("10.0.0.3", 9000),
    }


def test_on_one_machine_nobody_needs_one() -> None:
    planned = plan(three(), here=["fsource", "fpass", "fsink"])
    assert addresses(planned, {}) == {}
    assert not any(crosses_hosts(planned, flow) for flow in planned.flows)
    assert addresses(plan(three(("a", "a", "a"))), {}) == {}


@pytest.mark.parametrize(
    ("here", "expected"),
    [
        ({"fsource"}, {"fpass"}),
        ({"fpass"}, {"fpass", "fsink"}),
        ({"fsink"}, {"fpass", "fsink"}),
        ({"fsource", "fpass"}, {"fsink"}),
    ],
)
def test_every_machine_comes_to_the_same_addresses(here: set[str], expected: set[str]) -> None:
    graph = three(("a", "b", "b"))
    planned = plan(graph, here=here)
    found = addresses(planned, {})
    assert set(found) == expected
    everywhere = {"fpass": FragmentAddress("b", 7421), "fsink": FragmentAddress("b", 7422)}
    assert all(everywhere[name] == address for name, address in found.items())


def test_zeromq_on_one_host_needs_no_address() -> None:
    graph = three(("a", "a", "b"))
    graph = replace(graph, flows=tuple(replace(f, link="zeromq") for f in graph.flows))
    assert set(addresses(plan(graph), {})) == {"fsink"}


def test_a_fragment_without_a_host_cannot_be_reached() -> None:
    with pytest.raises(HoloflowError) as caught:
        addresses(plan(three(("edge", "infer", None))), {})
    assert str(caught.value) == (
        "fragment 'fsink' has no host, so that fragment 'fpass' cannot reach it from another "
        "one; write host: in fragment 'fsink'"
    )


def test_two_at_one_address() -> None:
    planned = plan(three(sink=7421))
    assert len(addresses(planned, {})) == 2
    with pytest.raises(HoloflowError, match="'fpass' and 'fsink' would both be at h, port 7421;"):
        addresses(planned, {"infer": "h", "view": "h"})


# -- --host ----------------------------------------------------------------------------------


def test_hosts_as_the_command_line_gives_them() -> None:
    given = ["edge=10.0.0.1", "view=fe80::1%eth0", "edge=camera.local"]
    assert read_hosts(three(), given) == {"edge": "camera.local", "view": "fe80::1%eth0"}
    assert read_hosts(three(), []) == {}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("edg=10.0.0.1", "--host: unknown host 'edg'; did you mean 'edge'?"),
        ("zzz=10.0.0.1", "--host: unknown host 'zzz'; the app has edge, infer, view"),
        ("edge", "--host: 'edge' gives no address; write NAME=ADDRESS, such as edge=192.168.1.7"),
        ("edge=", "--host: 'edge=' gives no address"),
        ("edge=a;tcp://b", "--host: 'edge=a;tcp://b' gives no address"),
        ("edge=a b", "gives no address"),
        ("edge=a\n", "gives no address"),
        ("=a", "--host: unknown host ''"),
    ],
)
def test_hosts_that_are_none(given: str, message: str) -> None:
    with pytest.raises(HoloflowError) as caught:
        read_hosts(three(), [given])
    assert message in str(caught.value)


def test_an_app_without_hosts() -> None:
    with pytest.raises(HoloflowError, match="no fragment of the app names one"):
        read_hosts(three((None, None, None)), ["a=b"])
