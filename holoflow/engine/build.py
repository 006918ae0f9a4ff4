"""Turn a plan into stages with queues between them.

For a part of an app, also connect the ends of links to their stages.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import pydantic

from holoflow.app.graph import App, Budget, Endpoint, Node, Sync, reach
from holoflow.core.errors import HoloflowError
from holoflow.core.operator import Operator, OperatorContext
from holoflow.core.passed_geometry import pass_geometry
from holoflow.core.ports import base
from holoflow.engine import nvtx
from holoflow.engine.admission import usual
from holoflow.engine.control import Control
from holoflow.engine.holoscan_calls import HoloscanCalls
from holoflow.engine.holoscan_messages import DirectFlow
from holoflow.engine.inputs import Inputs
from holoflow.engine.joins import make_inputs
from holoflow.engine.operator_stage import OperatorStage
from holoflow.engine.queue import LatestQueue, Queue
from holoflow.engine.remote import RemoteInput, RemoteOutput
from holoflow.engine.results import guard
from holoflow.engine.runner import OperatorRunner
from holoflow.engine.source_stage import SourceStage
from holoflow.engine.stage import Output
from holoflow.holoscan.classes import is_python
from holoflow.link.links import Links
from holoflow.link.ucx import UcxTransport
from holoflow.plan.plan import Plan, PlannedFlow, PlannedStage, enters, leaves
from holoflow.stats.budget import BudgetMeter
from holoflow.stats.counters import GONE, CounterBlock, Counters, gone
from holoflow.stats.spans import PathStep, PathTree


@dataclass
class Program:
    """The stages, queues and meters of a run."""

    plan: Plan
    control: Control
    runners: dict[str, OperatorRunner]
    stages: list[SourceStage | OperatorStage]
    queues: dict[PlannedFlow, Queue]
    budgets: list[BudgetMeter]
    remote_outputs: list[RemoteOutput] = field(default_factory=list)
    """Flows that leave the process."""
    holoscan_operators: dict[str, HoloscanCalls] = field(default_factory=dict)
    """Holoscan's own operators, as far as they are observed."""
    direct: dict[PlannedFlow, DirectFlow] = field(default_factory=dict)
    """Flows between these that Holoscan alone carries."""
    poll: Callable[[], None] = lambda: None
    """Looks whether Holoscan's own operators have ended; set by the engine."""
    links: Links | None = None
    """Links to the other processes of the app."""
    ucx: UcxTransport | None = None
    """The link whose ends are Holoscan operators."""

    @property
    def workers(self) -> int:
        """Number of threads of the scheduler that run."""
        return self.running(len(self.stages))

    def running(self, stages: int) -> int:
        """Return how many threads run this many `stages`."""
        others = any(process.others for process in self.plan.processes)
        return self.plan.app.scheduler.running(stages, others=others)


def make_operator(node: Node) -> Operator:
    """Make the operator of `node`.

    Raises:
        HoloflowError: The operator does not accept its parameters, although they passed the
            checks when the app was read.
    """
    cls = node.cls
    assert issubclass(cls, Operator)  # noqa: S101 - for the type checker
    try:
        return cls.from_app(node.parameters)
    except pydantic.ValidationError as error:
        raise HoloflowError(f"operator {node.name!r}: {error}") from error


