"""How an app becomes services."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from support.deployable import RUNS, apps, in_a_row
from support.graphs import Pass, Sink, Source, app, flow, fragment, node

from holoflow.core.errors import AppError, HoloflowError
from holoflow.deploy.services import RunCommand, ServicePort
from holoflow.deploy.split import LONGEST, MARGIN, dns_name, in_containers, on_machines
from holoflow.operators.visualize.web import WebOp

MB = 1 << 20


def services(made, run=None):
    return {s.name: s for s in in_containers(made, run or RunCommand()).services}


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("detect", "detect"), ("Edge_A", "edge-a"), ("10.0.0.7", "host-10-0-0-7"),
        ("box.lab.example", "box-lab-example"), ("a--", "a"), ("fe80::1", "fe80-1"), ("::", ""),
    ],
)  # fmt: skip
def test_names(text, label):
    assert dns_name(text) == label


def test_a_fragment_is_a_service_of_its_own():
    made = in_a_row()
    found = services(made, RunCommand(settings={"a": "b c"}, arguments=("--lossless",)))
    assert list(found) == ["source", "detect", "view"]
    where = ("--place=source=source", "--place=detect=detect", "--place=view=view", "--placed")
    rest = ("--set=a=b c", "--lossless")
    assert found["detect"].arguments == ("--fragment=detect", *where, *rest)
    assert found["detect"].ports == (ServicePort(7421, "link-detect", "link"),)
    assert found["source"].ports == ()
    assert found["view"].ports[1:] == (ServicePort(8350, "page-op2", "page"),)
    assert found["detect"].peers == found["detect"].trusts == ("source", "view")
    assert found["source"].trusts == ("detect",)
    assert found["source"].devices == ("/dev/video0",)


def test_fragments_on_one_host_are_one_service():
    host = {"host": "Box.lab"}
    found = services(in_a_row(source={}, detect=host, view=host))
    assert list(found) == ["source", "box-lab"]
    box = found["box-lab"]
    assert box.fragments == ("detect", "view")
    assert box.arguments[:3] == ("--fragment=detect", "--fragment=view", "--place=source=source")
    assert "--place=detect=box-lab" in box.arguments
    # Two messages may wait, ten are in use; 64 MB are for the statistics.
    assert box.shared_memory == 64 * MB + 12 * 8 * MB
    assert found["source"].shared_memory is None
    assert [port.name for port in box.ports] == ["link-detect", "page-op2"]


def test_an_app_without_fragments_is_one_service():
    plain = app([node("source", Source), node("sink", Sink)], [flow("source", "sink")])
    (found,) = in_containers(plain, RunCommand(settings={"k": "v"})).services
    assert (found.name, found.fragments, found.arguments) == ("app", (), ("--set=k=v",))
    assert not found.encrypted
    assert on_machines(plain, RunCommand()).services[0].arguments == ()


def test_what_a_service_gets():
    made = in_a_row(
        a={"host": "box", "gpu": 2, "cores": (4, 5), "memory": 100 * MB, "restart": "always"},
        b={"host": "box", "gpu": 0, "cores": (1,), "memory": 200 * MB, "restart": "on-failure"},
        c={"gpu": 1, "restart": "always", "restarts": 3},
    )
    found = services(made, RunCommand(metrics=True))
    box = found["box"]
    assert (box.gpus, box.cores) == ((0, 2), (1, 4, 5))
    assert box.memory == 300 * MB + box.shared_memory + MARGIN
    assert (box.restart, box.restarts) == ("on-failure", 10)
    assert box.ports[-1] == ServicePort(9464, "metrics", "metrics")
    assert "--metrics=0.0.0.0:9464" in box.arguments
    assert (found["c"].restart, found["c"].restarts) == ("always", 3)
    assert services(made, RunCommand(ends=True))["c"].restart == "on-failure"


def test_one_fragment_without_a_limit_leaves_its_service_without():
    host = {"host": "box"}
    found = services(
        in_a_row(
            a=host | {"cores": (1,), "memory": MB, "restart": "always"},
            b=host | {"restart": "never"},
        )
    )["box"]
    assert (found.cores, found.memory, found.restart) == ((), None, "never")


def test_a_fragment_that_is_never_started_again_in_a_row():
    found = services(in_a_row(a={"restart": "on-failure", "restarts": 0}))["a"]
    assert found.restart == "never"


@pytest.mark.parametrize(
    ("fragments", "wrong"),
    [
        ({"a_b": {}, "A-b": {}},
         "fragment 'A-b' and fragment 'a_b' would both be the service 'a-b'"),
        ({"a": {"host": "box"}, "box": {}},
         "fragment 'box' and host 'box' would both be the service 'box'"),
        ({"a": {"host": "::"}}, "no service can have the name of host '::'"),
        ({"a" * (LONGEST + 1): {}}, "no service can have the name of fragment"),
    ],
)  # fmt: skip
def test_names_that_cannot_be(fragments, wrong):
    with pytest.raises(AppError) as error:
        in_containers(in_a_row(**fragments), RunCommand())
    assert wrong in str(error.value)


def test_a_host_that_is_called_as_its_fragment():
    assert list(services(in_a_row(a={"host": "a"}, b={}))) == ["a", "b"]


@pytest.mark.parametrize("link", ["shared_memory", "ucx"])
def test_links_that_cannot_lead_to_another_container(link):
    made = in_a_row()
    made = replace(made, flows=tuple(replace(f, link=link, encrypt=False) for f in made.flows))
    with pytest.raises(AppError) as error:
        in_containers(made, RunCommand())
    assert len(error.value.mistakes) == 2
    assert f"'op0.out' to 'op1.x' is to use {link}" in str(error.value)
    assert "put both on one host:" in str(error.value)
    together = {f.name: replace(f, host="box") for f in made.fragments.values()}
    assert len(in_containers(replace(made, fragments=together), RunCommand()).services) == 1


def test_who_does_not_encrypt_needs_no_keys():
    made = in_a_row()
    first, second = made.flows
    found = services(replace(made, flows=(replace(first, encrypt=False), second)))
    assert not found["source"].encrypted
    assert found["source"].peers == ("detect",)
    assert found["detect"].trusts == ("view",)


def test_half_encrypted_is_refused():
    made = app(
        [node("a", Source), node("b", Source), node("c", Pass), node("d", Pass)],
        [flow("a", "c", encrypt=False), flow("b", "d")],
        fragments=[fragment("one", "a"), fragment("two", "b"), fragment("three", "c", "d")],
    )
    with pytest.raises(HoloflowError, match="encrypt: false for all of them, or for none"):
        in_containers(made, RunCommand())


def test_ports_that_are_given():
    found = services(in_a_row(a={}, b={"port": 9000}))
    assert found["b"].ports[0] == ServicePort(9000, "link-b", "link")


def test_pages():
    nodes = [node("source", Source)]
    nodes += [node(f"page{n}", WebOp, p) for n, p in enumerate([{}, {"port": 9001}, {}])]
    nodes += [node("far", WebOp, {"host": "127.0.0.1", "port": 9002})]
    flows = [flow("source", f"{n.name}.image") for n in nodes[1:]]
    made = in_containers(app(nodes, flows), RunCommand())
    (service,) = made.services
    assert [port.number for port in service.ports] == [8350, 9001, 9002]
    assert [notice.partition(":")[0] for notice in made.notices] == ["page2", "far"]
    assert in_containers(app(nodes, flows), RunCommand(web=False)).services[0].ports == ()


def test_machines_are_those_of_the_app():
    box = {"host": "Box.lab", "cores": (3,), "gpu": 1}
    found = on_machines(in_a_row(source={}, detect=box, view=box), RunCommand()).services
    assert [(s.name, s.host, s.fragments) for s in found] == [
        ("app", "app", ("source",)), ("box-lab", "Box.lab", ("detect", "view")),
    ]  # fmt: skip
    assert found[1].arguments == ("--fragment=detect", "--fragment=view")
    assert (found[1].cores, found[1].gpus) == ((3,), (1,))
    (alone,) = on_machines(in_a_row(), RunCommand()).services
    assert (alone.name, alone.arguments, alone.encrypted) == ("app", (), False)


def test_a_machine_that_nobody_could_reach():
    with pytest.raises(HoloflowError, match="write host: in fragment 'view'"):
        on_machines(in_a_row(source={"host": "edge"}, view={}), RunCommand())


@given(made=apps(), run=RUNS)
def test_every_fragment_is_in_one_service(made, run):
    try:
        found = in_containers(made, run).services
    except AppError:
        return
    counted = Counter(name for service in found for name in service.fragments)
    assert counted == Counter(list(made.fragments))
    by_name = {service.name: service for service in found}
    assert len(by_name) == len(found)
    for service in found:
        assert all(service.name in by_name[peer].peers for peer in service.peers)
        assert set(service.trusts) <= set(service.peers)
        numbers = [port.number for port in service.ports]
        assert len(set(numbers)) == len(numbers)
