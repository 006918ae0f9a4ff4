"""What follows from a snapshot without judgement: for how much of the time everything was used."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

from holoflow.report.measures import finite, share
from holoflow.stats.snapshot import FlowStats, FragmentStats, OperatorStats, PathStats, Snapshot


@dataclass(frozen=True, eq=False)
class StageFacts:
    """A stage, whose operators work one after the other."""

    name: str
    fragment: str
    operators: tuple[OperatorStats, ...]
    busy: float
    """Seconds in which one of its operators worked."""
    utilisation: float
    """The same as a share of the run."""
    cpu: float | None
    """Share of that time spent on a CPU."""

    @property
    def busiest(self) -> OperatorStats:
        """The operator that takes most of the stage's time."""
        return max(self.operators, key=lambda stats: finite(stats.busy))

    @property
    def computing(self) -> float:
        """Share of the run in which it was on a CPU; if unknown, in which it worked."""
        return self.utilisation * (1.0 if self.cpu is None else self.cpu)


@dataclass(frozen=True, eq=False)
class ProcessFacts:
    """A process, its stages and its machine."""

    name: str
    stages: tuple[StageFacts, ...]
    workers: int
    scheduler: str
    cores: int
    gil: float
    crowded: float
    cpu: float
    """Cores that the process used on average."""
    ticking: float
    """Workers that were occupied with stages on average."""

    @property
    def working(self) -> float:
        """Operators that worked at the same time, on average."""
        return sum(stage.utilisation for stage in self.stages)

    @property
    def core_wait(self) -> float:
        """Threads that were ready but had to wait for a core, on average."""
        return self.cpu * self._waits

    @property
    def _waits(self) -> float:
        """Seconds for which a thread waits for a core per second on it."""
        return self.crowded / max(1 - self.crowded, 0.01)

    def without_core(self, stage: StageFacts) -> float:
        """Share of its working time in which `stage` waited for a core, as all threads do."""
        return 0.0 if stage.cpu is None else min(stage.cpu * self._waits, 1 - stage.cpu)

    def computes(self, stage: StageFacts) -> float | None:
        """Share of its working time in which `stage` was on a CPU or waited for one."""
        return None if stage.cpu is None else stage.cpu + self.without_core(stage)

    def wants_core(self, stage: StageFacts) -> float:
        """Share of the run in which `stage` was on a CPU or waited for one."""
        return stage.computing + stage.utilisation * self.without_core(stage)


