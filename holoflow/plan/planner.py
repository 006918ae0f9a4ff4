"""The planner: a checked app becomes a plan. Pure, so that it can be shown and tested."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from holoflow.app.graph import App, Flow, Fragment
from holoflow.app.origins import Origins
from holoflow.plan.addresses import near
from holoflow.plan.notices import find_notices
from holoflow.plan.plan import LinkKind, Plan, PlannedFlow, Process
from holoflow.plan.stages import fragment_of, make_stages

DEFAULT_QUEUE = 2
"""Messages that may wait where the app does not say; few, because each one is latency."""


def plan(
    app: App,
    *,
    fuse: bool = True,
    lossless: bool = False,
    here: Collection[str] | None = None,
) -> Plan:
    """Plan `app`: operators into stages, stages into processes, flows into queues and links.

    `fuse=False` keeps every operator in a stage of its own; `lossless=True` makes every flow
    block. `here` names the fragments that are started together on this machine: between them
    and all others links lead to another machine, whatever hosts the app names. None leaves it
    to the hosts.
    """
    started = None if here is None else frozenset(here)
    stages = make_stages(app) if fuse else make_stages(replace(app, fuse=False))
    together = {
        (a, b)
        for stage in stages
        for a, b in zip(stage.operators, stage.operators[1:], strict=False)
    }
    origins = Origins(app.operators, app.flows)
    by_frame, watermarked = origins.by_frame(), origins.watermarked()
    flows = tuple(
        replace(
            _plan_flow(app, flow, together, lossless, _link(app, flow, started)),
            by_frame=flow in by_frame,
            watermark=flow in watermarked,
            several=flow in watermarked and origins.several(flow),
        )
        for flow in app.flows
    )
    alone = Fragment(app.name, tuple(app.operators), hang=app.hang)
    fragments = tuple(app.fragments.values()) or (alone,)
    processes = tuple(
        Process(
            fragment=fragment.name,
            stages=tuple(s for s in stages if s.operators[0] in fragment.operators),
            scheduler=fragment.scheduler or app.scheduler,
            placement=fragment,
            others=_has_others(app, flows, fragment),
        )
        for fragment in fragments
    )
    planned = Plan(app, processes, flows, here=started)
    return replace(planned, notices=find_notices(planned))


def _has_others(app: App, flows: Iterable[PlannedFlow], fragment: Fragment) -> bool:
    inside = set(fragment.operators)
    return any(app.operators[name].native is not None for name in inside) or any(
        flow.link == "ucx" and inside & {flow.source.operator, flow.target.operator}
        for flow in flows
    )


def _plan_flow(
    app: App, flow: Flow, together: set[tuple[str, str]], lossless: bool, link: LinkKind
) -> PlannedFlow:
    fused = (flow.source.operator, flow.target.operator) in together
    target = app.operators[flow.target.operator]
    latest = False
    if target.native is None:
        latest = target.cls.ports().input(flow.target.port).latest  # type: ignore[attr-defined]
    queue = flow.queue or app.queue or DEFAULT_QUEUE
    return PlannedFlow(
        source=flow.source,
        target=flow.target,
        queue=0 if fused else 1 if latest else queue,
        when_full="block" if lossless else flow.when_full or app.when_full,
        fused=fused,
        latest=latest,
        back_edge=flow.back_edge,
        link=link,
        compress=flow.compress,
        quality=flow.quality,
        encrypt=flow.encrypt,
    )


def _link(app: App, flow: Flow, here: frozenset[str] | None) -> LinkKind:
    names = fragment_of(app, flow.source.operator), fragment_of(app, flow.target.operator)
    if names[0] == names[1]:
        return "none"
    if flow.link != "auto":
        return flow.link  # type: ignore[return-value]
    return "shared_memory" if near(app, here, *names) else "zeromq"
