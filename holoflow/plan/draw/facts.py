"""What every picture of a plan says, in the same words."""

from __future__ import annotations

from dataclasses import dataclass

from holoflow.app.graph import START_OP, Node
from holoflow.core.operator import Operator
from holoflow.core.ports import base, type_name
from holoflow.core.text import duration, plural, size
from holoflow.plan.plan import Plan, PlannedFlow, PlannedProcess


@dataclass(frozen=True)
class PortFacts:
    """A port as a picture shows it."""

    name: str
    type: str
    """Short name of the payload type."""
    connected: bool
    latest: bool = False
    """Holds the newest value."""


def input_facts(plan: Plan, operator: str) -> list[PortFacts]:
    """Return the inputs of `operator` in its own order, then those that only the app names."""
    node = plan.app.operators[operator]
    flows = [flow for flow in plan.flows if flow.target.operator == operator]
    latest = {flow.target.port for flow in flows if flow.latest}
    used = [flow.target.port for flow in flows]
    types = _input_types(node)
    lists = {base(name) for name in used if base(name) != name}
    names = list(dict.fromkeys([*(name for name in types if name not in lists), *used]))
    shown = {name: types.get(name, "any") for name in names}
    if node.holoscan_operator is None and issubclass(node.cls, Operator):
        shown |= {name: type_name(node.cls.ports().type_of(name)) for name in used}
    return [PortFacts(n, shown[n], n in used, n in latest) for n in names]


def output_facts(plan: Plan, operator: str) -> list[PortFacts]:
    """Return the outputs of `operator` in its own order."""
    node = plan.app.operators[operator]
    used = [flow.source.port for flow in plan.flows if flow.source.operator == operator]
    types = _output_types(node)
    names = list(dict.fromkeys([*types, *used]))
    return [PortFacts(n, types.get(n, "any"), n in used) for n in names]


def _input_types(node: Node) -> dict[str, str]:
    if node.holoscan_operator is not None or not issubclass(node.cls, Operator):
        return dict.fromkeys(node.holoscan_operator.inputs if node.holoscan_operator else (), "any")
    return {name: type_name(port.type) for name, port in node.cls.ports().inputs.items()}


def _output_types(node: Node) -> dict[str, str]:
    if node.holoscan_operator is not None or not issubclass(node.cls, Operator):
        return dict.fromkeys(
            node.holoscan_operator.outputs if node.holoscan_operator else (), "any"
        )
    return {name: type_name(port.type) for name, port in node.cls.ports().outputs.items()}


def source_name(plan: Plan, flow: PlannedFlow) -> str:
    """Return the producer as an app file names it: without the port where there is but one."""
    several = len(output_facts(plan, flow.source.operator)) > 1
    return str(flow.source) if several else flow.source.operator


def flow_facts(flow: PlannedFlow) -> str:
    """Return how messages wait on `flow`, in a few words."""
    if flow.fused:
        return "direct call"
    words: list[str] = [] if flow.link == "none" else [flow.link]
    if flow.link == "zeromq" and flow.compress != "none":
        words.append(f"jpeg {flow.quality}" if flow.compress == "jpeg" else flow.compress)
    if flow.link == "zeromq" and not flow.encrypt:
        words.append("not encrypted")
    words.append("newest value" if flow.latest else f"queue {flow.queue}")
    if not flow.lossless and not flow.latest:
        words.append(flow.when_full)
    if flow.back_edge:
        words.append("back edge")
    return ", ".join(words)


def operator_facts(node: Node) -> list[str]:
    """Return what is said of an operator only where it is out of the ordinary."""
    facts = []
    if node.sync == "arrival":
        facts.append("sync: arrival")
    elif node.sync is not None:
        facts.append(f"sync: {node.sync.leader} leads, ±{duration(node.sync.tolerance)}")
    if node.on_error != "stop":
        facts.append(f"on error: {node.on_error}")
    if node.after:
        names = ("start_op" if name == START_OP else name for name in node.after)
        facts.append(f"after: {', '.join(names)}")
    if node.holoscan_operator is not None and node.holoscan_operator.dynamic_flows is not None:
        facts.append("chooses its flows")
    return facts


def process_facts(process: PlannedProcess) -> str:
    """Return the name of a fragment and, as far as the app says so, what its process gets."""
    placement = process.placement
    words = [process.fragment]
    if placement.host is not None:
        words.append(f"host {placement.host}")
    if placement.port is not None:
        words.append(f"port {placement.port}")
    if placement.gpu is not None:
        words.append(f"gpu {placement.gpu}")
    if placement.cores:
        numbers = " ".join(map(str, placement.cores))
        words.append(f"core {numbers}" if len(placement.cores) == 1 else f"cores {numbers}")
    if placement.exclusive:
        words.append("exclusive")
    if placement.memory is not None:
        words.append(f"memory {size(placement.memory)}")
    if placement.restart != "never":
        words.append(f"restart {placement.restart}")
    words.append(scheduler_facts(process))
    return ", ".join(words)


def plan_facts(plan: Plan) -> str:
    """Return the size of the plan and, of a single process, how it is scheduled, in one line."""
    words = [plural(len(plan.app.operators), "operator"), plural(len(plan.stages), "stage")]
    if plan.app.fragments:
        words.append(plural(len(plan.app.fragments), "fragment"))
    else:
        words.extend(map(scheduler_facts, plan.processes))
    return ", ".join(words)


def scheduler_facts(process: PlannedProcess) -> str:
    """Return `event scheduler with 2 workers`: those that run."""
    kind = process.scheduler.kind
    workers = "" if kind == "greedy" else f" with {plural(process.workers, 'worker')}"
    return f"{kind} scheduler{workers}"
