"""The layout of any graph: boxes apart, lines beside boxes, frames around what they hold."""

from __future__ import annotations

import re
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holoflow.plan.draw.graph import Box, Edge, Graph, Group, Words
from holoflow.plan.draw.layout import Layout, Rectangle, lay_out


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Draw a graph with any edges, also cycles, two fragments or none, and a stage or none."""
    count = draw(st.integers(1, 14))
    boxes = [Box(f"op{n}", [(Words("name", "n" * draw(st.integers(1, 30))), None)])
             for n in range(count)]  # fmt: skip
    ends = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1))
    pairs = draw(st.lists(ends, max_size=20))
    labels = [(Words("facts", "queue 2"),), ()]
    edges = [Edge(a, b, back=draw(st.booleans()) and a >= b, label=draw(st.sampled_from(labels)))
             for a, b in pairs]  # fmt: skip
    split = draw(st.integers(0, count - 1))
    groups = [Group("edge", range(split)), Group("view", range(split, count))] if split else []
    stage = list(range(split, min(split + draw(st.integers(1, 3)), count)))
    edges += [Edge(a, a + 1) for a in stage[:-1]]
    return Graph("drawn", boxes, edges, [stage] if len(stage) > 1 else [], groups)


def overlap(a: Rectangle, b: Rectangle) -> bool:
    return (
        a.x < b.x + b.width
        and b.x < a.x + a.width
        and a.y < b.y + b.height
        and b.y < a.y + a.height
    )


def inside(x: float, y: float, frame: Rectangle) -> bool:
    return 1 < x - frame.x < frame.width - 1 and 1 < y - frame.y < frame.height - 1


def points(path: str) -> list[tuple[float, float]]:
    """Return points on an SVG path of M, L and C."""
    found: list[tuple[float, float]] = []
    for kind, words in re.findall(r"([MLC])([^MLC]*)", path):
        numbers = list(map(float, words.split()))
        given = list(zip(numbers[::2], numbers[1::2], strict=True))
        if kind == "M":
            found += given
            continue
        last = found[-1]
        a, b, c = given if kind == "C" else (last, given[0], given[0])
        for t in (n / 24 for n in range(1, 25)):
            u = 1 - t
            found.append(
                tuple(u**3 * p + 3 * u * u * t * q + 3 * u * t * t * r + t**3 * s
                      for p, q, r, s in zip(last, a, b, c, strict=True))
            )  # fmt: skip
    return found


def assert_sound(graph: Graph, layout: Layout) -> None:
    assert not any(overlap(a, b) for a, b in combinations(layout.boxes, 2))
    assert not any(overlap(a, b) for a, b in combinations(layout.fragments, 2))
    for frame in (*layout.boxes, *layout.stages, *layout.fragments):
        assert frame.x >= 0
        assert frame.y >= 0
        assert frame.x + frame.width <= layout.width
        assert frame.y + frame.height <= layout.height
    for stage, ground in zip(graph.stages, layout.stages, strict=True):
        on_it = [n for n, box in enumerate(layout.boxes) if overlap(box, ground)]
        assert on_it == sorted(stage)
    for edge, route in zip(graph.edges, layout.edges, strict=True):
        way = points(route.path)
        assert way[-1] == pytest.approx(route.end, abs=0.1)
        for x, y in way:
            assert 0 <= x <= layout.width, route.path
            assert 0 <= y <= layout.height, route.path
            assert not any(inside(x, y, box) for box in layout.boxes), (edge, route.path)


@given(graphs(), st.booleans())
@settings(max_examples=150)
def test_boxes_are_apart_and_lines_lead_around_them(graph: Graph, tall: bool) -> None:
    assert_sound(graph, lay_out(graph, tall=tall))


@pytest.mark.parametrize("tall", [False, True])
def test_edges_lead_forward_and_those_that_close_a_cycle_lead_back(tall: bool) -> None:
    boxes = [Box(name, [(Words("name", name), None)]) for name in "abc"]
    graph = Graph("cycle", boxes, [Edge(0, 1), Edge(1, 2), Edge(2, 1), Edge(0, 2)])
    layout = lay_out(graph, tall=tall)
    along = [box.y if tall else box.x for box in layout.boxes]
    assert along == sorted(along)
    assert [route.back for route in layout.edges] == [False, False, True, False]


def test_a_chain_is_a_straight_line() -> None:
    boxes = [Box(name, [(Words("name", name), None)]) for name in "abcdef"]
    graph = Graph("chain", boxes, [Edge(n, n + 1) for n in range(5)])
    assert len({box.y for box in lay_out(graph).boxes}) == 1
    assert len({box.x for box in lay_out(graph, tall=True).boxes}) == 1
