"""A plan as a graph to be drawn."""

from __future__ import annotations

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
from holoflow.plan.plan import Plan, PlannedFlow


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
        [_box(plan, name) for name in plan.app.operators],
        [_edge(flow, numbers) for flow in plan.flows],
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


def _box(plan: Plan, name: str) -> Box:
    node = plan.app.operators[name]
    return Box(
        name,
        [(Words("name", name), None), (Words("type", node.type_name), None)],
        [_port(port) for port in input_facts(plan, name)],
        [_port(port) for port in output_facts(plan, name)],
        [Words("facts", fact) for fact in operator_facts(node)],
    )


def _port(port: PortFacts) -> Port:
    text = port.type if port.name == "out" else f"{port.name}: {port.type}"
    return Port(port.name, text, port.connected)


def _edge(flow: PlannedFlow, numbers: dict[str, int]) -> Edge:
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
