"""Observes a running program: folds what its threads have noted, judges budgets, takes samples."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Sequence

from holoflow.engine.build import Program
from holoflow.engine.calls import LEAP, Calls
from holoflow.engine.chain import ChainMeter
from holoflow.engine.changes import Changes
from holoflow.engine.control import EngineName, RunOptions
from holoflow.engine.runner import OperatorRunner
from holoflow.engine.source_stage import SourceStage
from holoflow.engine.stage import Stage
from holoflow.plan.plan import PlannedFlow
from holoflow.stats.budget import BudgetChange
from holoflow.stats.histogram import Histogram
from holoflow.stats.machine import History, MachineProbe
from holoflow.stats.operator_stats import OperatorMeter
from holoflow.stats.records import Records
from holoflow.stats.snapshot import (
    FlowStats,
    FragmentStats,
    OperatorStats,
    PathStats,
    Snapshot,
    Waiting,
    WorkerStats,
)

BACKLOG = 4096
"""Calls waiting to be folded at which they are folded before the next snapshot: memory stays flat
at any frame rate, and what is folded is still in the processor's cache."""


class Observer:
    """Makes the snapshots of a run. Use it only from the thread that watches the run."""

    def __init__(self, program: Program, options: RunOptions, engine: EngineName) -> None:
        """Observe `program`."""
        self.program = program
        self.history = History()
        self.probe = MachineProbe()
        self.calls = Calls(program.plan, program.stages, program.holoscan_operators)
        self.announcements: list[tuple[str, str]] = []
        self.still = 0.0
        """Seconds since something moved, not counting time in which the machine was suspended."""
        self._moved: object = None
        self._looked = time.monotonic()
        self.latest: Snapshot | None = None
        """The newest snapshot; may be read from any thread."""
        self._options = options
        self._engine = engine
        self._began = time.monotonic()
        self._ended: float | None = None
        self._name = "+".join(process.fragment for process in program.plan.processes)
        self._fragment_of = {
            name: process.fragment
            for process in program.plan.processes
            for stage in process.stages
            for name in stage.operators
        }
        self._stage_of = {
            runner.name: stage for stage in program.stages for runner in stage.runners
        }
        self.changes = Changes(self._stage_of, program.plan.app.operators)
        self._fed = {flow.target.operator for flow in program.plan.app.flows}

    def begin(self) -> None:
        """Note that the sources begin now."""
        self._began = self._looked = time.monotonic()
        self.probe.begin()

    def end(self) -> None:
        """Note that frames no longer flow, so that slow stopping of operators distorts no rate."""
        self._ended = now = time.monotonic()
        others = self.program.holoscan_operators.values()
        if others:  # Holoscan has taken some time to see that nothing goes on any more
            done = [*(stage.worked for stage in self.program.stages), *(o.worked for o in others)]
            still = self.program.plan.app.scheduler.stop_on_deadlock_timeout
            self._ended = max(now - min(now - max(done) / 1e9, still), self._began)

    # -- folding -----------------------------------------------------------------------------

    def relieve(self) -> None:
        """Fold what has accumulated, between snapshots."""
        if self.program.control.recorder is not None:
            self.program.control.recorder.trim()
        most = max((len(meter.calls) for meter in self._meters()), default=0)
        if most > BACKLOG or any(len(chain.bursts) > 2 for chain in self._chains()):
            self._fold()

    def _meters(self) -> list[OperatorMeter]:
        own = [runner.meter for runner in self.program.runners.values()]
        return [*own, *(calls.meter for calls in self.program.holoscan_operators.values())]

    def _chains(self) -> list[ChainMeter]:
        chains = (s.chain for s in self.program.stages if isinstance(s, SourceStage))
        return [chain.meter for chain in chains if chain is not None]

    def _fold(self) -> None:
        for meter in self._meters():
            meter.fold()
        for chain in self._chains():
            chain.fold()
        for path in list(self.program.control.paths.meters.values()):
            path.fold()

    # -- snapshots -----------------------------------------------------------------------------

    def poll(self, *, last: bool = False) -> tuple[Snapshot, list[BudgetChange]]:
        """Return the state of the run, and how its budgets have changed."""
        self._fold()
        now = time.monotonic()
        judged = [
            budget.judge(now, last=last, under_way=self._under_way(budget.path))
            for budget in self.program.budgets
        ]
        control = self.program.control
        paths: list[PathStats] = []
        recent: dict[str, Histogram] = {}
        for meter in list(control.paths.meters.values()):
            fresh = meter.take_recent()
            stats = meter.stats()
            if stats.frames:
                paths.append(stats)
                recent[stats.name] = fresh
        operators = self._operators()
        flows = self._flows(operators)
        self._look_for_moves(now, operators, flows)
        snapshot = Snapshot(
            app=self.program.plan.app.name,
            run=self._options.run,
            time=time.time(),
            seconds=(self._ended or now) - self._began,
            operators=operators,
            flows=flows,
            paths=tuple(sorted(paths, key=lambda stats: -stats.end_to_end.mean)),
            workers=tuple(
                WorkerStats(self._name, worker.name, worker.busy / 1e9)
                for worker in list(control.workers.values())
            ),
            fragments=(self._fragment(now),),
            budgets=tuple(budget.stats() for budget in self.program.budgets),
            announcements=tuple(self.announcements),
            changes=self.changes.made(),
            unfollowed=control.paths.unfollowed,
        )
        self.history.add(snapshot, recent)
        self.latest = snapshot
        return snapshot, [change for change in judged if change is not None]

    def _look_for_moves(
        self, now: float, operators: Sequence[OperatorStats], flows: Sequence[FlowStats]
    ) -> None:
        """Update for how long nothing has moved."""
        moved = (
            [(o.frames, o.sent, o.skipped, sum(o.dropped.values())) for o in operators],
            [(f.sent, f.delivered, f.lost, f.waiting) for f in flows],
        )
        passed, self._looked = min(now - self._looked, LEAP), now
        self.still = self.still + passed if moved == self._moved else 0.0
        self._moved = moved

    def _under_way(self, between: frozenset[str]) -> bool:
        """Whether one of `between` processes a frame or has one waiting, in any process."""
        queues = self.program.queues
        return (
            any(call.operator in between for call in self.calls.ongoing)
            or any(queue.items for flow, queue in queues.items() if flow.target.operator in between)
            or any(
                feeder.fed
                for name, calls in self.program.holoscan_operators.items()
                if name in between
                for feeder in calls.feeders
            )
            or (self.program.links is not None and self.program.links.under_way(between))
        )

    def _fragment(self, now: float) -> FragmentStats:
        """Return the statistics of the one process that runs all fragments."""
        scheduler = self.program.plan.app.scheduler
        self.calls.poll()
        call = self.calls.first
        return FragmentStats(
            name=self._name,
            pid=os.getpid(),
            host=socket.gethostname(),
            engine=self._engine,
            scheduler=scheduler.kind if self._engine == "holoscan" else self._engine,
            workers=1 if self._engine == "inline" else self.program.workers,
            seconds=(self._ended or now) - self._began,
            machine=self.probe.machine(),
            still=self.still,
            call=call.operator if call is not None else "",
            call_frame=call.frame if call is not None else "",
            call_for=call.seconds if call is not None else 0.0,
            call_usual=call.usual if call is not None else 0.0,
            call_hang=call.hang if call is not None else 0.0,
        )

    def _operators(self) -> tuple[OperatorStats, ...]:
        """Return the statistics of every operator, in the order of the app."""
        meters = {meter.name: meter for meter in self._meters()}
        names = [name for name in self.program.plan.app.operators if name in meters]
        stats = []
        for name in names:
            with meters[name].lock:
                stats.append(self._operator(name, meters[name]))
        return tuple(stats)

    def _operator(self, name: str, meter: OperatorMeter) -> OperatorStats:
        node = self.program.plan.app.operators[name]
        stage = self._stage_of.get(name)
        runner = self.program.runners.get(name)
        batching = (
            getattr(stage, "batching", None) if stage and stage.runners[0] is runner else None
        )
        first = stage is not None and stage.runners[0] is runner
        return OperatorStats(
            name=name,
            frames=meter.frames if meter.counts_calls else None,
            sent=meter.sent if meter.counts_sent else None,
            skipped=meter.skipped,
            busy=meter.busy,
            dropped=dict(meter.dropped),
            fragment=self._fragment_of[name],
            stage=stage.name if stage is not None else name,
            type=node.type_name,
            source=name not in self._fed,
            live=runner is not None and runner.ports.source and runner.operator.live,
            heavy=runner is not None and runner.operator.heavy,
            batch=batching.size if batching is not None else 1,
            working=meter.working.copy(),
            waits=meter.waits.copy(),
            waiting=Waiting(
                meter.partner / 1e9, meter.turn / 1e9, meter.room / 1e9, meter.worker / 1e9
            ),
            latency=meter.latency.copy(),
            jitter=meter.jitter.times.copy(),
            held=stage.held / 1e9 if stage is not None and first else 0.0,
            paced=stage.paced / 1e9 if stage is not None and first else 0.0,
            own_time=stage.own_time / 1e9 if isinstance(stage, SourceStage) and first else 0.0,
            given_time=stage.given_time / 1e9 if isinstance(stage, SourceStage) and first else 0.0,
            in_flight=stage.admission.limit if first and stage and stage.admission else None,
            cpu=_cpu(stage),
        )

    def _flows(self, operators: tuple[OperatorStats, ...]) -> tuple[FlowStats, ...]:
        """Return the statistics of every flow, in the order of the app."""
        queues = self.program.queues
        waits = {stats.name: stats.waits for stats in operators}
        inputs: dict[str, int] = {}
        for flow in queues:
            inputs[flow.target.operator] = inputs.get(flow.target.operator, 0) + 1
        stats = []
        sent = {
            flow: own
            for output in self.program.remote_outputs
            for flow, own in output.stats().items()
        }
        for flow in self.program.plan.flows:
            runner = self.program.runners.get(flow.target.operator)
            if flow in sent:
                stats.append(sent[flow])
            elif flow in self.program.direct:
                stats.append(self.program.direct[flow].stats())
            elif flow in queues:
                # The only input of an operator waits as long as its calls do, unless a call is
                # counted once per result.
                name = flow.target.operator
                alone = runner is not None and inputs[name] == 1 and not runner.ports.generator
                stats.append(queues[flow].stats(waits[name] if alone else None))
            elif flow.fused and runner is not None:
                stats.append(_fused_stats(flow, runner, waits[flow.target.operator]))
        return tuple(stats)

    # -- records -----------------------------------------------------------------------------

    def records(self) -> Records | None:
        """Return the recorded calls, if requested."""
        control = self.program.control
        if control.recorder is None:
            return None
        workers = {number: worker.name for number, worker in control.workers.items()}
        epoch = time.time_ns() - time.monotonic_ns()
        app = self.program.plan.app.name
        return control.recorder.records(app, self._options.run, epoch, self._fragment_of, workers)


def _fused_stats(flow: PlannedFlow, target: OperatorRunner, waits: Histogram) -> FlowStats:
    """Return the statistics of a flow within a stage, from those of the operator it leads to."""
    failed = target.meter.failed
    return FlowStats(
        source=str(flow.source),
        target=str(flow.target),
        sent=target.meter.frames + failed,
        delivered=target.meter.frames,
        dropped={"error": failed} if failed else {},
        waits=waits,
        ages=target.ages.total(),
    )


def _cpu(stage: Stage | None) -> float | None:
    if stage is None or not stage.cpu_of:
        return None
    return min(stage.cpu / stage.cpu_of, 1.0)
