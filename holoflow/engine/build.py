"""Building: a plan becomes stages with queues between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pydantic

from holoflow.app.graph import App, Node
from holoflow.context import OperatorContext
from holoflow.engine.control import Control
from holoflow.engine.host import Host
from holoflow.engine.inputs import Arrival, Inputs, Synced
from holoflow.engine.operator_stage import OperatorStage
from holoflow.engine.queue import LatestQueue, Queue
from holoflow.engine.source_stage import SourceStage
from holoflow.errors import HoloflowError
from holoflow.flow.account import Account
from holoflow.flow.books import FlowBooks, OperatorBooks
from holoflow.operator import Operator
from holoflow.plan.plan import Plan, PlannedFlow
from holoflow.plan.plan import Stage as PlannedStage


@dataclass
class Program:
    """All the moving parts of a run."""

    plan: Plan
    control: Control
    hosts: dict[str, Host]
    stages: list[SourceStage | OperatorStage]
    queues: dict[PlannedFlow, Queue]
    natives: dict[str, Account] = field(default_factory=dict)
    """Accounts of Holoscan's own operators."""

    def operator_books(self) -> tuple[OperatorBooks, ...]:
        """Books of every operator, in the order of the app."""
        accounts = {**self.natives, **{name: host.account for name, host in self.hosts.items()}}
        return tuple(accounts[n].books() for n in self.plan.app.operators if n in accounts)

    def flow_books(self) -> tuple[FlowBooks, ...]:
        """Books of every flow, in the order of the app; those of fused ones from the operators'."""
        return tuple(
            self.queues[flow].books() if flow in self.queues else self._fused_books(flow)
            for flow in self.plan.flows
            if flow in self.queues or flow.fused
        )

    def _fused_books(self, flow: PlannedFlow) -> FlowBooks:
        target = self.hosts[flow.target.operator].account
        failed = target.failed
        delivered = target.frames
        return FlowBooks(
            source=str(flow.source),
            target=str(flow.target),
            sent=delivered + failed,
            delivered=delivered,
            dropped={"error": failed} if failed else {},
        )


def make_operator(node: Node) -> Operator:
    """Make the operator of `node`; its parameters were checked when the app was read."""
    cls = node.cls
    assert issubclass(cls, Operator)  # noqa: S101 - for the type checker
    try:
        return cls.from_app(node.parameters)
    except pydantic.ValidationError as error:
        raise HoloflowError(f"operator {node.name!r}: {error}") from error


def build(
    plan: Plan, control: Control, contexts: Mapping[str, OperatorContext], frames: int | None
) -> Program:
    """Make the operators, queues and stages of `plan`; nothing is started."""
    app = plan.app
    queues = {
        flow: LatestQueue(flow) if flow.latest else Queue(flow)
        for flow in plan.flows
        if not flow.fused and not _between_natives(app, flow)
    }
    hosts: dict[str, Host] = {}
    for node in app.operators.values():
        if node.native is None:
            operator = make_operator(node)
            operator.context = contexts[node.name]
            connected = [f.target.port for f in plan.flows if f.target.operator == node.name]
            hosts[node.name] = host = Host(node, operator, connected)
            operator.context.count_drop = host.account.count_drop
    program = Program(plan, control, hosts, [], queues)
    for stage in plan.stages:
        if app.operators[stage.operators[0]].native is None:
            program.stages.append(_make_stage(program, stage, frames))
    return program


def _between_natives(app: App, flow: PlannedFlow) -> bool:
    """Whether Holoscan carries the flow itself."""
    ends = app.operators[flow.source.operator], app.operators[flow.target.operator]
    return all(node.native is not None for node in ends)


def _make_stage(
    program: Program, stage: PlannedStage, frames: int | None
) -> SourceStage | OperatorStage:
    hosts = [program.hosts[name] for name in stage.operators]
    outputs: dict[str, list[Queue]] = {}
    for flow, queue in program.queues.items():
        if flow.source.operator == hosts[-1].name:
            outputs.setdefault(flow.source.port, []).append(queue)
    if hosts[0].ports.source:
        return SourceStage(hosts, outputs, program.control, frames)
    return OperatorStage(hosts, _make_inputs(program, hosts[0]), outputs, program.control)


def _make_inputs(program: Program, host: Host) -> Inputs:
    mine = {f: q for f, q in program.queues.items() if f.target.operator == host.name}
    order = {port: index for index, port in enumerate(host.ports.inputs)}
    flows = sorted(mine, key=lambda f: order.get(f.target.port, len(order)))
    latest = {f.target.port: mine[f] for f in flows}
    triggers = {f.target.port: mine[f] for f in flows if not (f.latest or f.back_edge)}
    newest = {p: q for p, q in latest.items() if isinstance(q, LatestQueue)}
    sync = program.plan.app.operators[host.name].sync
    if sync is not None:
        optional = frozenset(n for n, p in host.ports.inputs.items() if not p.required)
        control = program.control
        if control.lossless:
            sync = type(sync)(sync.leader, sync.tolerance, None)
        inputs = Synced(
            triggers, sync, optional, newest,
            now=lambda: control.now(),
            wake_at=lambda due: inputs.queues[0].consumer.wake_at(due),  # type: ignore[union-attr]
        )  # fmt: skip
        return inputs
    back_edges = {f.target.port: mine[f] for f in flows if f.back_edge and not f.latest}
    return Arrival(triggers, back_edges, newest)
