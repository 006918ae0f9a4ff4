"""A plan as a Mermaid flowchart, which code hosts and many editors show in Markdown."""

from __future__ import annotations

from holoflow.plan.draw.facts import (
    flow_facts,
    operator_facts,
    output_facts,
    process_facts,
)
from holoflow.plan.plan import Plan, PlannedFlow, Stage


def draw_mermaid(plan: Plan) -> str:
    """Return `plan` as the text of a Mermaid flowchart.

    Fragments and fused stages are subgraphs; a dotted arrow is a flow that may drop messages, a
    thick one a call inside a stage.
    """
    ids = {name: f"op{number}" for number, name in enumerate(plan.app.operators)}
    lines = ["---", f"title: {_title(plan.app.name)}", "---", "flowchart LR"]
    for number, process in enumerate(plan.processes):
        indent = "  "
        if plan.app.fragments:
            lines.append(f'  subgraph fragment{number}["{_escape(process_facts(process))}"]')
            indent = "    "
        for stage in process.stages:
            lines += [indent + line for line in _stage(plan, stage, ids)]
        if plan.app.fragments:
            lines.append("  end")
    lines += [f"  {_flow(plan, flow, ids)}" for flow in plan.flows]
    return "\n".join(lines) + "\n"


def _stage(plan: Plan, stage: Stage, ids: dict[str, str]) -> list[str]:
    boxes = [_box(plan, name, ids) for name in stage.operators]
    if len(boxes) == 1:
        return boxes
    head = f'subgraph stage_{ids[stage.operators[0]]}["one stage"]'
    return [head, *(f"  {box}" for box in boxes), "end"]


def _box(plan: Plan, name: str, ids: dict[str, str]) -> str:
    node = plan.app.operators[name]
    facts = [node.type_name, *operator_facts(node)]
    text = "<br/>".join([f"<b>{_escape(name)}</b>", *(_escape(fact) for fact in facts)])
    return f'{ids[name]}["{text}"]'


def _flow(plan: Plan, flow: PlannedFlow, ids: dict[str, str]) -> str:
    several = len(output_facts(plan, flow.source.operator)) > 1
    ports = f"{flow.source.port} → {flow.target.port}" if several else flow.target.port
    arrow = "==>" if flow.fused else "-->" if flow.when_full == "block" else "-.->"
    label = "<br/>".join([_escape(ports), _escape(flow_facts(flow))])
    return f'{ids[flow.source.operator]} {arrow}|"{label}"| {ids[flow.target.operator]}'


def _escape(text: str) -> str:
    """Replace what Mermaid or HTML would read as markup."""
    for char, entity in {
        "#": "#35;",
        "&": "#amp;",
        '"': "#quot;",
        "<": "#lt;",
        ">": "#gt;",
    }.items():
        text = text.replace(char, entity)
    return text


def _title(text: str) -> str:
    """Quote `text` as a YAML string."""
    return "'" + text.replace("'", "''") + "'"
