"""Flows with all decided."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from support.graphs import (
    App,
    Join,
    Pass,
    Scheduler,
    Sink,
    Source,
    WithLatest,
    app,
    chain,
    flow,
    fragment,
    node,
)  # fmt: skip

from holoflow.app.graph import Sync
from holoflow.plan import plan


def two(when_full: Any = "block", queue: int = App.queue, **fields: Any) -> App:
    """Source and sink that are not fused."""
    return app(
        [node("source", Source), node("sink", Sink, fuse=False)],
        [flow("source", "sink", **fields)],
        when_full=when_full,
        queue=queue,
    )


@pytest.mark.parametrize(
    ("of_app", "of_flow", "expected"),
    [(5, None, 5), (5, 3, 3), (3, 5, 5)],
)
def test_queues(of_app: int, of_flow: int | None, expected: int) -> None:
    graph = two(queue=of_app)
    graph = replace(graph, flows=(replace(graph.flows[0], queue=of_flow),))
    (planned,) = plan(graph).flows
    assert planned.queue == expected
    assert not planned.fused


@pytest.mark.parametrize(
    ("of_app", "of_flow", "expected"),
    [
        ("block", None, "block"), ("drop_oldest", None, "drop_oldest"),
        ("block", "drop_newest", "drop_newest"), ("drop_oldest", "block", "block"),
    ],
)  # fmt: skip
def test_when_full(of_app: Any, of_flow: Any, expected: str) -> None:
    graph = two(when_full=of_app)
    graph = replace(graph, flows=(replace(graph.flows[0], when_full=of_flow),))
    assert plan(graph).flows[0].when_full == expected
    assert plan(graph, lossless=True).flows[0].when_full == "block"


def test_latest_and_back_edges() -> None:
    graph = app(
        [node("a", Source), node("b", Source), node("latest", WithLatest), node("sink", Sink)],
        [flow("a", "latest", queue=9), flow("b", "latest.newest", queue=9), flow("latest", "sink")],
    )
    trigger, newest, behind = plan(graph).flows
    assert (trigger.latest, trigger.queue) == (False, 9)
    assert (newest.latest, newest.queue) == (True, 1)
    assert behind.fused


def test_plans_are_values() -> None:
    graph = chain(node("source", Source), node("a", Pass), node("sink", Sink))
    assert plan(graph) == plan(graph)
    assert plan(graph) != plan(graph, fuse=False)


def test_one_process_where_there_are_no_fragments() -> None:
    graph = replace(two(), scheduler=Scheduler("greedy", 3))
    (process,) = plan(graph).processes
    assert process.fragment == "app"
    assert process.scheduler == Scheduler("greedy", 3)
    assert (process.placement.host, process.placement.gpu) == (None, None)


@pytest.mark.parametrize(
    ("hosts", "link", "expected"),
    [
        ((None, None), "auto", "shared_memory"),
        (("a", "a"), "auto", "shared_memory"),
        (("a", "b"), "auto", "zeromq"),
        (("a", None), "auto", "zeromq"),
        (("a", "b"), "ucx", "ucx"),
        (("a", "a"), "zeromq", "zeromq"),
    ],
)
def test_links(hosts: tuple[str | None, str | None], link: str, expected: str) -> None:
    graph = app(
        [node("source", Source), node("sink", Sink)],
        [flow("source", "sink", link=link)],
        fragments=[
            fragment("one", "source", host=hosts[0], gpu=1), fragment("two", "sink", host=hosts[1]),
        ],
    )  # fmt: skip
    planned = plan(graph)
    assert planned.flows[0].link == expected
    assert not planned.flows[0].fused
    assert [(p.placement.host, p.placement.gpu) for p in planned.processes] == [
        (hosts[0], 1),
        (hosts[1], None),
    ]


@pytest.mark.parametrize(
    ("here", "expected"),
    [
        ((), ["zeromq", "shared_memory"]),
        (("one", "two", "three"), ["shared_memory", "shared_memory"]),
        (("one",), ["zeromq", "shared_memory"]),
        (("two",), ["zeromq", "zeromq"]),
        (("one", "two"), ["shared_memory", "zeromq"]),
        (("two", "three"), ["zeromq", "shared_memory"]),
    ],
)
def test_links_between_what_is_started_here_and_elsewhere(
    here: tuple[str, ...], expected: list[str]
) -> None:
    graph = app(
        [node("source", Source), node("pass", Pass), node("sink", Sink)],
        [flow("source", "pass"), flow("pass", "sink")],
        fragments=[
            fragment("one", "source", host="a"), fragment("two", "pass", host="b"),
            fragment("three", "sink", host="b"),
        ],
    )  # fmt: skip
    planned = plan(graph, here=here)
    assert [flow.link for flow in planned.flows] == expected
    assert planned.here == frozenset(here)


# -- notices ---------------------------------------------------------------------------------


def joined(**fields: Any) -> App:
    return app(
        [
            node("source", Source), node("a", Pass), node("b", Pass),
            node("join", Join, **fields), node("sink", Sink),
        ],
        [
            flow("source", "a"), flow("source", "b"), flow("a", "join.a"), flow("b", "join.b"),
            flow("join", "sink"),
        ],
    )  # fmt: skip


def lossy(graph: App, index: int) -> App:
    flows = list(graph.flows)
    flows[index] = replace(flows[index], when_full="drop_oldest")
    return replace(graph, flows=tuple(flows))


def test_no_notice() -> None:
    assert plan(joined()).notices == ()
    assert plan(two(when_full="drop_oldest")).notices == ()
    assert plan(lossy(joined(), 4)).notices == ()


def crossing() -> App:
    """A join of two sources, which cannot be by frame."""
    return app(
        [
            node("x", Source), node("y", Source), node("a", Pass), node("b", Pass),
            node("join", Join), node("sink", Sink),
        ],
        [
            flow("x", "a"), flow("y", "b"), flow("a", "join.a"), flow("b", "join.b"),
            flow("join", "sink"),
        ],
    )  # fmt: skip


@pytest.mark.parametrize(("index", "culprit"), [(0, "'a'"), (2, "the flow from 'a.out'")])
def test_joins_of_lossy_flows(index: int, culprit: str) -> None:
    graph = lossy(crossing(), index)
    (notice,) = plan(graph).notices
    assert notice.startswith("join: its inputs are joined in arrival order, but messages may be ")
    assert f"dropped at {culprit}," in notice
    assert notice.endswith("sync: {leader: a, tolerance: 40ms}")
    assert plan(graph, lossless=True).notices == ()


def test_joins_behind_operators_that_skip() -> None:
    graph = crossing()
    operators = dict(graph.operators)
    operators["b"] = replace(operators["b"], on_error="skip")
    (notice,) = plan(replace(graph, operators=operators)).notices
    assert "dropped at 'b'," in notice


def test_joins_by_frame_are_at_ease() -> None:
    graph = lossy(joined(), 0)
    fragments = {
        "x": fragment("x", "source", "a", "join", "sink", restart="always"),
        "y": fragment("y", "b", restart="always"),
    }
    planned = plan(replace(graph, fragments=fragments))
    assert planned.notices == ()
    assert [f.by_frame for f in planned.flows] == [False, False, True, True, False]
    assert [f.watermark for f in planned.flows] == [True, True, True, True, False]
    apart = plan(joined(sync="arrival"))
    assert not any(f.by_frame or f.watermark for f in apart.flows)
    assert apart.notices == ()


def test_joins_by_time_are_at_ease() -> None:
    assert plan(lossy(joined(sync=Sync("a", 0.04)), 0)).notices == ()


def placed(one: dict[str, Any], two: dict[str, Any], **fields: Any) -> App:
    """Source in fragment one, sink in fragment two."""
    return app(
        [node("source", Source), node("sink", Sink)],
        [flow("source", "sink", **fields)],
        fragments=[fragment("one", "source", **one), fragment("two", "sink", **two)],
    )


def test_fragments_of_several_hosts_that_run_here() -> None:
    graph = placed({"host": "a"}, {"host": "b"})
    assert plan(graph, here={"one"}).notices == ()
    (notice,) = plan(graph, here={"one", "two"}).notices
    assert notice == "app: written for the hosts a, b; all its fragments run here"
    assert plan(placed({"host": "a"}, {"host": "a"}), here={"one", "two"}).notices == ()
    assert plan(placed({}, {}), here={"one", "two"}).notices == ()


def test_a_fragment_that_others_cannot_reach() -> None:
    graph = placed({"host": "a"}, {})
    (notice,) = plan(graph).notices
    assert notice.startswith("two: fragment 'one' is on another host and sends to it, but cannot")
    assert plan(placed({}, {"host": "a"})).notices == ()


@pytest.mark.parametrize(
    ("fields", "keys"),
    [
        ({"compress": "zstd"}, "compress"), ({"encrypt": False}, "encrypt"),
        ({"compress": "jpeg", "encrypt": False}, "compress and encrypt"),
    ],
)  # fmt: skip
def test_keys_for_zeromq_where_memory_is_shared(fields: dict[str, Any], keys: str) -> None:
    graph = placed({"host": "a"}, {"host": "b"}, **fields)
    assert plan(graph).notices == ()
    assert plan(graph, here={"two"}).notices == ()
    notice = plan(graph, here={"one", "two"}).notices[-1]
    assert notice.startswith(f"sink: {keys} of the flow from 'source.out' has no effect, as ")
    assert "shared_memory carries it here" in notice


@pytest.mark.parametrize(
    ("placement", "restarted", "told"),
    [
        ({"x": "x y a b join sink"}, "x", ""),  # all of it starts anew
        ({"x": "x y", "z": "a b join sink"}, "z", "z"),  # what a and b had differs
        ({"x": "x y", "z": "a b join sink"}, "x", "x"),  # it may have sent to a alone
        ({"x": "x a join sink", "z": "y b"}, "z", "z"),
        ({"x": "x y a b join", "z": "sink"}, "x", ""),
        ({"x": "x y a b join", "z": "sink"}, "z", ""),
    ],
)
def test_joins_of_several_sources_and_crashes(
    placement: dict[str, str], restarted: str, told: str
) -> None:
    fragments = {
        name: fragment(
            name, *operators.split(), restart="on-failure" if name == restarted else "never"
        )
        for name, operators in placement.items()
    }
    notices = plan(replace(crossing(), fragments=fragments)).notices
    assert bool(notices) == bool(told)
    if told:
        assert f"messages may be lost in a crash of {told!r}, so that" in notices[0]


def test_joins_of_lossy_flows_and_crashes() -> None:
    graph = lossy(crossing(), 0)
    fragments = {
        "x": fragment("x", "x", "y", restart="always"),
        "z": fragment("z", "a", "b", "join", "sink"),
    }
    (notice,) = plan(replace(graph, fragments=fragments)).notices
    assert "messages may be dropped at 'a' or lost in a crash of 'x', so that" in notice
