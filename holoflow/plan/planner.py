"""The planner: turns a checked app into a plan. Pure, so that it can be shown and tested."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import replace

from holoflow.app import catalogue
from holoflow.app.graph import App, Flow, Fragment, Node, Scheduler, enough, reach
from holoflow.app.origins import Origins
from holoflow.core.errors import ParameterError
from holoflow.core.operator import Operator
from holoflow.core.quantity import FREQUENCY_UNITS, parse_quantity
from holoflow.core.text import brief, duration, plural
from holoflow.plan.hosts import listeners, near
from holoflow.plan.plan import (
    LinkKind,
    Plan,
    PlannedFlow,
    PlannedProcess,
    PlannedStage,
    fragment_of,
    make_stages,
)

MOST_STAGES = 1_020
"""Stages that Holoscan runs in one process: it has 1,024 entities, and needs a few itself."""


def find_notices(plan: Plan) -> tuple[str, ...]:
    """Return a sentence for each surprising thing about the plan."""
    return (
        *plan.app.notes, *_unsteady_joins(plan), *_gathered(plan), *_unnamed_hosts(plan),
        *_unpacked(plan), *_idle_workers(plan), *_wanted_names(plan), *_crowded(plan),
        *_unfilled(plan),
    )  # fmt: skip


def _idle_workers(plan: Plan) -> Iterable[str]:
    """Yield the fragments in which fewer workers run than requested."""
    for process in plan.processes:
        asked, stages = process.scheduler.workers, len(process.stages)
        run = process.workers
        if asked > max(run, Scheduler.workers):
            greedy = process.scheduler.kind == "greedy"
            there = "is 1 stage" if stages == 1 else f"are {stages} stages"
            why = "the greedy scheduler has only one" if greedy else f"there {there}"
            yield f"{process.fragment}: {run} of {asked} workers run, as {why}"


def _crowded(plan: Plan) -> Iterable[str]:
    """Yield the fragments with more stages than Holoscan runs in a process."""
    for process in plan.processes:
        if len(process.stages) > MOST_STAGES:
            yield (
                f"{process.fragment}: Holoscan runs at most {MOST_STAGES:,} stages in a process, "
                f"and there are {len(process.stages):,}; divide them among fragments, or write "
                f"--engine inline"
            )


def _unfilled(plan: Plan) -> Iterable[str]:
    """Yield the percentiles of budgets whose window never holds as many frames as they need."""
    app = plan.app
    for budget in app.budgets:
        above = reach(budget.source, app.producers)
        rate = sum(_rate(app.operators[name]) for name in above if name not in app.producers)
        for name in budget.limits:
            if rate * budget.window < enough(name):
                yield (
                    f"budget {budget.source} → {budget.target}: {name} takes "
                    f"{plural(enough(name), 'frame')} to judge, and a window of "
                    f"{duration(budget.window)} holds {brief(rate * budget.window)} at most: it is "
                    f"judged at the end only; write `window: {math.ceil(enough(name) / rate)}s`"
                )


def _rate(node: Node) -> float:
    """Return the most frames a second that a source gives; infinite if its app does not say."""
    cls = node.cls
    fields = cls.parameters().model_fields if issubclass(cls, Operator) else {}
    rate, paced = (
        node.parameters.get(name, fields[name].default if name in fields else None)
        for name in ("rate", "paced")
    )
    if rate is None or paced is False:
        return math.inf
    try:
        return parse_quantity(rate, FREQUENCY_UNITS, "30hz", bare=True)
    except ParameterError:  # another kind of rate
        return math.inf


def _wanted_names(plan: Plan) -> Iterable[str]:
    """Yield built-in operators whose names a plugin claims too."""
    refused = catalogue.offered().refused
    names = dict.fromkeys(node.type_name for node in plan.app.operators.values())
    return (str(refused[name]) for name in names if name in refused)


def _gathered(plan: Plan) -> Iterable[str]:
    """Yield a notice if fragments of several hosts are all started here."""
    hosts = {f.host or "the one where it is started" for f in plan.app.fragments.values()}
    if plan.here is not None and len(hosts) > 1 and plan.here.issuperset(plan.app.fragments):
        listed = ", ".join(sorted(hosts))
        yield f"{plan.app.name}: written for the hosts {listed}; all its fragments run here"


def _unnamed_hosts(plan: Plan) -> Iterable[str]:
    """Yield the fragments that cannot be reached from another host."""
    for name, sender in listeners(plan).items():
        if plan.app.fragments[name].host is None:
            yield (
                f"{name}: fragment {sender!r} is on another host and sends to it, but cannot "
                f"reach it, as it has no host:; that is fine only if both run on one machine"
            )


def _unpacked(plan: Plan) -> Iterable[str]:
    """Yield the flows with settings for zeromq that another link carries."""
    for flow in plan.flows:
        keys = ["compress"] * (flow.compress != "none") + ["encrypt"] * (
            not flow.encrypt and flow.link != "ucx"
        )
        if keys and flow.link not in ("zeromq", "none"):
            yield (
                f"{flow.target.operator}: {' and '.join(keys)} of the flow from "
                f"{str(flow.source)!r} has no effect, as {flow.link} carries it here; "
                f"with link: zeromq it would"
            )


def _unsteady_joins(plan: Plan) -> Iterable[str]:
    """Yield joins in arrival order whose inputs may get out of step because messages are lost.

    Where the app knows what its operators send, only a crash can do that: anything else has been
    reported as a mistake.
    """
    app = plan.app
    lossy = {f for f in plan.flows if not f.lossless and not f.latest}
    dropping = {f.target.operator for f in lossy}
    dropping |= {name for name, node in app.operators.items() if node.on_error == "skip"}
    if not dropping and all(f.restart == "never" for f in app.fragments.values()):
        return
    for name, node in app.operators.items():
        joined = [f for f in plan.into.get(name, ()) if not (f.latest or f.back_edge)]
        if len(joined) < 2 or node.sync is not None or joined[0].by_frame:
            continue
        if node.holoscan_operator is None and node.cls.ports().trigger == "any":  # type: ignore[attr-defined]
            continue
        paths = [reach(flow.source.operator, app.producers) for flow in joined]
        # A frame dropped before the paths split is missing on all of them.
        apart = paths[0].union(*paths) - paths[0].intersection(*paths)
        culprits = [f"the flow from {str(f.source)!r}" for f in joined if f in lossy]
        culprits += [repr(operator) for operator in app.operators if operator in apart & dropping]
        reasons = [f"dropped at {', '.join(culprits)}"] if culprits else []
        crashes = [repr(fragment) for fragment in _crashes(plan, name, apart)]
        reasons += [f"lost in a crash of {', '.join(crashes)}"] if crashes else []
        if reasons:
            yield (
                f"{name}: its inputs are joined in arrival order, but messages may be "
                f"{' or '.join(reasons)}, so that they get out of step; join by time instead: "
                f"sync: {{leader: {joined[0].target.port}, tolerance: 40ms}}"
            )


def _crashes(plan: Plan, join: str, apart: set[str]) -> Iterable[str]:
    """Yield the fragments whose crash would cost some inputs of `join` more messages than others.

    `apart` are the operators that are upstream of some of its inputs, but not of all.
    """
    here = fragment_of(plan.app, join)
    paths = [flow for name in apart | {join} for flow in plan.into.get(name, ())]
    senders = {fragment_of(plan.app, flow.source.operator) for flow in paths} - {here}
    for name, fragment in plan.app.fragments.items():
        # A fragment that is not started again ends the run; if all inputs come from within the
        # join's own fragment, they all start over together.
        if fragment.restart != "never" and (senders if name == here else name in senders):
            yield name


def plan(
    app: App,
    *,
    fuse: bool = True,
    lossless: bool = False,
    here: Collection[str] | None = None,
) -> Plan:
    """Plan `app`: operators into stages, stages into processes, flows into queues and links.

    Args:
        app: The checked app.
        fuse: False keeps every operator in a stage of its own.
        lossless: True makes every flow block.
        here: Fragments that are started together on this machine: links between them and all
            others lead to another machine, whatever hosts the app names. None: the hosts decide.
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
    placed: dict[str, list[PlannedStage]] = {}
    for stage in stages:
        placed.setdefault(fragment_of(app, stage.operators[0]), []).append(stage)
    processes = tuple(
        PlannedProcess(
            fragment=fragment.name,
            stages=tuple(placed.get(fragment.name, ())),
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
    return any(app.operators[name].holoscan_operator is not None for name in inside) or any(
        flow.link == "ucx" and inside & {flow.source.operator, flow.target.operator}
        for flow in flows
    )


def _plan_flow(
    app: App, flow: Flow, together: set[tuple[str, str]], lossless: bool, link: LinkKind
) -> PlannedFlow:
    fused = (flow.source.operator, flow.target.operator) in together
    target = app.operators[flow.target.operator]
    latest = False
    if target.holoscan_operator is None:
        latest = target.cls.ports().input(flow.target.port).latest  # type: ignore[attr-defined]
    queue = flow.queue or app.queue
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
