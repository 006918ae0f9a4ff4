"""A plan for a terminal: one line per operator, with rails at the left like a commit graph.

    faces: 4 operators, 4 stages, event scheduler with 2 workers

      ●    camera   capture.video → Image
      ├─●  detect   ./face_detector.py:FaceDetectorOp → Boxes
      │ │    image ← camera   queue 2
      ●─╯  overlay  visualize.overlay → Image
      │      image ← camera   queue 2
      │      boxes ← detect   queue 2, drop_oldest
      ●    screen   visualize.web
             image ← overlay  queue 2

A dot is an operator, a rail what it sends. Operators that are fused into one stage have a bracket
at the left.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from holoflow.plan.draw.facts import (
    flow_facts,
    operator_facts,
    output_facts,
    plan_facts,
    process_facts,
    source_name,
)
from holoflow.plan.plan import Plan, PlannedFlow, PlannedProcess, PlannedStage


@dataclass(frozen=True)
class _Row:
    """A line before alignment: the bracket of the stage, the rails, and the text beside them."""

    bracket: str
    rails: str
    text: str


def draw_text(plan: Plan, *, width: int = 80) -> str:
    """Return `plan` as lines of at most `width` characters, the last without a line end."""
    rows = _rows(plan)
    rails = max((len(row.rails) for row in rows), default=0)
    lines = [f"{plan.app.name}: {plan_facts(plan)}", ""]
    lines += [f"{row.bracket} {row.rails:<{rails}}  {row.text}" for row in rows]
    if plan.notices:
        lines += ["", *(f"note: {notice}" for notice in plan.notices)]
    return "\n".join(_cut(line.rstrip(), width) for line in lines)


def _rows(plan: Plan) -> list[_Row]:
    inputs: dict[str, list[PlannedFlow]] = {name: [] for name in plan.app.operators}
    open_flows: dict[str, int] = dict.fromkeys(plan.app.operators, 0)
    for flow in plan.flows:
        inputs[flow.target.operator].append(flow)
        open_flows[flow.source.operator] += not flow.back_edge
    name_width = max((len(name) for name in plan.app.operators), default=0)
    rows: list[_Row] = []
    lanes: list[str | None] = []  # the operator whose messages run down each rail
    fragment = None
    for process, stage in _placed_stages(plan.app.operators, plan.processes, plan.flows):
        if plan.app.fragments and process.fragment != fragment:
            fragment = process.fragment
            rows.append(_Row(" ", _running(lanes), f"── fragment {process_facts(process)}"))
        lines: list[tuple[str, str]] = []
        for name in stage.operators:
            sources = {f.source.operator for f in inputs[name] if not f.back_edge}
            for flow in inputs[name]:
                open_flows[flow.source.operator] -= not flow.back_edge
            ending = {source for source in sources if open_flows[source] == 0}
            lanes, drawn = _meet(lanes, name, sources, ending, ends=open_flows[name] == 0)
            lines.append((drawn, f"{name:<{name_width}}  {_signature(plan, name)}"))
            below = _running(lanes)
            details = [*_flow_lines(plan, inputs[name]), *operator_facts(plan.app.operators[name])]
            lines += [(below, f"  {detail}") for detail in details]
        brackets = _bracket(len(lines)) if len(stage.operators) > 1 else " " * len(lines)
        rows += [_Row(b, *line) for b, line in zip(brackets, lines, strict=True)]
    return rows


def _signature(plan: Plan, name: str) -> str:
    outputs = output_facts(plan, name)
    sent = ", ".join(o.type if o.name == "out" else f"{o.name}: {o.type}" for o in outputs)
    type_name = plan.app.operators[name].type_name
    return f"{type_name} → {sent}" if sent else type_name


def _flow_lines(plan: Plan, flows: Sequence[PlannedFlow]) -> list[str]:
    wired = [f"{flow.target.port} ← {source_name(plan, flow)}" for flow in flows]
    widest = max(map(len, wired), default=0)
    return [f"{w:<{widest}}  {flow_facts(f)}" for w, f in zip(wired, flows, strict=True)]


def _meet(
    lanes: list[str | None], name: str, sources: set[str], ending: set[str], *, ends: bool
) -> tuple[list[str | None], str]:
    """Draw the row of operator `name`, fed by the rails of `sources`.

    Rails in `ending` end here; the operator's own rail replaces the leftmost of them, or uses a
    free lane to the right of its sources. Returns the lanes below the row, and the row.
    """
    joined = [i for i, lane in enumerate(lanes) if lane in sources]
    freed = [i for i in joined if lanes[i] in ending]
    first = joined[0] if joined else 0
    free = [i for i, lane in enumerate(lanes) if lane is None and i >= first]
    dot = freed[0] if freed else free[0] if free else len(lanes)
    row = [*lanes] + [None] * (dot + 1 - len(lanes))
    low, high = min([dot, *joined]), max([dot, *joined])
    drawn = ""
    for i, lane in enumerate(row):
        if i == dot:
            mark = "●"
        elif i in joined:
            mark = _junction(continues=i not in freed, first=i == low, last=i == high)
        elif lane is not None:
            mark = "│"
        else:
            mark = "─" if low < i < high else " "
        drawn += mark + ("─" if low <= i < high else " ")
    below = [None if i in freed else lane for i, lane in enumerate(row)]
    below[dot] = None if ends else name
    while below and below[-1] is None:
        below.pop()
    return below, drawn.rstrip()


def _junction(*, continues: bool, first: bool, last: bool) -> str:
    if first:
        return "├" if continues else "╰"
    if last:
        return "┤" if continues else "╯"
    return "┼" if continues else "┴"


def _running(lanes: Sequence[str | None]) -> str:
    return " ".join("│" if lane is not None else " " for lane in lanes).rstrip()


def _bracket(height: int) -> str:
    return "╭" + "│" * (height - 2) + "╰"


def _cut(line: str, width: int) -> str:
    return line if len(line) <= width else line[: width - 1] + "…"


def _placed_stages(
    operators: Iterable[str], processes: Sequence[PlannedProcess], flows: Sequence[PlannedFlow]
) -> Iterator[tuple[PlannedProcess, PlannedStage]]:
    """Yield the stages so that each comes after those that feed it, back edges aside.

    As far as that allows, stages of one fragment stay together and in the order of `operators`,
    which is that of the file.
    """
    process_of = {stage: process for process in processes for stage in process.stages}
    stage_of = {name: stage for stage in process_of for name in stage.operators}
    waits_for: dict[PlannedStage, set[PlannedStage]] = {stage: set() for stage in process_of}
    feeds: dict[PlannedStage, list[PlannedStage]] = {stage: [] for stage in process_of}
    for flow in flows:
        source, target = stage_of[flow.source.operator], stage_of[flow.target.operator]
        if source is not target and not flow.back_edge:
            waits_for[target].add(source)
            feeds[source].append(target)
    file_order = {name: number for number, name in enumerate(operators)}
    place = {stage: file_order[stage.operators[0]] for stage in process_of}
    ready = [stage for stage in process_of if not waits_for[stage]]
    current: PlannedProcess | None = None
    while ready:
        stage = min(ready, key=lambda s: (process_of[s] is not current, place[s]))
        ready.remove(stage)
        current = process_of[stage]
        yield current, stage
        for fed in dict.fromkeys(feeds[stage]):
            waits_for[fed].discard(stage)
            if not waits_for[fed]:
                ready.append(fed)
