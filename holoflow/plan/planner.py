"""The planner: a checked app becomes a plan. Pure, so that it can be shown and tested."""

from __future__ import annotations

from dataclasses import replace

from holoflow.app.graph import App, Flow, Fragment
from holoflow.plan.notices import find_notices
from holoflow.plan.plan import LinkKind, Plan, PlannedFlow, Process
from holoflow.plan.stages import fragment_of, make_stages

DEFAULT_QUEUE = 2
"""Messages that may wait where the app does not say; few, because each one is latency."""


def plan(app: App, *, fuse: bool = True, lossless: bool = False) -> Plan:
    """Plan `app`: operators into stages, stages into processes, flows into queues and links.

    `fuse=False` keeps every operator in a stage of its own; `lossless=True` makes every flow
    block.
    """
    stages = make_stages(app) if fuse else make_stages(replace(app, fuse=False))
    together = {
        (a, b)
        for stage in stages
        for a, b in zip(stage.operators, stage.operators[1:], strict=False)
    }
    flows = tuple(_plan_flow(app, flow, together, lossless) for flow in app.flows)
    fragments = tuple(app.fragments.values()) or (Fragment(app.name, tuple(app.operators)),)
    processes = tuple(
        Process(
            fragment=fragment.name,
            stages=tuple(s for s in stages if s.operators[0] in fragment.operators),
            scheduler=app.scheduler,
            host=fragment.host,
            gpu=fragment.gpu,
        )
        for fragment in fragments
    )
    return Plan(app, processes, flows, find_notices(app, flows))


def _plan_flow(app: App, flow: Flow, together: set[tuple[str, str]], lossless: bool) -> PlannedFlow:
    fused = (flow.source.operator, flow.target.operator) in together
    target = app.operators[flow.target.operator]
    latest = False
    if target.native is None:
        port = target.cls.ports().inputs.get(flow.target.port)  # type: ignore[attr-defined]
        latest = port is not None and port.latest
    queue = flow.queue or app.queue or DEFAULT_QUEUE
    return PlannedFlow(
        source=flow.source,
        target=flow.target,
        queue=0 if fused else 1 if latest else queue,
        when_full="block" if lossless else flow.when_full or app.when_full,
        fused=fused,
        latest=latest,
        back_edge=flow.back_edge,
        link=_link(app, flow),
    )


def _link(app: App, flow: Flow) -> LinkKind:
    names = fragment_of(app, flow.source.operator), fragment_of(app, flow.target.operator)
    if names[0] == names[1]:
        return "none"
    if flow.link != "auto":
        return flow.link  # type: ignore[return-value]
    hosts = [app.fragments[name].host for name in names]
    return "shared_memory" if hosts[0] == hosts[1] else "zeromq"
