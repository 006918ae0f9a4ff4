"""The plan: what runs where, as a value to print, compare and test; and the part of one process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, TypeAlias

from holoflow.app.format import Compression, WhenFull
from holoflow.app.graph import App, Endpoint, Flow, Fragment, Node, Scheduler
from holoflow.core.operator import Operator

LinkKind: TypeAlias = Literal["none", "shared_memory", "zeromq", "ucx"]


@dataclass(frozen=True)
class PlannedStage:
    """Operators that are scheduled as one: a chain in which each feeds only the next."""

    operators: tuple[str, ...]

    @property
    def name(self) -> str:
        """Name of the stage: its operators, joined by `+`."""
        return "+".join(self.operators)


@dataclass(frozen=True)
class PlannedFlow:
    """A flow with all settings decided."""

    source: Endpoint
    target: Endpoint
    queue: int
    """Messages that may wait; 0 for a fused flow, in which none ever waits."""
    when_full: WhenFull
    fused: bool
    """Inside a stage: a plain call."""
    latest: bool
    """Its input holds the newest value."""
    back_edge: bool
    link: LinkKind
    compress: Compression = Flow.compress
    """How its messages are compressed on a zeromq link."""
    quality: int = Flow.quality
    """JPEG quality, 1 to 100."""
    encrypt: bool = Flow.encrypt
    """Whether a zeromq link to another host is encrypted and authenticated."""
    by_frame: bool = False
    """Its input is joined with others by frame, or merged with them in the order of frames."""
    watermark: bool = False
    """Its counter block says how many frames of its origin are complete, for joins downstream."""
    several: bool = False
    """May carry several messages of one frame."""

    @property
    def lossless(self) -> bool:
        """Whether its producer waits for room, so that no message is dropped or replaced."""
        return self.when_full == "block" and not self.latest

    @property
    def drops_newest(self) -> bool:
        """Whether what does not fit into its queue is dropped before it is sent."""
        return self.when_full == "drop_newest" and not self.latest


@dataclass(frozen=True)
class PlannedProcess:
    """A fragment and how its process runs it."""

    fragment: str
    stages: tuple[PlannedStage, ...]
    scheduler: Scheduler
    placement: Fragment
    """Where it runs, and what it gets there."""
    others: bool = False
    """Whether operators that are not stages need workers too: Holoscan's own, those of ucx."""

    @property
    def workers(self) -> int:
        """Threads of the scheduler that run; the app may request more."""
        return self.scheduler.running(len(self.stages), others=self.others)


@dataclass(frozen=True)
class Plan:
    """Operators grouped into stages, stages into processes; flows as queues or links."""

    app: App
    processes: tuple[PlannedProcess, ...]
    flows: tuple[PlannedFlow, ...]
    notices: tuple[str, ...] = ()
    """What is allowed but may be surprising, one sentence each."""
    here: frozenset[str] | None = None
    """Fragments that are started together on this machine, whatever hosts the app names; None if
    not known, so that the hosts decide."""

    @property
    def stages(self) -> tuple[PlannedStage, ...]:
        """All stages of all processes."""
        return tuple(stage for process in self.processes for stage in process.stages)

    @cached_property
    def stage_of(self) -> Mapping[str, PlannedStage]:
        """The stage that contains each operator."""
        return {name: stage for stage in self.stages for name in stage.operators}

    @cached_property
    def into(self) -> Mapping[str, Sequence[PlannedFlow]]:
        """The flows into each operator that has any."""
        found: dict[str, list[PlannedFlow]] = {}
        for flow in self.flows:
            found.setdefault(flow.target.operator, []).append(flow)
        return found


def part(plan: Plan, fragment: str) -> Plan:
    """Return what the process of `fragment` runs: its operators, and all flows that touch them.

    Flows to or from another fragment have only one end among the operators. `app.flows` stays
    complete: it describes the connections of the whole app. Budgets belong to the fragment where
    they end.
    """
    (process,) = [process for process in plan.processes if process.fragment == fragment]
    inside = set(process.placement.operators)
    app = replace(
        plan.app,
        operators={name: node for name, node in plan.app.operators.items() if name in inside},
        budgets=tuple(budget for budget in plan.app.budgets if budget.target in inside),
        scheduler=process.scheduler,
    )
    flows = tuple(f for f in plan.flows if {f.source.operator, f.target.operator} & inside)
    return replace(plan, app=app, processes=(process,), flows=flows, notices=())


