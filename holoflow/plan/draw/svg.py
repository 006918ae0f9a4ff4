"""A plan as an SVG picture, for light and for dark pages, without any other program."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from itertools import pairwise, zip_longest

from holoflow.plan.draw.layout import (
    Layout,
    PortFacts,
    Slot,
    flow_facts,
    input_facts,
    lay_out,
    operator_facts,
    output_facts,
    plan_facts,
    process_facts,
)
from holoflow.plan.plan import Plan, PlannedFlow

_LINE = 17  # pixels from one line of text to the next
_HEAD = 2 * _LINE + 8  # of a box: its name and its type
_GAP = 26  # between rows
_MARGIN = 28
_LETTER = 6.7  # width of a letter at 12 pixels, generously
_STYLE = """
  svg { font: 12px system-ui, sans-serif }
  .page { fill: #fff }
  .box { fill: #fff; stroke: #57606a }
  .name { font-weight: 600; fill: #1f2328 }
  .type, .port, .facts, .label, .dot { fill: #57606a }
  .label { font-size: 10.5px; paint-order: stroke; stroke: #fff; stroke-width: 4px }
  .open { opacity: 0.45 }
  .stage { fill: #ddf4ff; stroke: #54aeff }
  .fragment { fill: none; stroke: #8c959f; stroke-dasharray: 2 4 }
  .flow { fill: none; stroke: #57606a; stroke-width: 1.4 }
  .fused { stroke: #0969da; stroke-width: 2.6 }
  .lossy { stroke-dasharray: 6 4 }
  .back { stroke: #bf3989 }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117 }
    .box { fill: #161b22; stroke: #8b949e }
    .name { fill: #e6edf3 }
    .type, .port, .facts, .label, .dot { fill: #9198a1 }
    .label { stroke: #0d1117 }
    .stage { fill: #0c2d4d; stroke: #388bfd }
    .flow { stroke: #9198a1 }
    .fused { stroke: #58a6ff }
  }
"""


@dataclass(frozen=True)
class _Box:
    """An operator's box, in pixels."""

    x: float
    y: float
    width: float
    height: float
    inputs: list[PortFacts]
    outputs: list[PortFacts]

    def anchor(self, port: str, *, out: bool) -> tuple[float, float]:
        """Return where flows of `port` touch the box."""
        names = [facts.name for facts in (self.outputs if out else self.inputs)]
        y = self.y + _HEAD + (names.index(port) + 0.5) * _LINE
        return (self.x + self.width if out else self.x), y


def draw_svg(plan: Plan) -> str:
    """Return `plan` as an SVG document.

    Fused stages stand on blue ground and are joined by thick lines, fragments in dotted frames;
    a dashed line is a flow that may drop messages. At its end stands how many may wait.
    """
    layout = lay_out(plan.app.operators, plan.processes, plan.flows)
    boxes, lanes, width, height = _measure(plan, layout)
    body = [
        *_fragments(plan, boxes),
        *_stages(plan, boxes),
        *(line for flow in plan.flows for line in _flow(flow, boxes, lanes, layout)),
        *(line for name, box in boxes.items() for line in _operator(plan, name, box)),
    ]
    title = f"{plan.app.name}: {plan_facts(plan)}"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
            f'viewBox="0 0 {width:.0f} {height:.0f}" role="img">',
            f"<title>{escape(title)}</title><style>{_STYLE}</style>",
            f'<rect class="page" width="{width:.0f}" height="{height:.0f}"/>',
            _text(_MARGIN, 20, "facts", title),
            *body,
            "</svg>\n",
        ]
    )


def _measure(plan: Plan, layout: Layout) -> tuple[dict[str, _Box], dict[Slot, float], float, float]:
    """Return the boxes, the height at which flows pass in each slot, and the picture's size."""
    ports = {n: (input_facts(plan, n), output_facts(plan, n)) for n in layout.operators}
    sizes = {name: _size(plan, name, *ports[name]) for name in layout.operators}
    row_height: dict[tuple[int, int], float] = {}
    for slots in layout.passes.values():
        for slot in slots:
            row_height.setdefault((slot.band, slot.row), _LINE)
    column_width: dict[int, float] = {}
    for name, slot in layout.operators.items():
        wide, high = sizes[name]
        key = (slot.band, slot.row)
        row_height[key] = max(row_height.get(key, 0), high)
        column_width[slot.column] = max(column_width.get(slot.column, 0), wide)
    top: dict[tuple[int, int], float] = {}
    y, band = 44.0, 0
    for key in sorted(row_height):
        y += 30 * (key[0] - band)  # room for the frames of fragments
        band = key[0]
        top[key] = y + (22 if plan.app.fragments and key[1] == 0 else 0)
        y = top[key] + row_height[key] + _GAP
    labels = [len(_label(flow)) for flow in plan.flows]
    gap = 44 + 5.8 * max(labels, default=0)
    left: dict[int, float] = {}
    x = float(_MARGIN)
    for column in sorted(column_width):
        left[column] = x
        x += column_width[column] + gap
    boxes = {
        name: _Box(left[slot.column], top[slot.band, slot.row], *sizes[name], *ports[name])
        for name, slot in layout.operators.items()
    }
    lanes = {
        slot: top[slot.band, slot.row] + row_height[slot.band, slot.row] / 2
        for slots in layout.passes.values()
        for slot in slots
    }
    right = max((box.x + box.width for box in boxes.values()), default=0)
    title = _MARGIN + _LETTER * len(f"{plan.app.name}: {plan_facts(plan)}")
    return boxes, lanes, max(right, title) + _MARGIN, y + 6


def _size(
    plan: Plan, name: str, inputs: list[PortFacts], outputs: list[PortFacts]
) -> tuple[float, float]:
    node = plan.app.operators[name]
    rows = zip_longest(map(_port, inputs), map(_port, outputs), fillvalue="")
    ways = max((len(given) + len(sent) + 4 for given, sent in rows), default=0)
    letters = max(
        len(name) + 2, len(node.type_name) + 2, ways, *map(len, ["", *operator_facts(node)])
    )
    lines = max(len(inputs), len(outputs)) + len(operator_facts(node))
    return max(120, letters * _LETTER + 16), _HEAD + lines * _LINE + 8


def _port(port: PortFacts) -> str:
    return port.type if port.name == "out" else f"{port.name}: {port.type}"


def _operator(plan: Plan, name: str, box: _Box) -> list[str]:
    node = plan.app.operators[name]
    lines = [
        f'<rect class="box" x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" '
        f'height="{box.height:.1f}" rx="7"/>',
        _text(box.x + 10, box.y + _LINE, "name", name),
        _text(box.x + 10, box.y + 2 * _LINE, "type", node.type_name),
    ]
    for out, ports in ((False, box.inputs), (True, box.outputs)):
        for port in ports:
            x, middle = box.anchor(port.name, out=out)
            unused = "" if port.connected else " open"
            lines.append(f'<circle class="dot{unused}" cx="{x:.1f}" cy="{middle:.1f}" r="3"/>')
            inside = x - 10 if out else x + 10
            lines.append(_text(inside, middle + 4, f"port{unused}", _port(port), end=out))
    y = box.y + _HEAD + (max(len(box.inputs), len(box.outputs)) + 0.75) * _LINE
    for fact in operator_facts(node):
        lines.append(_text(box.x + 10, y, "facts", fact))
        y += _LINE
    return lines


def _flow(
    flow: PlannedFlow, boxes: dict[str, _Box], lanes: dict[Slot, float], layout: Layout
) -> list[str]:
    begin = boxes[flow.source.operator].anchor(flow.source.port, out=True)
    end = boxes[flow.target.operator].anchor(flow.target.port, out=False)
    lossy = flow.when_full != "block" and not flow.fused
    classes = " ".join(
        ["flow"] + ["fused"] * flow.fused + ["lossy"] * lossy + ["back"] * flow.back_edge
    )
    if flow.back_edge:
        low = max(box.y + box.height for box in boxes.values()) + 14
        way = (
            f"M{begin[0]:.1f} {begin[1]:.1f} C{begin[0] + 60:.1f} {begin[1]:.1f} "
            f"{begin[0] + 60:.1f} {low:.1f} {begin[0]:.1f} {low:.1f} L{end[0]:.1f} {low:.1f} "
            f"C{end[0] - 60:.1f} {low:.1f} {end[0] - 60:.1f} {end[1]:.1f} {end[0]:.1f} {end[1]:.1f}"
        )
    else:
        way = _way(begin, end, flow, boxes, lanes, layout)
    title = f"{flow.source} to {flow.target}: {flow_facts(flow)}"
    return [
        f'<path class="{classes}" d="{way}"><title>{escape(title)}</title></path>',
        _text(end[0] - 8, end[1] - 5, "label", _label(flow), end=True),
    ]


def _way(
    begin: tuple[float, float], end: tuple[float, float], flow: PlannedFlow,
    boxes: dict[str, _Box], lanes: dict[Slot, float], layout: Layout,
) -> str:  # fmt: skip
    """Return the path of a flow through the slots that are kept for it."""
    points = [begin]
    for slot in layout.passes.get(flow, []):
        inside = [boxes[n] for n, s in layout.operators.items() if s.column == slot.column]
        left = min(box.x for box in inside)
        right = max(box.x + box.width for box in inside)
        points += [(left, lanes[slot]), (right, lanes[slot])]
    points.append(end)
    way = f"M{begin[0]:.1f} {begin[1]:.1f}"
    for (x0, y0), (x1, y1) in pairwise(points):
        middle = (x0 + x1) / 2
        way += f" C{middle:.1f} {y0:.1f} {middle:.1f} {y1:.1f} {x1:.1f} {y1:.1f}"
    return way


def _label(flow: PlannedFlow) -> str:
    """Return what stands at the end of a flow."""
    return "" if flow.fused else flow_facts(flow)


def _stages(plan: Plan, boxes: dict[str, _Box]) -> list[str]:
    return [
        _frame([boxes[name] for name in stage.operators], "stage", 9)
        for stage in plan.stages
        if len(stage.operators) > 1
    ]


def _fragments(plan: Plan, boxes: dict[str, _Box]) -> list[str]:
    lines = []
    for process in plan.processes if plan.app.fragments else ():
        inside = [boxes[name] for stage in process.stages for name in stage.operators]
        if inside:
            lines.append(_frame(inside, "fragment", 18, head=12))
            x, y = min(b.x for b in inside) - 10, min(b.y for b in inside) - 16
            lines.append(_text(x, y, "facts", f"fragment {process_facts(process)}"))
    return lines


def _frame(boxes: list[_Box], kind: str, margin: float, head: float = 0) -> str:
    x, y = min(b.x for b in boxes) - margin, min(b.y for b in boxes) - margin - head
    right = max(b.x + b.width for b in boxes) + margin
    low = max(b.y + b.height for b in boxes) + margin
    return (
        f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{right - x:.1f}" '
        f'height="{low - y:.1f}" rx="11"/>'
    )


def _text(x: float, y: float, kind: str, text: str, *, end: bool = False) -> str:
    if not text:
        return ""
    anchor = ' text-anchor="end"' if end else ""
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}"{anchor}>{escape(text)}</text>'
