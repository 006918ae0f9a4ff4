"""A plan in the language of Graphviz."""

from __future__ import annotations

from holoflow.plan.draw.facts import flow_facts, operator_facts, output_facts, process_facts
from holoflow.plan.plan import Plan, PlannedFlow, Process, Stage


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
        lines += _process(plan, process, number)
    lines += [_flow(plan, flow) for flow in plan.flows]
    return "\n".join([*lines, "}"]) + "\n"


def _process(plan: Plan, process: Process, number: int) -> list[str]:
    body = [line for stage in process.stages for line in _stage(plan, stage)]
    if not plan.app.fragments:
        return body
    head = f"  subgraph cluster_fragment{number} {{ label={_quote(process_facts(process))}"
    return [head, *body, "  }"]


def _stage(plan: Plan, stage: Stage) -> list[str]:
    boxes = [f"  {_quote(name)} [label={_label(plan, name)}]" for name in stage.operators]
    if len(boxes) == 1:
        return boxes
    head = f"  subgraph {_quote(f'cluster_stage_{stage.name}')} {{ label=stage style=filled"
    return [f"{head} color=lightgrey", *boxes, "  }"]


def _label(plan: Plan, name: str) -> str:
    node = plan.app.operators[name]
    return _quote("\n".join([name, node.type_name, *operator_facts(node)]))


def _flow(plan: Plan, flow: PlannedFlow) -> str:
    several = len(output_facts(plan, flow.source.operator)) > 1
    ports = f"{flow.source.port} → {flow.target.port}" if several else flow.target.port
    style = "bold" if flow.fused else "solid" if flow.when_full == "block" else "dashed"
    # A back edge must not push its target to the right of its source.
    constraint = ", constraint=false" if flow.back_edge else ""
    ends = f"{_quote(flow.source.operator)} -> {_quote(flow.target.operator)}"
    label = _quote(f"{ports}\n{flow_facts(flow)}")
    return f"  {ends} [label={label}, style={style}{constraint}]"


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
