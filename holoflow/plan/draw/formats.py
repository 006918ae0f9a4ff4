"""A plan as plain data, for Graphviz, as a Mermaid flowchart, and as a picture."""

from __future__ import annotations

from typing import Any

from holoflow.app.graph import Sync
from holoflow.plan.draw.facts import (
    PortFacts,
    flow_facts,
    input_facts,
    operator_facts,
    output_facts,
    plan_facts,
    process_facts,
)
from holoflow.plan.draw.graph import Box, Edge, Graph, Group, Port, Words
from holoflow.plan.draw.svg import document
from holoflow.plan.plan import Plan, PlannedFlow, PlannedProcess, PlannedStage


def describe(plan: Plan) -> dict[str, Any]:
    """Return `plan` as data that JSON can hold."""
    return {
        "app": plan.app.name,
        "operators": [_operator(plan, name) for name in plan.app.operators],
        "flows": [_flow_data(flow) for flow in plan.flows],
        "processes": [_process_data(process) for process in plan.processes],
        "notices": list(plan.notices),
    }


def _operator(plan: Plan, name: str) -> dict[str, Any]:
    node = plan.app.operators[name]
    return {
        "name": name,
        "type": node.type_name,
        "stage": plan.stage_of[name].name,
        "inputs": [_port(port) for port in input_facts(plan, name)],
        "outputs": [_port(port) for port in output_facts(plan, name)],
        "on_error": node.on_error,
        "sync": {
            "leader": node.sync.leader,
            "tolerance_s": node.sync.tolerance,
            "timeout_s": node.sync.timeout,
        }
        if isinstance(node.sync, Sync)
        else node.sync,
    }


def _port(port: PortFacts) -> dict[str, Any]:
    return {"name": port.name, "type": port.type, "connected": port.connected}


def _flow_data(flow: PlannedFlow) -> dict[str, Any]:
    return {
        "from": str(flow.source),
        "to": str(flow.target),
        "fused": flow.fused,
        "queue": flow.queue,
        "when_full": flow.when_full,
        "latest": flow.latest,
        "back_edge": flow.back_edge,
        "link": flow.link,
        "compress": flow.compress,
        "quality": flow.quality if flow.compress == "jpeg" else None,
        "encrypt": flow.encrypt,
    }


def _process_data(process: PlannedProcess) -> dict[str, Any]:
    placement = process.placement
    return {
        "fragment": process.fragment,
        "host": placement.host,
        "port": placement.port,
        "gpu": placement.gpu,
        "cores": list(placement.cores),
        "exclusive": placement.exclusive,
        "environment": dict(placement.environment),
        "memory": placement.memory,
        "hang_s": placement.hang,
        "restart": placement.restart,
        "restarts": placement.restarts,
        "scheduler": {
            "kind": process.scheduler.kind,
            "workers": process.workers,
            "cores": list(process.scheduler.cores),
        },
        "stages": [list(stage.operators) for stage in process.stages],
    }


def draw_dot(plan: Plan) -> str:
    """Return `plan` as a Graphviz digraph.

    Fragments and fused stages are clusters; a dashed edge is a flow that may drop messages, a
    bold one a call inside a stage.
    """
    lines = [
        f"digraph {_quote(plan.app.name)} {{",
        "  rankdir=LR",
        '  node [shape=box, style=rounded, fontname="sans-serif"]',
        '  edge [fontname="sans-serif", fontsize=10]',
    ]
    for number, process in enumerate(plan.processes):
        lines += _dot_process(plan, process, number)
    lines += [_dot_flow(plan, flow) for flow in plan.flows]
    return "\n".join([*lines, "}"]) + "\n"


def _dot_process(plan: Plan, process: PlannedProcess, number: int) -> list[str]:
    body = [line for stage in process.stages for line in _dot_stage(plan, stage)]
    if not plan.app.fragments:
        return body
    head = f"  subgraph cluster_fragment{number} {{ label={_quote(process_facts(process))}"
    return [head, *body, "  }"]


def _dot_stage(plan: Plan, stage: PlannedStage) -> list[str]:
    boxes = [f"  {_quote(name)} [label={_label(plan, name)}]" for name in stage.operators]
    if len(boxes) == 1:
        return boxes
    head = f"  subgraph {_quote(f'cluster_stage_{stage.name}')} {{ label=stage style=filled"
    return [f"{head} color=lightgrey", *boxes, "  }"]


