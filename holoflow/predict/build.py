"""From a plan and a profile to a model: how long every stage, flow and process takes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from holoflow.app.graph import App, Fragment, Sync
from holoflow.app.mistakes import short
from holoflow.core.errors import HoloflowError
from holoflow.core.ports import Trigger, base
from holoflow.core.text import choices, suggestion
from holoflow.engine.copies import copies_of
from holoflow.plan.plan import Plan, PlannedFlow, PlannedProcess, PlannedStage, fragment_of
from holoflow.plan.planner import plan
from holoflow.predict.costs import Costs
from holoflow.predict.model import (
    FlowModel,
    LinkTimes,
    Model,
    ProcessModel,
    SourcePace,
    StageModel,
    Work,
)
from holoflow.predict.profile import (
    Profile,
    cores_of,
    link_name,
    overhead_of,
    pace_of,
    waiting_for_core,
)

FRAMING = 1538 / 1448
"""Bytes on an Ethernet with packets of 1,500 bytes per byte that TCP carries."""
_LEAST_CORES = 0.05
"""Least share of a pool that is left for stages, whatever processes use in the background."""


@dataclass(frozen=True)
class Setting:
    """The hosts and the network between them."""

    cores: float
    """CPU cores of each host; with `shared`, of all hosts together."""
    shared: bool = False
    """Whether the hosts share the cores of one machine (namespaces, virtual machines)."""
    bandwidth: float = 1e9
    """Bits per second that a host can send, and as many that it can receive."""
    delay: float = 0.0002
    """Latency of the network from host to host, in seconds one way."""
    encrypt: bool | None = None
    """Kind of link between hosts; None leaves it to the app."""
    rates: Mapping[str, float] = field(default_factory=dict)
    """Frames per second by source, instead of those measured."""


def on_hosts(app: App, places: Mapping[str, str]) -> App:
    """Return the app with each fragment on the host given for it in `places`."""
    return replace(
        app,
        fragments={
            name: replace(fragment, host=places[name]) for name, fragment in app.fragments.items()
        },
    )


def build(
    app: App, places: Mapping[str, str], profile: Profile, costs: Costs, setting: Setting
) -> Model:
    """Return the model of `app` with its fragments at `places`.

    Args:
        app: The app.
        places: Name of the host of each fragment.
        profile: What a run of the app has measured.
        costs: What links cost.
        setting: The hosts and the network.

    Raises:
        HoloflowError: The run does not have the size of messages that a link would carry, or the
            costs of a flow's link are unknown.
    """
    planned = plan(on_hosts(app, places))
    stage_of = {name: stage.name for stage in planned.stages for name in stage.operators}
    pools, pools_of = _pools(planned, places, costs, setting)
    return Model(
        stages=tuple(
            _stage(planned, stage, process, profile, costs, setting)
            for process in planned.processes
            for stage in process.stages
        ),
        flows=tuple(
            _flow(planned, flow, stage_of, profile, costs, setting)
            for flow in _in_order_of_ports(planned)
            if not flow.fused
        ),
        processes=tuple(
            ProcessModel(
                name=process.fragment,
                host=places.get(process.fragment, ""),
                workers=process.workers,
                pools=pools_of[process.fragment],
            )
            for process in planned.processes
        ),
        pools=pools,
        wake=costs.wake,
    )


def _pools(
    planned: Plan, places: Mapping[str, str], costs: Costs, setting: Setting
) -> tuple[dict[str, float], dict[str, tuple[str, ...]]]:
    """Return the cores of each pool, and the names of the pools that each fragment draws from."""
    pools: dict[str, float] = {}
    drawn: dict[str, tuple[str, ...]] = {}
    for process in planned.processes:
        name, cores = process.fragment, process.placement.cores
        host = "all hosts" if setting.shared else places.get(name, "this host")
        pools.setdefault(host, setting.cores)
        if cores and process.placement.exclusive:
            pools[host] -= len(cores)
            pools[name] = len(cores)
            drawn[name] = (name,)
        elif cores:
            pools[name] = len(cores)
            drawn[name] = (host, name)
        else:
            drawn[name] = (host,)
    for names in drawn.values():
        for pool in names:
            pools[pool] -= costs.background
    return {name: max(cores, _LEAST_CORES) for name, cores in pools.items()}, drawn


def _stage(
    planned: Plan,
    stage: PlannedStage,
    process: PlannedProcess,
    profile: Profile,
    costs: Costs,
    setting: Setting,
) -> StageModel:
    first = planned.app.operators[stage.operators[0]]
    stats = profile.operators[first.name]
    fed = {flow.target.operator for flow in planned.flows}
    pace = None
    if first.name not in fed:
        rate = setting.rates.get(first.name, pace_of(profile, first.name)[0])
        pace = SourcePace(rate, stats.live and rate is not None)
    work = []
    for index, name in enumerate(stage.operators):
        own = profile.operators[name]
        times = own.working
        if pace is not None and index == 0 and stats.live:
            times = type(times)()  # it waits for its device, in a thread of its own
        passes = 1.0 if own.sent is None else min(own.sent / max(own.calls, 1), 1.0)
        factor = 1 - waiting_for_core(profile, name)
        work.append(Work(name, times, cores_of(profile, name), factor, passes))
    optional: frozenset[str] = frozenset()
    trigger: Trigger = "all"
    generator = False
    sync = first.sync if isinstance(first.sync, Sync) else None
    if first.holoscan_operator is None:
        ports = first.cls.ports()  # type: ignore[attr-defined]
        ends = [flow.target for flow in planned.flows if flow.target.operator == first.name]
        trigger, generator = ports.trigger, ports.generator and not ports.source
        optional = frozenset(end.port for end in ends if not ports.input(end.port).required)
    return StageModel(
        name=stage.name,
        process=process.fragment,
        work=tuple(work),
        overhead=overhead_of(profile, first.name, costs)[0],
        pace=pace,
        sync=sync,
        optional=optional,
        trigger=trigger,
        generator=generator,
        batch=stats.batch,
        copies=copies_of(first, math.ceil(setting.cores)) if stats.batch == 1 else 1,
        in_flight=None if pace is None else first.in_flight,
    )


def _in_order_of_ports(planned: Plan) -> list[PlannedFlow]:
    """Return the flows, with those into one operator in the order of its ports."""

    def place(flow: PlannedFlow) -> int:
        node = planned.app.operators[flow.target.operator]
        if node.holoscan_operator is not None:
            return 0
        names = list(node.cls.ports().inputs)  # type: ignore[attr-defined]
        port = base(flow.target.port)
        return names.index(port) if port in names else len(names)

    return sorted(planned.flows, key=place)


def _flow(
    planned: Plan, flow: PlannedFlow, stage_of: Mapping[str, str], profile: Profile, costs: Costs,
    setting: Setting,
) -> FlowModel:  # fmt: skip
    stats = profile.flows[str(flow.source), str(flow.target)]
    sender = profile.operators[flow.source.operator]
    return FlowModel(
        planned=flow,
        source=stage_of[flow.source.operator],
        target=stage_of[flow.target.operator],
        rate=stats.sent / max(sender.calls, 1),
        link_times=_link_times(planned, flow, profile, costs, setting),
    )


def _link_times(
    planned: Plan, flow: PlannedFlow, profile: Profile, costs: Costs, setting: Setting
) -> LinkTimes | None:
    if flow.link == "none":
        return None
    hosts = [_host(planned.app, end.operator) for end in (flow.source, flow.target)]
    across = hosts[0] != hosts[1]
    encrypt = flow.encrypt if setting.encrypt is None else setting.encrypt
    kind = link_name(flow.link, across=across, encrypt=encrypt)
    if across and kind == "shared_memory":
        raise HoloflowError(
            f"flow {flow.source} -> {flow.target} has link shared_memory, which leads to no other "
            "host",
            "--link zeromq predicts with that instead",
        )
    if kind is None:
        raise HoloflowError(
            f"flow {flow.source} -> {flow.target} has link {flow.link}, of which no costs are "
            "known",
            "--link zeromq predicts with that instead",
        )
    stats = profile.flows[str(flow.source), str(flow.target)]
    if stats.size is None and stats.sent:
        raise HoloflowError(
            f"the run does not say how large the messages of {flow.source} -> {flow.target} are, "
            "which would travel here",
            "run the app once more with this holoflow, and with --fuse off",
        )
    size, link = stats.size or 0.0, costs.links[kind]
    wire = size * 8 * FRAMING / setting.bandwidth if across else 0.0
    way = setting.delay if across else 0.0
    return LinkTimes(
        send=0.0 if _sent_before(planned, flow) else link.send.at(size),
        receive=link.receive.at(size),
        out=link.out.at(size),
        into=link.into.at(size),
        delay=link.delay.at(size) + way,
        back=link.delay.at(0.0) + way,
        wire=wire,
    )


def _host(app: App, operator: str) -> str | None:
    fragment: Fragment | None = app.fragments.get(fragment_of(app, operator))
    return None if fragment is None else fragment.host


def _sent_before(planned: Plan, flow: PlannedFlow) -> bool:
    """Whether shared memory already has the message, for another flow from the same port."""
    same = [f for f in planned.flows if f.source == flow.source and f.link == "shared_memory"]
    return flow in same[1:]


def check_setting(app: App, setting: Setting) -> None:
    """Check that rates are given for sources only.

    Raises:
        HoloflowError: A rate is given for anything else.
    """
    sources = sorted(app.operators.keys() - {flow.target.operator for flow in app.flows})
    for name in setting.rates:
        if name not in sources:
            right = suggestion(name, sources, f"the app has {choices(sources)}")
            raise HoloflowError(f"--rate: {short(name)} is not a source", right)
