"""Running a model in simulated time, and finding what limited it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from holoflow.core.text import percent
from holoflow.engine.admission import lift, usual
from holoflow.engine.queue import Queue
from holoflow.predict.flows import (
    LinkModel,
    Network,
    PathTable,
    SimulatedOutput,
    SimulatedRemoteOutput,
    Thread,
    make_queue,
)
from holoflow.predict.model import (
    FlowModel,
    FlowOutcome,
    Model,
    Outcome,
    PathOutcome,
    Resource,
    ResourceKind,
)
from holoflow.predict.resources import Events, Pool, Share
from holoflow.predict.stage import SimulatedStage, Workers
from holoflow.predict.stage_kinds import SimulatedOperatorStage, SimulatedSourceStage
from holoflow.stats import counters
from holoflow.stats.counters import SENT

FULL = 0.93
"""Share from which a resource counts as fully used."""
_KEPT = 0.98
"""Share of its own rate that a source must reach."""

LimitKind: TypeAlias = "ResourceKind | Literal['pace', 'queue', 'stuck']"

_WORDS: Mapping[ResourceKind, str] = {
    "stage": "{name} works all the time",
    "workers": "the workers of fragment {name} are all busy",
    "cores": "the cores of {name} are all busy",
    "link": "the link's threads of {name} are always busy",
    "network": "the network {name} is full",
}
_RANKS: Mapping[ResourceKind, int] = {"cores": 0, "network": 1, "link": 2, "stage": 3, "workers": 4}
"""Order of kinds if several are full: a lack of cores keeps everything else busy."""


@dataclass(frozen=True)
class Limit:
    """What limits the rate."""

    kind: LimitKind
    where: str
    used: float
    """Share of the time in which it is used, 0 to 1."""
    words: str


def limit(model: Model, outcome: Outcome) -> Limit:
    """Return what limits the rate of `outcome`."""
    if outcome.stuck:
        return Limit("stuck", "", 0.0, "it comes to a stop: what is waited for never comes")
    full = [resource for resource in outcome.resources if resource.used >= FULL]
    if full:
        first = min(full, key=lambda resource: (_RANKS[resource.kind], -resource.used))
        words = _WORDS[first.kind].format(name=first.name)
        return Limit(first.kind, first.name, first.used, f"{words} ({percent(first.used)})")
    busiest = _said(outcome.resources[0]) if outcome.resources else "nothing busy"
    late = _late(model, outcome)
    if late is None:
        return Limit("pace", "", 0.0, f"the pace of the sources ({busiest})")
    words = f"{busiest}, and queues too short for how times vary, or for the way to another host"
    return Limit("queue", late, 0.0, words)


def _said(resource: Resource) -> str:
    what = {"stage": "", "workers": "workers of ", "cores": "cores of ", "link": "link of "}
    kind = what.get(resource.kind, "network ")
    return f"{kind}{resource.name} {percent(resource.used)} busy"


def _late(model: Model, outcome: Outcome) -> str | None:
    """Return a source that does not reach its rate; None if all do."""
    for stage in model.stages:
        if stage.pace is not None:
            name, rate = stage.work[0].operator, stage.pace.rate
            if rate is None or outcome.rates[name] < _KEPT * rate:
                return name
    return None


FRAMES = 1000
"""Frames of each source that are measured."""
WARM = 0.1
"""Share of them that is simulated before, until queues have filled."""
MOST_EVENTS = 1_000_000
"""Seconds after which the rest is left out."""


def simulate(model: Model, frames: int = FRAMES, seed: int = 0) -> Outcome:
    """Run `model` until every source has produced `frames` frames and all of them are processed.

    Equal arguments give equal outcomes.

    Args:
        model: The app on its hosts.
        frames: Frames of each source.
        seed: Seed of the random order of working times.
    """
    return _World(model, seed).run(frames)


class _World:
    """Everything that takes part in a simulation."""

    def __init__(self, model: Model, seed: int) -> None:
        self.model = model
        self.events = Events()
        self.paths = PathTable()
        self.network = Network(self.events)
        self.pools = {name: Pool(name, cores) for name, cores in model.pools.items()}
        self.workers: dict[str, Workers] = {}
        self.threads: dict[tuple[str, str], Thread] = {}
        hosts = {process.name: process.host for process in model.processes}
        for process in model.processes:
            pools = [self.pools[name] for name in process.pools]
            self.workers[process.name] = Workers(
                process.name, process.workers, pools, self.events, model.wake
            )
            for direction in ("out", "in"):
                self.threads[process.name, direction] = Thread(process.name, self.events, pools)
        process_of = {stage.name: stage.process for stage in model.stages}
        self.queues = [make_queue(flow.planned) for flow in model.flows]
        self.outputs = [
            self._output(flow, queue, self._link(flow, process_of, hosts))
            for flow, queue in zip(model.flows, self.queues, strict=True)
        ]
        self.stages = [self._stage(index, seed) for index in range(len(model.stages))]
        self.sources = [stage for stage in self.stages if isinstance(stage, SimulatedSourceStage)]
        self._admit()

    def _admit(self) -> None:
        """Let the sources count their frames under way, as the engine does."""
        for workers in self.workers.values():
            inside = [stage for stage in self.stages if stage.workers is workers]
            counted = {
                stage.model.name: stage
                for stage in inside
                if isinstance(stage, SimulatedSourceStage)
                and stage.model.in_flight is not None
                and any(output.end.counted for output in stage.outputs)
            }
            batches = {s.model.name: s.model.batch for s in inside if s.model.batch > 1}
            sources = {source: self._behind(source) for source in counted}
            for source, share in usual(sources, batches, workers.count).items():
                counted[source].count(share)

    def _behind(self, source: str) -> set[str]:
        """Return the stages that frames of `source` come to."""
        found, frontier = {source}, [source]
        while frontier:
            stage = frontier.pop()
            targets = {flow.target for flow in self.model.flows if flow.source == stage} - found
            found |= targets
            frontier += targets
        return found

    def _output(self, flow: FlowModel, queue: Queue, link: LinkModel | None) -> SimulatedOutput:
        end = queue if link is None else SimulatedRemoteOutput(queue, link, self.events)
        seconds = 0.0 if flow.link_times is None else flow.link_times.send
        return SimulatedOutput(end, Share(flow.rate), seconds)

    def _link(
        self, flow: FlowModel, process_of: Mapping[str, str], hosts: Mapping[str, str]
    ) -> LinkModel | None:
        if flow.link_times is None:
            return None
        sender, receiver = process_of[flow.source], process_of[flow.target]
        threads = (self.threads[sender, "out"], self.threads[receiver, "in"])
        ends = (hosts[sender], hosts[receiver])
        return LinkModel(flow.link_times, self.events, threads, ends, self.network)

    def _stage(self, index: int, seed: int) -> SimulatedStage:
        model = self.model.stages[index]
        flows = list(zip(self.model.flows, self.queues, self.outputs, strict=True))
        outputs = [output for flow, _, output in flows if flow.source == model.name]
        receive = {
            queue: 0.0 if flow.link_times is None else flow.link_times.receive
            for flow, queue, _ in flows
            if flow.target == model.name
        }
        kind = SimulatedOperatorStage if model.pace is None else SimulatedSourceStage
        stage = kind(model, self.workers[model.process], self.events, outputs, self.paths, seed)
        if isinstance(stage, SimulatedOperatorStage):
            stage.connect(list(receive), receive)
        return stage

    def run(self, frames: int) -> Outcome:
        for source in self.sources:
            assert source.model.pace is not None  # noqa: S101 - for the type checker
            source.begin(source.model.pace)
        warm = round(frames * WARM)
        begin: _Counts | None = None
        end: _Counts | None = None
        while self.events.next() or lift(self.stages):
            if end is not None:
                continue
            given = min((s.given for s in self.sources if s.pace.frames is None), default=0)
            if begin is None and given >= warm:
                begin = self._counts()
            if given >= frames + warm or self.events.count > MOST_EVENTS:
                end = self._counts()
                for source in self.sources:
                    source.ended = True
                    source.wake()
        stuck = end is None and not all(source.finished for source in self.sources)
        return self._outcome(begin or _Counts(), end or self._counts(), stuck=stuck)

    def _counts(self) -> _Counts:
        counts = _Counts()
        counts.time = self.events.now
        for stage in self.stages:
            counts.calls.update(stage.calls)
            counts.used["stage", stage.model.name] = stage.busy / stage.model.copies
        for name, workers in self.workers.items():
            counts.used["workers", name] = workers.busy / workers.count
        for (name, direction), thread in self.threads.items():
            counts.used["link", f"{name}, {'sending' if direction == 'out' else 'receiving'}"] = (
                thread.busy
            )
        for (host, direction), busy in self.network.busy.items():
            counts.used["network", f"{'from' if direction == 'out' else 'to'} {host}"] = busy
        for name, pool in self.pools.items():
            pool.acknowledge(self.events.now)
            counts.used["cores", name] = pool.used / pool.cores
        return counts

    def _outcome(self, begin: _Counts, end: _Counts, *, stuck: bool) -> Outcome:
        seconds = max(end.time - begin.time, 1e-12)
        names = [work.operator for stage in self.model.stages for work in stage.work]
        used = [
            Resource(kind, name, min((busy - begin.used.get((kind, name), 0.0)) / seconds, 1.0))  # type: ignore[arg-type]
            for (kind, name), busy in end.used.items()
        ]
        paths = []
        for path, times in self.paths.times.items():
            took = np.array([took for captured, took in times if captured >= begin.time])
            if len(took):
                operators = self.paths.names[path]
                p50, p99 = np.quantile(took, (0.5, 0.99), method="inverted_cdf").tolist()
                paths.append(PathOutcome(operators, len(took), float(took.mean()), p50, p99))
        return Outcome(
            seconds=seconds,
            rates={name: (end.calls[name] - begin.calls[name]) / seconds for name in names},
            paths=tuple(sorted(paths, key=lambda path: -path.p50)),
            flows=tuple(
                FlowOutcome(
                    q.name,
                    q.counters[SENT],
                    counters.delivered(q.counters),
                    counters.dropped(q.counters),
                    counters.waiting(q.counters),
                )
                for q in self.queues
            ),
            resources=tuple(sorted(used, key=lambda resource: -resource.used)),
            lost={s.model.work[0].operator: s.lost for s in self.sources if s.lost},
            stuck=stuck,
        )


class _Counts:
    """Counts of everything at one moment."""

    def __init__(self) -> None:
        self.time = 0.0
        self.calls: Counter[str] = Counter()
        self.used: dict[tuple[str, str], float] = {}
