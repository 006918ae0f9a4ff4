"""The graph of a run: the same for the report and the live page, with or without its numbers."""

from __future__ import annotations

from dataclasses import replace

from support.snapshots import faces, flow, operator

from holoflow.plan.draw.layout import lay_out
from holoflow.report.graph import live_graph, run_graph

CAMERA, DETECT, OVERLAY, SCREEN = range(4)


def said(words):
    return "".join(piece.text for piece in words)


def test_it_has_the_stages_of_the_run_and_flows_within_them_are_fused():
    graph = live_graph(faces())
    assert graph.stages == [[OVERLAY, SCREEN]]
    assert ["fused" in edge.marks for edge in graph.edges] == [False, False, False, True]
    assert ["lossy" in edge.marks for edge in graph.edges] == [False, True, False, False]


def test_numbers_and_the_critical_path_are_an_overlay_that_moves_nothing():
    live, run = live_graph(faces()), run_graph(faces(), faces().paths[0])
    for tall in (False, True):
        assert lay_out(live, tall=tall) == lay_out(run, tall=tall)
    assert said(run.edges[1].label).endswith(" · 10 lost")
    assert said(live.edges[1].label) == ""
    assert "hot" in run.boxes[DETECT].marks
    assert ["critical" in box.marks for box in run.boxes] == [True] * 4
    assert ["critical" in edge.marks for edge in run.edges] == [True, False, True, True]
    assert "lost" in run.edges[1].marks


def test_fragments_are_groups_and_flows_of_operators_that_are_gone_are_left_out():
    snapshot = replace(
        faces(),
        operators=(
            operator("camera", 0.01, fragment="edge"),
            operator("track", 0.01, fragment="view"),
            operator("screen", 0.01, fragment="view"),
        ),
        flows=(
            flow("camera.out", "track.image", link="zeromq"),
            flow("track.out", "screen.image"),
            flow("screen.state", "track.state", back_edge=True),
            flow("gone.out", "screen.other"),
        ),
    )
    graph = live_graph(snapshot)
    assert [(g.caption, list(g.boxes)) for g in graph.fragments] == [
        ("fragment edge", [0]), ("fragment view", [1, 2]),
    ]  # fmt: skip
    assert [route.back for route in lay_out(graph).edges] == [False, False, True]
