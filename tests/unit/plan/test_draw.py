"""Pictures of a plan show everything in it, and nothing twice in one place."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from dataclasses import replace

from hypothesis import given, settings
from support.graphs import Add, Join, Sink, Source, Split, app, flow, node
from support.random_graphs import random_graphs

from holoflow.app.graph import App, Fragment, Scheduler
from holoflow.plan import Plan, plan
from holoflow.plan.draw import describe, draw_dot, draw_mermaid, draw_svg, draw_text

SVG = "{http://www.w3.org/2000/svg}"


def example() -> App:
    return app(
        [
            node("source", Source, {"n": 3}),
            node("split", Split),
            node("add", Add),
            node("join", Join),
            node("sink", Sink),
        ],
        [
            flow("source", "split"),
            flow("split.low", "add"),
            flow("add", "join.a"),
            flow("split.high", "join.b", when_full="drop_oldest", queue=3),
            flow("join", "sink"),
        ],
    )


def boxes(svg: str) -> list[tuple[float, float, float, float]]:
    """Left, top, right and bottom of every operator's box."""
    found = [r for r in ET.fromstring(svg).iter(f"{SVG}rect") if r.get("class") == "box"]
    numbers = [[float(r.attrib[key]) for key in ("x", "y", "width", "height")] for r in found]
    return [(x, y, x + width, y + height) for x, y, width, height in numbers]


def overlap(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


@given(random_graphs())
@settings(max_examples=60)
def test_boxes_stand_apart_within_the_picture(drawn: App) -> None:
    planned = plan(drawn)

    svg = draw_svg(planned)

    found = boxes(svg)
    assert len(found) == len(drawn.operators)
    for index, box in enumerate(found):
        assert not any(overlap(box, other) for other in found[index + 1 :])
    root = ET.fromstring(svg)
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    assert all(b[0] > 0 and b[2] < width and b[1] > 0 and b[3] < height for b in found)
    assert len(list(root.iter(f"{SVG}path"))) == len(drawn.flows)


@given(random_graphs())
@settings(max_examples=60)
def test_a_fused_stage_is_a_straight_run_with_nobody_else_on_its_ground(drawn: App) -> None:
    planned = plan(drawn)
    root = ET.fromstring(draw_svg(planned))
    grounds = [r for r in root.iter(f"{SVG}rect") if r.get("class") == "stage"]

    fused = [stage for stage in planned.stages if len(stage.operators) > 1]

    assert len(grounds) == len(fused)
    found = boxes(draw_svg(planned))
    for ground, stage in zip(grounds, fused, strict=True):
        x, y, width, height = (float(ground.attrib[k]) for k in ("x", "y", "width", "height"))
        on_it = [box for box in found if overlap(box, (x, y, x + width, y + height))]
        assert len(on_it) == len(stage.operators)
        assert len({top for _, top, _, _ in on_it}) == 1


def everything(planned: Plan) -> list[str]:
    return [*planned.app.operators, *(n.type_name for n in planned.app.operators.values())]


def test_every_picture_names_every_operator_and_its_type() -> None:
    planned = plan(example())
    for draw in (draw_text, draw_mermaid, draw_dot, draw_svg):
        text = draw(planned)
        for word in everything(planned):
            assert word in text, (draw.__name__, word)
        assert "drop_oldest" in text


def test_the_text_fits_the_terminal() -> None:
    lines = draw_text(plan(example()), width=60).splitlines()
    assert max(map(len, lines)) <= 60


def test_fragments_are_framed() -> None:
    fragments = {
        "edge": Fragment("edge", ("source", "split"), host="edge-a"),
        "view": Fragment("view", ("add", "join", "sink"), gpu=1),
    }
    planned = plan(replace(example(), fragments=fragments))

    svg, text = draw_svg(planned), draw_text(planned)

    assert "fragment edge, host edge-a" in svg
    assert "fragment view, gpu 1" in text
    root = ET.fromstring(svg)
    assert len([r for r in root.iter(f"{SVG}rect") if r.get("class") == "fragment"]) == 2


def test_what_fragments_get_is_shown() -> None:
    placed = Fragment(
        "edge", ("source", "split"), host="a", port=7500, gpu=1, cores=(0, 2), exclusive=True,
        memory=1_500_000_000, restart="always", scheduler=Scheduler("greedy", 1),
        environment={"A": "1"},
    )  # fmt: skip
    graph = example()
    flows = [replace(f, compress="jpeg", quality=70, encrypt=False) for f in graph.flows]
    fragments = {"edge": placed, "view": Fragment("view", ("add", "join", "sink"), cores=(3,))}
    planned = plan(replace(graph, fragments=fragments, flows=tuple(flows)))

    text, described = draw_text(planned, width=300), describe(planned)

    assert (
        "fragment edge, host a, port 7500, gpu 1, cores 0 2, exclusive, memory 1.5 GB, "
        "restart always, greedy scheduler"
    ) in text
    assert "fragment view, core 3" in text
    assert "zeromq, jpeg 70, not encrypted, queue 2" in text
    process = described["processes"][0]
    assert (process["port"], process["cores"], process["memory"]) == (7500, [0, 2], 1_500_000_000)
    assert (process["environment"], process["restart"]) == ({"A": "1"}, "always")
    flow_out = next(flow for flow in described["flows"] if flow["link"] == "zeromq")
    assert (flow_out["compress"], flow_out["quality"]) == ("jpeg", 70)
    assert json.loads(json.dumps(described)) == described


def test_markup_in_names_is_text() -> None:
    hostile = replace(example(), name='<script>"&')
    svg = draw_svg(plan(hostile))
    assert "<script>" not in svg
    assert ET.fromstring(svg) is not None


def test_the_description_is_plain_data() -> None:
    described = json.loads(json.dumps(describe(plan(example()))))
    assert [operator["name"] for operator in described["operators"]] == list(example().operators)
    assert {flow["to"] for flow in described["flows"]} >= {"join.a", "join.b"}
