"""A graph as SVG: the same drawing for `holoflow graph`, the report's page and the live page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from importlib import resources

from holoflow.core.markup import Html, Value, el, join
from holoflow.plan.draw.graph import LINE, PAD, TEXT, Box, Edge, Graph, Words
from holoflow.plan.draw.layout import Layout, Point, Rectangle, Route, lay_out

HEAD = 7.0
"""Pixels of the head of an arrow."""
BAR = 5.0
"""Height of a bar in pixels."""
TITLE = 34.0
"""Height of the line with the title of a picture of its own."""


def draw(graph: Graph, *, tall: bool = False) -> Html:
    """Return `graph` as an element of a page that has the `style()`.

    Boxes are `g.operator`, edges `g.flow`, their labels `text.label`, each in the order of the
    graph; `tall` leads downwards instead of to the right. Nothing in it is markup but what is
    drawn here, whatever names hold.
    """
    layout = lay_out(graph, tall=tall)
    return _svg(graph, layout.width, layout.height, *_parts(graph, layout))


def document(graph: Graph) -> str:
    """Return `graph` as an SVG file, for light and for dark surroundings, with its title above."""
    layout = lay_out(graph)
    width = max(layout.width, TEXT * len(graph.title) + 24)
    height = layout.height + TITLE
    drawn = _svg(
        graph, width, height,
        el("title", graph.title),
        el("style", Html(style())),
        el("rect", class_="paper", width=width, height=height),
        el("text", graph.title, class_="facts", x=12, y=21),
        el("g", *_parts(graph, layout), transform=f"translate(0 {TITLE:.0f})"),
        xmlns="http://www.w3.org/2000/svg",
    )  # fmt: skip
    return f"{drawn}\n"


@cache
def style() -> str:
    """Return the style sheet of all drawn graphs."""
    return (resources.files(__package__) / "graph.css").read_text(encoding="utf-8")


def _svg(graph: Graph, width: float, height: float, *parts: Html, **attributes: Value) -> Html:
    return el(
        "svg", *parts, class_="graph", viewBox=f"0 0 {width:.0f} {height:.0f}", width=width,
        height=height, role="img", aria_label=graph.title, **attributes,
    )  # fmt: skip


def _parts(graph: Graph, layout: Layout) -> Iterator[Html]:
    """Yield what is drawn, from the back to the front: labels are over all lines."""
    for frame, group, at in zip(layout.fragments, graph.fragments, layout.captions, strict=True):
        yield _rectangle("fragment", frame, rx=11)
        yield _text(at, Words("caption", group.caption))
    for frame in layout.stages:
        yield _rectangle("stage", frame, rx=10)
    for edge, route in zip(graph.edges, layout.edges, strict=True):
        yield _edge(edge, route, layout.tall)
    for box, frame in zip(graph.boxes, layout.boxes, strict=True):
        yield _box(box, frame, ports=not layout.tall)
    for edge, route in zip(graph.edges, layout.edges, strict=True):
        yield _label(edge, route, layout.tall)


def _rectangle(kind: str, frame: Rectangle, **attributes: Value) -> Html:
    return el(
        "rect", class_=kind, x=frame.x, y=frame.y, width=frame.width, height=frame.height,
        **attributes,
    )  # fmt: skip


def _text(at: Point, words: Words, *, end: bool = False) -> Html:
    return el(
        "text", words.text, class_=words.kind, x=at[0], y=at[1],
        text_anchor="end" if end else None,
    )  # fmt: skip


def _edge(edge: Edge, route: Route, tall: bool) -> Html:
    x, y = route.end
    long, half = HEAD, HEAD / 2
    corners: Sequence[Point] = (
        [(x - half, y - long), (x, y), (x + half, y - long)]
        if tall
        else [(x - long, y - half), (x, y), (x - long, y + half)]
    )
    return el(
        "g",
        el("title", edge.title) if edge.title else None,
        el("path", class_="way", d=route.path),
        el("polygon", class_="head", points=" ".join(f"{x:.1f},{y:.1f}" for x, y in corners)),
        class_=" ".join(["flow", *["back"] * route.back, *edge.marks]),
    )


def _label(edge: Edge, route: Route, tall: bool) -> Html:
    pieces = (el("tspan", words.text, class_=words.kind) for words in edge.label)
    x, y = route.label
    return el(
        "text", *pieces, class_=" ".join(["label", *edge.marks]), x=x, y=y,
        text_anchor=None if tall else "end",
    )  # fmt: skip


def _box(box: Box, frame: Rectangle, *, ports: bool) -> Html:
    left, right = frame.x + PAD, frame.x + frame.width - PAD
    parts = [_rectangle("box", frame, rx=7)]
    y = frame.y + LINE + 1
    for begins, ends in box.lines:
        parts.append(_text((left, y), begins))
        if ends is not None:
            parts.append(_text((right, y), ends, end=True))
        y += LINE
    parts += _ports(box, frame, dots=ports)
    y += LINE * max(len(box.inputs), len(box.outputs)) + (4 if box.inputs or box.outputs else 0)
    for note in box.notes:
        parts.append(_text((left, y), note))
        y += LINE
    if box.level is not None:
        bar = Rectangle(left, frame.y + frame.height - 2 * BAR - 2, frame.width - 2 * PAD, BAR)
        parts.append(_rectangle("track", bar, rx=2.5))
        filled = Rectangle(bar.x, bar.y, bar.width * min(max(box.level, 0.0), 1.0), BAR)
        parts.append(_rectangle("level", filled, rx=2.5))
    return el(
        "g",
        el("title", box.title) if box.title else None,
        join(*parts),
        class_=" ".join(["operator", *box.marks]),
    )


def _ports(box: Box, frame: Rectangle, *, dots: bool) -> Iterator[Html]:
    for ports, out in ((box.inputs, False), (box.outputs, True)):
        for number, port in enumerate(ports):
            x = frame.x + frame.width if out else frame.x
            y = frame.y + box.ports_top + LINE * (number + 0.5)
            open_ = "" if port.connected else " open"
            if dots and (out or not port.connected):
                yield el("circle", class_=f"dot{open_}", cx=x, cy=y, r=3)
            yield _text(
                (x - PAD if out else x + PAD, y + 4), Words(f"port{open_}", port.text), end=out
            )