def build(
    plan: Plan, control: Control, contexts: Mapping[str, OperatorContext], frames: int | None,
    links: Links | None = None,
) -> Program:  # fmt: skip
    """Make the operators, queues and stages of `plan`, without starting anything.

    Args:
        plan: What to build; the whole app or a part of it.
        control: The shared state of the run.
        contexts: The context of each operator, by its name.
        frames: Number of frames after which every source ends; None for no limit.
        links: Carry the flows that enter and leave the part; None for a whole app.

    Raises:
        HoloflowError: An operator does not accept its parameters.
    """
    app = plan.app
    steps = _make_steps(plan, control.paths)
    counters = Counters.of(plan)
    blocks = dict(zip(plan.flows, counters.blocks, strict=True))
    queues = {
        flow: (LatestQueue if flow.latest else Queue)(
            flow, steps[flow], blocks[flow] if links is None else links.counters(flow)
        )
        for flow in plan.flows
        if not (flow.fused or leaves(plan, flow) or _direct(plan, flow))
    }
    budgeted = [
        (budget, _operators_between(app, budget)) for budget in app.budgets if control.tracked
    ]
    budgets = [BudgetMeter(budget, between) for budget, between in budgeted]
    late = [b for b in budgets if b.budget.when_missed == "drop_late" and not control.lossless]
    runners: dict[str, OperatorRunner] = {}
    for node in app.operators.values():
        if node.holoscan_operator is None:
            operator = make_operator(node)
            operator.context = contexts[node.name]
            pass_geometry(operator)
            nvtx.mark(operator, node.name)
            if control.guarded:
                guard(operator)
            incoming = plan.into.get(node.name, ())
            step = steps[incoming[0]] if incoming else control.paths.step("work", node.name, "")
            connected = [flow.target.port for flow in incoming]
            runners[node.name] = runner = OperatorRunner(node, operator, connected, step)
            runner.sink = node.name not in app.consumers
            runner.budgets = tuple(b for b in budgets if b.budget.target == node.name)
            runner.ending = runner.sink or bool(runner.budgets)
            runner.deadlines = tuple(b for b in late if node.name in b.path)
            operator.context.count_drop = runner.meter.count_drop
    program = Program(plan, control, runners, [], queues, budgets)
    for node in app.operators.values():
        if node.holoscan_operator is not None:
            program.holoscan_operators[node.name] = HoloscanCalls(
                node, control,
                [b for b in budgets if b.budget.target == node.name],
                [b for b in late if node.name in b.path],
                source=not (node.name in app.producers or node.after),
                sink=node.name not in app.consumers,
            )  # fmt: skip
    for flow in plan.flows:
        if _direct(plan, flow):
            source = program.holoscan_operators[flow.source.operator]
            target = program.holoscan_operators[flow.target.operator]
            program.direct[flow] = one = DirectFlow(flow, steps[flow], source, target)
            source.behind.append(one)
            target.direct.append(one)
    if links is not None:
        program.remote_outputs = _make_remote_outputs(plan, links, control)
        program.links, program.ucx = links, links.ucx
    outputs: dict[str, dict[str, list[Output]]] = {}
    ends: list[Output] = [*queues.values(), *program.remote_outputs]
    for output in ends:
        start = output.flow.source
        outputs.setdefault(start.operator, {}).setdefault(start.port, []).append(output)
    for stage in plan.stages:
        name, last = stage.operators[0], stage.operators[-1]
        if app.operators[name].holoscan_operator is None:
            number = memoryview(bytearray(8)).cast("q") if links is None else links.number(name)
            made = _make_stage(program, stage, outputs.get(last, {}), frames, number)
            program.stages.append(made)
    return program


def _make_remote_outputs(plan: Plan, links: Links, control: Control) -> list[RemoteOutput]:
    """Make the sending ends of all flows that leave the process."""
    by_port: dict[Endpoint, list[PlannedFlow]] = {}
    for flow in plan.flows:
        if leaves(plan, flow):
            by_port.setdefault(flow.source, []).append(flow)
    return [
        RemoteOutput(group, links.types, control.comes_back)
        for flows in by_port.values()
        for group in links.groups(flows)
    ]


def _make_steps(plan: Plan, paths: PathTree) -> dict[PlannedFlow, PathStep]:
    """Make the path step that each flow leads to."""
    ends = Counter((flow.source.operator, flow.target.operator) for flow in plan.flows)
    return {
        flow: paths.step(
            "work",
            flow.target.operator,
            flow.target.port,
            back_edge=flow.back_edge,
            by_port=ends[flow.source.operator, flow.target.operator] > 1,
        )
        for flow in plan.flows
    }


def _operators_between(app: App, budget: Budget) -> frozenset[str]:
    """Return the operators between the source of `budget` and its target, target included."""
    behind = reach(budget.source, app.consumers)  # including those of other fragments
    return frozenset(behind & reach(budget.target, app.producers)) - {budget.source}


def _direct(plan: Plan, flow: PlannedFlow) -> bool:
    """Whether Holoscan carries the flow: what goes between two operators in C++ may be anything.

    It also carries those among which an operator chooses.
    """
    ends = [
        plan.app.operators.get(end.operator) for end in (flow.source, flow.target)
    ]  # None in another process
    given = [n.holoscan_operator for n in ends if n is not None and n.holoscan_operator is not None]
    if len(given) < 2 or flow.link != "none":
        return False
    cpp = not any(is_python(operator.cls) for operator in given)
    return (cpp and flow.lossless) or given[0].dynamic_flows is not None


