"""An app in parts that links join gives what it gives in one piece."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given, note, settings
from hypothesis import strategies as st
from support.graphs import (
    INLINE,
    Add,
    App,
    Pass,
    Sink,
    Source,
    chain,
    fragment,
    node,
    run,
)
from support.loopback import Loopback
from support.parts import Parts, check
from support.random_graphs import outline, random_graphs, repeatable

from holoflow.plan import plan
from holoflow.stats.counters import CLOSED, GONE, gone, waiting
from holoflow.stats.merge import merge


def apart(graph: App, cut: list[int]) -> App:
    """Put the operators of `graph` into fragments, by number."""
    names = list(graph.operators)
    members: dict[int, list[str]] = {}
    for name, number in zip(names, cut, strict=True):
        members.setdefault(number, []).append(name)
    fragments = {f"f{n}": fragment(f"f{n}", *inside) for n, inside in members.items()}
    return replace(graph, fragments=fragments)


@settings(max_examples=60)
@given(random_graphs(), st.data())
def test_random_graphs_in_random_parts(graph: App, data: st.DataObject) -> None:
    numbers = st.integers(0, 2)
    size = len(graph.operators)
    cut = data.draw(st.lists(numbers, min_size=size, max_size=size), label="cut")
    note(outline(graph))
    whole = run(graph, INLINE, lossless=True)
    parts = Parts(apart(graph, cut), lossless=True).run()
    for result in parts.results.values():
        assert result.outcome == "done", result.failure
    assert repeatable(graph, parts.sinks) == repeatable(graph, whole.sinks)
    check(parts)
    assert all(waiting(block) == 0 or block[GONE] for block in parts.counters.blocks)


def three(**fields: Any) -> App:
    return chain(
        node("source", Source, {"n": 50}), node("add", Add), node("pass", Pass, fields),
        node("sink", Sink),
        fragments=[fragment("a", "source"), fragment("b", "add", "pass"), fragment("c", "sink")],
    )  # fmt: skip


def test_the_merged_state_is_that_of_one_run() -> None:
    parts = Parts(three()).run()
    merged = merge([result.last for result in parts.results.values()])
    assert [stats.name for stats in merged.operators] == ["source", "add", "pass", "sink"]
    for stats in merged.flows:
        assert (stats.sent, stats.delivered, stats.waiting) == (50, 50, 0), stats
    (path,) = merged.paths
    assert path.name == "source → add → pass → sink"
    assert path.frames == 50
    assert [step.kind for step in path.steps] == [
        "work", "serialise", "link", "work", "work", "serialise", "link", "work",
    ]  # fmt: skip
    parts_of_it = path.working.mean + path.waiting.mean + path.link.mean + path.serialising.mean
    assert abs(path.end_to_end.mean - parts_of_it) < 1e-6


def test_a_part_that_fails_for_good_ends_what_feeds_it_and_what_it_feeds() -> None:
    parts = Parts(three(fail_at=9)).run()
    assert {name: result.outcome for name, result in parts.results.items()} == {
        "a": "done", "b": "failed", "c": "done",
    }  # fmt: skip
    assert [got.payload for got in parts.sinks["sink"]] == list(range(1, 9))
    assert parts.stats("pass", "sink") == (8, 8, {})
    assert parts.counters.blocks[0][GONE] == gone("stopped")
    check(parts)


def test_a_part_that_comes_back_leaves_its_links_open() -> None:
    """What it had not taken is for its next process; its end is not that of the stream."""
    parts = Parts(three(fail_at=9), b="on-failure")
    fragments = ("a", "b", "c")
    threads = parts.start(*fragments)
    threads["b"].join()
    assert parts.results["b"].outcome == "failed"
    assert parts.counters.blocks[0][GONE] == 0
    assert parts.counters.blocks[2][CLOSED] == 0
    assert set(parts.loopback.cables[0].suspended) == {"inlet"}
    assert set(parts.loopback.cables[2].suspended) == {"outlet"}
    assert threads["a"].is_alive()
    assert threads["c"].is_alive()
    parts.plan = plan(three())
    parts.start("b")["b"].join()
    for thread in threads.values():
        thread.join()
    assert {name: result.outcome for name, result in parts.results.items()} == {
        "a": "done", "b": "done", "c": "done",
    }  # fmt: skip
    got = [got.payload for got in parts.sinks["sink"]]
    assert len(got) == len(set(got))
    assert set(range(1, 51)) - set(got) <= {9, 10, 11, 12}
    check(parts)


def test_a_source_that_comes_back_goes_on_counting() -> None:
    graph = chain(
        node("source", Source, {"n": 20, "fail_at": 5}), node("sink", Sink),
        fragments=[fragment("a", "source"), fragment("b", "sink")],
    )  # fmt: skip
    parts = Parts(graph, a="on-failure")
    threads = parts.start("a", "b")
    threads["a"].join()
    parts.plan = plan(
        replace(graph, operators={**graph.operators, "source": node("source", Source)})
    )
    parts.start("a")["a"].join()
    threads["b"].join()
    assert [got.sequence for got in parts.sinks["sink"]] == list(range(15))
    assert [got.payload for got in parts.sinks["sink"]] == [*range(5), *range(10)]
    assert parts.stats("source", "sink") == (15, 15, {})


def test_what_cannot_be_read_is_counted_and_the_rest_goes_on() -> None:
    class Spoilt(Loopback):
        def outlet(self, flows: Any, producer: Any) -> Any:
            made = super().outlet(flows, producer)
            sent = made.send
            made.send = lambda n, head, b: sent(n, b"?" if n == [3] else head, b)
            return made

    graph = chain(
        node("source", Source), node("sink", Sink),
        fragments=[fragment("a", "source"), fragment("b", "sink")],
    )  # fmt: skip
    parts = Parts(graph)
    parts.loopback = Spoilt()
    parts.run()
    assert [got.payload for got in parts.sinks["sink"]] == [0, 1, 3, 4, 5, 6, 7, 8, 9]
    assert parts.stats("source", "sink") == (10, 9, {"error": 1})