def leaves(plan: Plan, flow: PlannedFlow) -> bool:
    """Whether `flow` leads out of `plan`, which is the part of a process."""
    return flow.target.operator not in plan.app.operators


def enters(plan: Plan, flow: PlannedFlow) -> bool:
    """Whether `flow` comes from outside `plan`, which is the part of a process."""
    return flow.source.operator not in plan.app.operators


def unfused(app: App) -> list[str]:
    """Return why the two ends of each of the app's flows may not share a stage; empty: they may.

    They may if the flow is the only output of its producer, connected or not, and the only input
    of its consumer, if it blocks and has no queue of its own, and if neither end is heavy,
    gathers batches, is a Holoscan operator or has fusing switched off. An operator that sends
    several messages for one starts a stage, so that a full queue downstream can hold it back.

    Args:
        app: The app.
        flow: The flow.
        fan_out: Number of flows out of each operator.
        fan_in: Number of flows into each operator.
    """
    fan_out = Counter(flow.source.operator for flow in app.flows)
    fan_in = Counter(flow.target.operator for flow in app.flows)
    return [_unfused(app, flow, fan_out, fan_in) for flow in app.flows]


def _unfused(app: App, flow: Flow, fan_out: Counter[str], fan_in: Counter[str]) -> str:
    source, target = app.operators[flow.source.operator], app.operators[flow.target.operator]
    if not app.fuse:
        return "fusing is off"
    if fragment_of(app, source.name) != fragment_of(app, target.name):
        return f"{source.name} is in fragment {fragment_of(app, source.name)}"
    if alone := _alone(source) or _alone(target):
        return alone
    if flow.back_edge:
        return f"the flow from {flow.source} is a back edge"
    if flow.queue is not None:
        return f"the flow from {flow.source} has a queue of its own"
    if flow.drops(app.when_full):
        return f"messages from {flow.source} may be dropped"
    if fan_out[source.name] != 1:
        return f"{source.name} sends to {fan_out[source.name]} inputs"
    if fan_in[target.name] != 1:
        return f"{target.name} has {fan_in[target.name]} inputs"
    given, taken = source.cls.ports(), target.cls.ports()  # type: ignore[attr-defined]
    if given.several:
        return f"{source.name} has several outputs"
    if taken.generator:
        return f"{target.name} may send several messages for one"
    return f"{flow.target} holds the newest value" if taken.input(flow.target.port).latest else ""


def _alone(node: Node) -> str:
    """Return why an operator shares no stage at all; empty where it may."""
    if node.holoscan_operator is not None:
        return f"{node.name} is Holoscan's own operator"
    if node.fuse is False:
        return f"{node.name} has fuse: false"
    if not issubclass(node.cls, Operator):
        return f"{node.name} is no operator of holoflow"
    if node.cls.heavy:
        return f"{node.name} is heavy"
    if node.copies not in ("auto", 1):
        return f"{node.name} has copies"
    return "" if node.cls.batching is Operator.batching else f"{node.name} takes batches"


def fragment_of(app: App, operator: str) -> str:
    """Return the name of the fragment that `operator` is in; the app's if there are none."""
    return app.places.get(operator, app.name)


def make_stages(app: App) -> tuple[PlannedStage, ...]:
    """Partition the operators into stages, in the order of the file."""
    follower = {
        flow.source.operator: flow.target.operator
        for flow, reason in zip(app.flows, unfused(app), strict=True)
        if not reason
    }
    followers = set(follower.values())
    stages = []
    for name in app.operators:
        if name not in followers:
            chain = [name]
            while chain[-1] in follower:
                chain.append(follower[chain[-1]])
            stages.append(PlannedStage(tuple(chain)))
    placed = {name for stage in stages for name in stage.operators}
    # A cycle of flows that could all be fused has no first operator; it stays unfused.
    stages.extend(PlannedStage((name,)) for name in app.operators if name not in placed)
    return tuple(stages)
