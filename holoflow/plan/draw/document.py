"""The plan as plain data, for other programs."""

from __future__ import annotations

from typing import Any

from holoflow.app.graph import Sync
from holoflow.plan.draw.facts import PortFacts, input_facts, output_facts
from holoflow.plan.plan import Plan, PlannedFlow, Process


def describe(plan: Plan) -> dict[str, Any]:
    """Return `plan` as data that JSON can hold."""
    return {
        "app": plan.app.name,
        "operators": [_operator(plan, name) for name in plan.app.operators],
        "flows": [_flow(flow) for flow in plan.flows],
        "processes": [_process(process) for process in plan.processes],
        "notices": list(plan.notices),
    }


def _operator(plan: Plan, name: str) -> dict[str, Any]:
    node = plan.app.operators[name]
    return {
        "name": name,
        "type": node.type_name,
        "stage": plan.stage_of(name).name,
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


def _flow(flow: PlannedFlow) -> dict[str, Any]:
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


def _process(process: Process) -> dict[str, Any]:
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