class Facts:
    """A snapshot and what follows from it."""

    def __init__(self, snapshot: Snapshot) -> None:
        """Derive facts from `snapshot`."""
        self.snapshot = snapshot
        self.seconds = finite(snapshot.seconds)
        self.operators = {stats.name: stats for stats in snapshot.operators}

    def of_run(self, seconds: float) -> float:
        """Return `seconds` as a share of the run."""
        return share(seconds, self.seconds)

    @property
    def simulated(self) -> bool:
        """Whether the engine's clock jumps ahead instead of waiting, so that no source is paced."""
        return any(fragment.engine == "inline" for fragment in self.snapshot.fragments)

    # -- graph -------------------------------------------------------------------------------

    def flows_into(self, operator: str) -> list[FlowStats]:
        """Return the flows that end at `operator`."""
        return [flow for flow in self.snapshot.flows if flow.consumer == operator]

    def flow_at(self, operator: str, port: str) -> FlowStats | None:
        """Return the flow into `port` of `operator`."""
        flows = self.flows_into(operator)
        exact = [flow for flow in flows if flow.target == f"{operator}.{port}"]
        return next(iter(exact or flows), None)

    def downstream(self, begin: Iterable[str]) -> set[str]:
        """Return the operators that frames of `begin` reach, including `begin`."""
        return self._reached(begin, [(f.producer, f.consumer) for f in self.snapshot.flows])

    def upstream(self, end: Iterable[str]) -> set[str]:
        """Return the operators from which frames reach `end`, including `end`."""
        return self._reached(end, [(f.consumer, f.producer) for f in self.snapshot.flows])

    def late_input(self, operator: str) -> FlowStats | None:
        """Return the input of a join whose messages come last, and are therefore used at once.

        None if all inputs come from the same sources: there, waiting for one another only
        reflects the work on the slowest path.
        """
        flows = [flow for flow in self.flows_into(operator) if not (flow.latest or flow.back_edge)]
        if len(flows) < 2:
            return None
        late = min(flows, key=lambda flow: (finite(flow.waits.mean), flow.delivered, flow.name))
        sources = [self._sources(flow.producer) for flow in flows if flow is not late]
        return None if self._sources(late.producer) <= set[str]().union(*sources) else late

    def real_time(self, operator: str) -> bool:
        """Whether what reaches `operator` comes from a device or has due times."""
        sources = [self.operators[name] for name in self._sources(operator)]
        return any(stats.live or finite(stats.paced) > 0 for stats in sources)

    def _sources(self, operator: str) -> set[str]:
        above = self.upstream([operator])
        return {name for name in above if name in self.operators and self.operators[name].source}

    @staticmethod
    def _reached(begin: Iterable[str], edges: list[tuple[str, str]]) -> set[str]:
        after: dict[str, list[str]] = {}
        for one, other in edges:
            after.setdefault(one, []).append(other)
        found, todo = set[str](), list(begin)
        while todo:
            name = todo.pop()
            if name not in found:
                found.add(name)
                todo.extend(after.get(name, ()))
        return found

    # -- use ---------------------------------------------------------------------------------

    @cached_property
    def stages(self) -> tuple[StageFacts, ...]:
        """All stages, in the order of the app."""
        groups: dict[tuple[str, str], list[OperatorStats]] = {}
        for stats in self.snapshot.operators:
            groups.setdefault((stats.fragment, stats.stage or stats.name), []).append(stats)
        stages = [self._stage(*key, group) for key, group in groups.items()]
        for fragment in self.snapshot.fragments:
            # Few samples can mislead: no stage computes more than its whole process.
            mine = self._of_fragment(fragment, stages)
            used = finite(fragment.machine.cpu / self.seconds) if self.seconds else 0.0
            claimed = sum(stage.computing for stage in mine if stage.cpu is not None)
            if claimed > used > 0:
                scaled = {s: replace(s, cpu=s.cpu * used / claimed) for s in mine if s.cpu}
                stages = [scaled.get(stage, stage) for stage in stages]
        return tuple(stages)

    def _of_fragment(
        self, fragment: FragmentStats, stages: Iterable[StageFacts]
    ) -> list[StageFacts]:
        """Return the stages that run in the process of `fragment`, which may have several names."""
        names = (fragment.name, *fragment.name.split("+"))
        alone = len(self.snapshot.fragments) == 1
        return [stage for stage in stages if alone or stage.fragment in names]

    def _stage(self, fragment: str, name: str, group: list[OperatorStats]) -> StageFacts:
        # A source waits for its device in a thread of its own.
        working = [stats for stats in group if not (stats.source and stats.live)]
        busy = finite(sum(finite(stats.busy) for stats in working))
        sampled = [stats for stats in working if stats.cpu is not None]
        on_cpu = sum(finite(stats.busy) * finite(stats.cpu) for stats in sampled)
        of = sum(finite(stats.busy) for stats in sampled)
        return StageFacts(
            name, fragment, tuple(group), busy, self.of_run(busy),
            share(on_cpu, of) if of else None,
        )  # fmt: skip

    def stage_of(self, operator: str) -> StageFacts | None:
        """Return the stage of `operator`."""
        for stage in self.stages:
            if any(stats.name == operator for stats in stage.operators):
                return stage
        return None

    @cached_property
    def processes(self) -> tuple[ProcessFacts, ...]:
        """All processes that have stages."""
        left = list(self.stages)
        made = []
        for fragment in self.snapshot.fragments:
            mine = self._of_fragment(fragment, left)
            left = [stage for stage in left if stage not in mine]
            made.append(self._process(fragment, tuple(mine)))
        return tuple(process for process in made if process.stages)

    def _process(self, fragment: FragmentStats, stages: tuple[StageFacts, ...]) -> ProcessFacts:
        machine = fragment.machine
        ticking = [w.busy for w in self.snapshot.workers if w.fragment == fragment.name]
        return ProcessFacts(
            name=fragment.name,
            stages=stages,
            workers=max(fragment.workers, 1),
            scheduler=fragment.scheduler,
            cores=max(machine.cores, 1),
            gil=min(finite(machine.gil), 1.0),
            crowded=min(finite(machine.crowded), 1.0),
            cpu=finite(finite(machine.cpu) / self.seconds) if self.seconds else 0.0,
            ticking=sum(self.of_run(busy) for busy in ticking),
        )

    def process_of(self, stage: StageFacts) -> ProcessFacts | None:
        """Return the process that runs `stage`; None if it is unknown."""
        return next((process for process in self.processes if stage in process.stages), None)

    # -- paths -------------------------------------------------------------------------------

    @cached_property
    def critical(self) -> PathStats | None:
        """The path that sets the latency: the slowest of those that mostly come last at joins."""
        paths = [path for path in self.snapshot.paths if path.frames]
        deciding = [path for path in paths if 2 * path.critical >= path.frames]
        return max(deciding or paths, key=lambda path: finite(path.end_to_end.mean), default=None)

    def depth(self, flow: FlowStats) -> float:
        """Return how many messages waited in the queue of `flow` on average, by Little's law."""
        arrived = flow.sent / self.seconds if self.seconds else 0.0
        return min(finite(finite(flow.waits.mean) * arrived), max(flow.queue, 0) + 1.0)