def _label(plan: Plan, name: str) -> str:
    node = plan.app.operators[name]
    return _quote("\n".join([name, node.type_name, *operator_facts(node)]))


def _dot_flow(plan: Plan, flow: PlannedFlow) -> str:
    several = len(output_facts(plan, flow.source.operator)) > 1
    ports = f"{flow.source.port} → {flow.target.port}" if several else flow.target.port
    style = "bold" if flow.fused else "solid" if flow.lossless else "dashed"
    # A back edge must not push its target to the right of its source.
    constraint = ", constraint=false" if flow.back_edge else ""
    ends = f"{_quote(flow.source.operator)} -> {_quote(flow.target.operator)}"
    label = _quote(f"{ports}\n{flow_facts(flow)}")
    return f"  {ends} [label={label}, style={style}{constraint}]"


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


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
            lines += [indent + line for line in _mermaid_stage(plan, stage, ids)]
        if plan.app.fragments:
            lines.append("  end")
    lines += [f"  {_mermaid_flow(plan, flow, ids)}" for flow in plan.flows]
    return "\n".join(lines) + "\n"


def _mermaid_stage(plan: Plan, stage: PlannedStage, ids: dict[str, str]) -> list[str]:
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


def _mermaid_flow(plan: Plan, flow: PlannedFlow, ids: dict[str, str]) -> str:
    several = len(output_facts(plan, flow.source.operator)) > 1
    ports = f"{flow.source.port} → {flow.target.port}" if several else flow.target.port
    arrow = "==>" if flow.fused else "-->" if flow.lossless else "-.->"
    label = "<br/>".join([_escape(ports), _escape(flow_facts(flow))])
    return f'{ids[flow.source.operator]} {arrow}|"{label}"| {ids[flow.target.operator]}'


def _escape(text: str) -> str:
    """Escape what Mermaid or HTML would read as markup."""
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


def draw_svg(plan: Plan) -> str:
    """Return `plan` as an SVG document.

    Fused stages are on blue ground and joined by thick lines, fragments in dotted frames; a
    dashed line is a flow that may drop messages. At its end is said how many may wait.
    """
    return document(plan_graph(plan))


def plan_graph(plan: Plan) -> Graph:
    """Return the operators of `plan` with their ports, and its flows with how messages wait."""
    numbers = {name: number for number, name in enumerate(plan.app.operators)}
    return Graph(
        f"{plan.app.name}: {plan_facts(plan)}",
        [_drawn_box(plan, name) for name in plan.app.operators],
        [_drawn_edge(flow, numbers) for flow in plan.flows],
        [
            [numbers[name] for name in stage.operators]
            for stage in plan.stages
            if len(stage.operators) > 1
        ],
        [
            Group(f"fragment {process_facts(process)}", boxes)
            for process in (plan.processes if plan.app.fragments else ())
            if (boxes := [numbers[n] for stage in process.stages for n in stage.operators])
        ],
    )


def _drawn_box(plan: Plan, name: str) -> Box:
    node = plan.app.operators[name]
    return Box(
        name,
        [(Words("name", name), None), (Words("type", node.type_name), None)],
        [_drawn_port(port) for port in input_facts(plan, name)],
        [_drawn_port(port) for port in output_facts(plan, name)],
        [Words("facts", fact) for fact in operator_facts(node)],
    )


def _drawn_port(port: PortFacts) -> Port:
    text = port.type if port.name == "out" else f"{port.name}: {port.type}"
    return Port(port.name, text, port.connected)


def _drawn_edge(flow: PlannedFlow, numbers: dict[str, int]) -> Edge:
    marks = ["fused"] * flow.fused
    marks += ["lossy"] * (not flow.fused and not flow.lossless)
    facts = flow_facts(flow)
    return Edge(
        numbers[flow.source.operator],
        numbers[flow.target.operator],
        flow.source.port,
        flow.target.port,
        flow.back_edge,
        () if flow.fused else (Words("facts", facts),),
        marks=marks,
        title=f"{flow.source} to {flow.target}: {facts}",
    )
