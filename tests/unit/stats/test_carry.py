"""Tracks across processes."""

from __future__ import annotations

import json
import multiprocessing
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holoflow.core.errors import HoloflowError
from holoflow.stats.spans import (
    PathTree,
    TraceContext,
    close,
    extend,
    to_descriptors,
    to_nodes,
    to_times,
    to_trace,
)

S = 1_000_000_000


def trace_of(tree: PathTree, begin: int = 0) -> TraceContext:
    trace = tree.begin("camera", begin, begin + 1 * S)
    other = tree.begin("lidar", begin, begin)
    trace = extend(trace, tree.step("work", "a", "x"), begin + 2 * S, begin + 3 * S)
    joined = tree.step("work", "join", "x", by_port=True)
    return extend(trace + other, joined, begin + 4 * S, begin + 5 * S)


def plain(trace: TraceContext) -> Any:
    return json.loads(json.dumps([to_descriptors(trace), to_times(trace)]))


def read_back(carried: Any, tree: PathTree, **clock: int) -> TraceContext:
    ways, times = carried
    return to_trace(to_nodes(ways, tree), times, **clock)


def test_there_and_back() -> None:
    trace = trace_of(PathTree())
    tree = PathTree()
    read = read_back(plain(trace), tree)
    assert plain(read) == plain(trace)
    assert to_times(trace) == [0, S, 2 * S, 3 * S, 4 * S, 5 * S, 0, 0, 4 * S, 5 * S]
    assert [span_[4] for span_ in read] == [span_[4] for span_ in trace]
    close(read)
    assert sorted(a.stats().name for a in tree.meters.values()) == [
        "camera → a → join.x", "lidar → join.x",
    ]  # fmt: skip


def test_times_of_another_host_are_shifted_and_their_doubt_is_kept() -> None:
    tree = PathTree()
    there = trace_of(PathTree(), begin=100 * S)
    read = read_back(plain(there), tree, shift=-90 * S, uncertainty=2_000_000)
    step = tree.step("work", "screen", "x")
    close(extend(read, step, 16 * S, 17 * S))
    for meter in tree.meters.values():
        meter.fold()
        stats = meter.stats()
        assert stats.end_to_end.mean == pytest.approx(7)
        assert stats.uncertainty == 0.002


def _other_process(pipe: Any) -> None:
    tree = PathTree()
    now = time.monotonic_ns()
    trace = tree.begin("camera", now, now)
    trace = extend(trace, tree.step("work", "a", "x"), now, time.monotonic_ns())
    sent = time.monotonic_ns()
    trace = extend(trace, tree.step("serialise", "b", "x"), sent, time.monotonic_ns())
    pipe.send(plain(trace))


def test_processes_of_one_host_share_their_clock() -> None:
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    began = time.monotonic_ns()
    process = spawn.Process(target=_other_process, args=(there,))
    process.start()
    carried = here.recv()
    process.join()
    here.close()
    there.close()
    now = time.monotonic_ns()
    tree = PathTree()
    trace = extend(read_back(carried, tree), tree.step("link", "b", "x"), carried[1][-1], now)
    close(extend(trace, tree.step("work", "b", "x"), now, now + 1000))
    (meter,) = tree.meters.values()
    meter.fold()
    stats = meter.stats()
    assert stats.name == "camera → a → b"
    parts = (stats.working, stats.waiting, stats.serialising, stats.link)
    assert sum(p.total for p in parts) == pytest.approx(stats.end_to_end.total)
    assert 0 < stats.end_to_end.max <= (now + 1000 - began) / 1e9
    assert min(p.min for p in parts) >= 0


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
    | st.sampled_from(["work", "link"]),
    lambda inner: st.lists(inner, max_size=7) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=30,
)  # fmt: skip


@given(VALUES)
def test_anything_else_is_refused(data: Any) -> None:
    try:
        nodes = to_nodes(data, PathTree())
    except HoloflowError:
        return
    times = range(2 * sum(map(len, nodes)))
    assert to_descriptors(to_trace(nodes, times)) == data


@pytest.mark.parametrize("times", [[], [0] * 9, [0] * 11, [0] * 9 + [1 << 62], [-1 << 62] * 10])
def test_times_that_do_not_fit_the_spans_are_refused(times: list[int]) -> None:
    nodes = to_nodes(to_descriptors(trace_of(PathTree())), PathTree())
    with pytest.raises(HoloflowError, match="invalid "):
        to_trace(nodes, times)


def test_a_peer_cannot_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holoflow.stats.spans.MOST_NODES", 10)
    tree = PathTree()
    path = [["work", "a", "", False], ["work", "0", "x", False]]
    for index in range(11):
        path[1][1] = str(index)
        to_nodes([path], tree)
    with pytest.raises(HoloflowError, match="more than 10 different paths"):
        to_nodes([path], tree)
