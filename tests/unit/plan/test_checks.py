"""Whether a machine has what fragments are to get."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.graphs import App, Sink, Source, app, flow, fragment, node

from holoflow.app.graph import Scheduler
from holoflow.core.errors import AppError, Location
from holoflow.core.operator import param
from holoflow.plan import machine, plan
from holoflow.plan.machine import (
    MachineResources,
    check_placement,
    cores_of,
    environment_of,
    require_placement,
)

MACHINE = MachineResources(frozenset(range(4)), ("0", "GPU-b"), 8_000_000_000)
AT_ONE, AT_TWO = Location("app.yaml", 7, 3), Location("app.yaml", 8, 3)


class DeviceOp(Source):
    """A source with a device."""

    device: int = param(0, doc="which")

    def claims(self) -> tuple[str, ...]:
        return (f"device {self.device}",)


def two(one: dict[str, Any], two: dict[str, Any] | None = None, **fields: Any) -> App:
    return app(
        [node("source", Source), node("sink", Sink)],
        [flow("source", "sink", **fields)],
        fragments=[
            fragment("one", "source", location=AT_ONE, **one),
            fragment("two", "sink", location=AT_TWO, **(two or {})),
        ],
    )


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"gpu": 2}, "fragment 'one' needs GPU 2; this machine has GPUs 0, 1"),
        ({"cores": (0, 9)}, "fragment 'one' needs core 9; this machine has cores 0 to 3"),
        ({"cores": tuple(range(4, 30))}, "fragment 'one' needs cores 4 to 29; this machine has"),
        ({"cores": (5, 7)}, "fragment 'one' needs cores 5, 7; this machine has"),
        ({"scheduler": Scheduler(cores=(1, 6))}, "the scheduler of fragment 'one' needs core 6;"),
        ({"cores": (6,), "scheduler": Scheduler(cores=(6,))}, "fragment 'one' needs core 6;"),
        ({"memory": 8_000_000_001 + 10**7},
         "fragment 'one' may use 8.01 GB of memory; this machine has 8 GB"),
    ],
)  # fmt: skip
def test_what_a_machine_lacks(keys: dict[str, Any], message: str) -> None:
    (mistake,) = check_placement(plan(two(keys)), MACHINE)
    assert mistake.location == AT_ONE
    assert str(mistake).partition(": ")[2].startswith(message)


@pytest.mark.parametrize(
    ("machine", "words"),
    [
        (replace(MACHINE, gpus=()), "no GPU"), (replace(MACHINE, gpus=("0",)), "GPU 0"),
        (replace(MACHINE, gpus=("0", "1", "2")), "GPUs 0 to 2"),
    ],
)  # fmt: skip
def test_it_says_what_is_there(machine: MachineResources, words: str) -> None:
    (mistake,) = check_placement(plan(two({"gpu": 3})), machine)
    assert mistake.right == f"this machine has {words}"


def test_all_that_a_machine_has() -> None:
    keys = {"gpu": 1, "cores": (0, 3), "memory": 8_000_000_000, "scheduler": Scheduler(cores=(3,))}
    assert check_placement(plan(two(keys, {"gpu": 0})), MACHINE) == []


def test_all_that_is_lacking_is_told_at_once() -> None:
    graph = two({"gpu": 5, "cores": (8,)}, {"gpu": 6, "memory": 10**12})
    assert len(check_placement(plan(graph), MACHINE)) == 4


def test_only_the_fragments_that_are_here_count() -> None:
    graph = two({"gpu": 5}, {"gpu": 6})
    (mistake,) = check_placement(plan(graph, here=["two"]), MACHINE)
    assert mistake.location == AT_TWO


def test_an_app_without_fragments() -> None:
    graph = replace(two({}), fragments={}, scheduler=Scheduler(cores=(7,)), path=Path("a.yaml"))
    for planned in (plan(graph), plan(graph, here=[])):
        (mistake,) = check_placement(planned, MACHINE)
        assert mistake.location == Location("a.yaml")
        assert mistake.wrong == "the scheduler of fragment 'app' needs core 7"


def test_fragments_of_two_hosts_on_one_machine() -> None:
    graph = two({"host": "a", "gpu": 0, "exclusive": True}, {"host": "b", "gpu": 0})
    assert check_placement(plan(graph, here=["two"]), MACHINE) == []
    (mistake,) = check_placement(plan(graph, here=["one", "two"]), MACHINE)
    assert mistake.location == AT_TWO
    assert mistake.wrong == "fragments 'one' and 'two' both have GPU 0, which is for 'one' alone"


def test_operators_of_two_hosts_on_one_machine() -> None:
    graph = app(
        [node("left", DeviceOp), node("right", DeviceOp)],
        [],
        fragments=[
            fragment("one", "left", host="a", location=AT_ONE),
            fragment("two", "right", host="b", location=AT_TWO),
        ],
    )
    assert check_placement(plan(graph, here=["one"]), MACHINE) == []
    (mistake,) = check_placement(plan(graph, here=["one", "two"]), MACHINE)
    assert mistake.location == AT_TWO
    assert mistake.wrong == "operators 'left' and 'right' both need device 0"


def test_shared_memory_with_one_end_here() -> None:
    graph = two({}, {}, link="shared_memory")
    assert check_placement(plan(graph), MACHINE) == []
    assert check_placement(plan(graph, here=["one", "two"]), MACHINE) == []
    (mistake,) = check_placement(plan(graph, here=["one"]), MACHINE)
    assert mistake.location == AT_ONE
    assert mistake.wrong == (
        "only one end of the flow from 'source.out' to 'sink.x', which shared memory carries, "
        "is started here"
    )


def test_two_that_listen_at_one_port() -> None:
    graph = app(
        [node("source", Source), node("a", Sink), node("b", Sink)],
        [flow("source", "a"), flow("source", "b")],
        fragments=[
            fragment("far", "source", host="x"), fragment("one", "a", host="y", port=7500),
            fragment("two", "b", host="z", port=7500, location=AT_TWO),
        ],
    )  # fmt: skip
    assert check_placement(plan(graph, here=["far", "one", "two"]), MACHINE) == []
    assert check_placement(plan(graph, here=["two"]), MACHINE) == []
    (mistake,) = check_placement(plan(graph, here=["one", "two"]), MACHINE)
    assert mistake.location == AT_TWO
    assert mistake.wrong == "fragments 'one' and 'two' both listen on port 7500"


def test_what_is_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "read_machine", lambda: MACHINE)
    require_placement(plan(two({"gpu": 1})))
    with pytest.raises(AppError, match=r"^app\.yaml:7:3: fragment 'one' needs GPU 2; "):
        require_placement(plan(two({"gpu": 2})))


# -- what a process gets ---------------------------------------------------------------------


def test_cores_of_a_process() -> None:
    graph = two({"cores": (1, 2)}, {"host": "b"})
    planned = plan(graph)
    one, other = graph.fragments.values()
    assert cores_of(planned, one, MACHINE) == {1, 2}
    assert cores_of(planned, other, MACHINE) == {0, 1, 2, 3}


def test_exclusive_cores_are_kept_from_the_others() -> None:
    graph = two({"cores": (1, 2), "exclusive": True})
    other = graph.fragments["two"]
    assert cores_of(plan(graph), other, MACHINE) == {0, 3}
    assert cores_of(plan(graph, here=["two"]), other, MACHINE) == {0, 1, 2, 3}
    small = replace(MACHINE, cores=frozenset({1, 2}))
    assert cores_of(plan(graph), other, small) == {1, 2}


def test_variables_of_a_process() -> None:
    assert environment_of(fragment("a"), MACHINE) == {}
    own = fragment("a", gpu=1, environment={"X": "1"})
    assert environment_of(own, MACHINE) == {"X": "1", "CUDA_VISIBLE_DEVICES": "GPU-b"}
    assert own.environment == {"X": "1"}