def _make_stage(
    program: Program, stage: PlannedStage, outputs: dict[str, list[Output]], frames: int | None,
    number: CounterBlock,
) -> SourceStage | OperatorStage:  # fmt: skip
    runners = [program.runners[name] for name in stage.operators]
    if runners[0].ports.source:
        made: SourceStage | OperatorStage = SourceStage(
            runners, outputs, program.control, frames, number
        )
    else:
        made = OperatorStage(
            runners, _make_inputs(program, runners[0], number), outputs, program.control
        )
    for index, name in enumerate(stage.operators[1:], 1):
        (flow,) = program.plan.into[name]
        made.fused[index] = f"{flow.source} -> {flow.target}"
    made.linger = round(program.plan.app.scheduler.linger * 1e9)
    return made


def _make_inputs(program: Program, runner: OperatorRunner, number: CounterBlock) -> Inputs:
    order = {port: index for index, port in enumerate(runner.ports.inputs)}
    queued = [flow for flow in program.plan.into.get(runner.name, ()) if flow in program.queues]
    flows = sorted(queued, key=lambda f: order.get(base(f.target.port), len(order)))
    queues = [program.queues[flow] for flow in flows]
    sync = program.plan.app.operators[runner.name].sync
    control = program.control
    if isinstance(sync, Sync) and control.lossless:
        sync = replace(sync, timeout=None)
    return make_inputs(
        runner.name,
        queues,
        trigger=runner.ports.trigger,
        sync=sync if isinstance(sync, Sync) else None,
        optional=frozenset(
            f.target.port for f in flows if not runner.ports.input(f.target.port).required
        ),
        number=number,
        now=lambda: control.now(),
        wake_at=lambda due: queues[0].consumer.wake_at(due),  # type: ignore[union-attr]
    )


def join(program: Program, links: Links) -> None:
    """Open all ends of `links`; messages arrive once the links accept."""
    for flow, queue in program.queues.items():
        if enters(program.plan, flow):
            shift = functools.partial(links.shift, flow)
            runner = program.runners.get(flow.target.operator)
            wanted = None if runner is None else runner.ports.type_of(flow.target.port)
            remote_inputs = RemoteInput(queue, links.types, wanted, program.control.paths, shift)
            queue.inlet = links.inlet(flow, remote_inputs)
            queue.place = links.source(flow)
    producers = {stage.runners[-1].name: stage for stage in program.stages}
    for remote_outputs in program.remote_outputs:
        remote_outputs.place = links.target(remote_outputs.flow)
        remote_outputs.outlet = outlet = links.outlet(remote_outputs.flows, remote_outputs)
        stage = producers.get(remote_outputs.flow.source.operator)
        for runner in stage.runners if stage is not None else ():
            runner.operator.context.allocate = outlet.allocate


def give_notifiers(program: Program, links: Links, threads: int) -> None:
    """Let stages wait for other processes in their own thread, if every stage has a thread.

    Args:
        program: What is run.
        links: Its links to other processes.
        threads: Number of threads that tick the stages.
    """
    if len(program.stages) > threads or program.holoscan_operators or program.ucx is not None:
        return
    for stage in program.stages:
        if stage.linked:
            stage.notifier = links.notifier(stage.runners[0].name)


def expect(program: Program, *, inline: bool) -> None:
    """Tell the sources how many of their frames the app can use at once; operators have started."""
    admissions = {
        stage.runners[0].name: stage.admission
        for stage in program.stages
        if stage.admission is not None
    }
    batches = {
        stage.runners[0].name: stage.batching.size
        for stage in program.stages
        if isinstance(stage, OperatorStage) and stage.batching is not None
    }
    consumers = program.plan.app.consumers
    # Only what batches need is looked for: an app may have thousands of sources.
    sources = {name: reach(name, consumers) if batches else set[str]() for name in admissions}
    shares = usual(sources, batches, 1 if inline else program.workers)
    for name, admission in admissions.items():
        if inline:
            admission.settle(shares[name][0])
        else:
            admission.expect(*shares[name])


def end_remote_inputs(program: Program) -> None:
    """Accept nothing more from other processes, because the run has failed.

    What has arrived is still processed.
    """
    for queue in program.queues.values():
        if queue.inlet is None or queue.closed:
            continue
        queue.close()
        if program.control.comes_back():
            queue.inlet.suspend()
        else:
            queue.counters[GONE] = gone("stopped")
            queue.inlet.abandon()
