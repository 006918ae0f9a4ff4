"""What limits the rate of an app with unmet demands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from holoflow.core.text import brief, duration, listed, percent
from holoflow.report.diagnosis import advice
from holoflow.report.diagnosis.facts import Facts, ProcessFacts, StageFacts
from holoflow.report.diagnosis.finding import Demand, Finding
from holoflow.report.measures import finite, share
from holoflow.stats.snapshot import OperatorStats, Step

FULL = 0.8
"""Utilisation from which a stage limits the rate; the rest is spent on passing messages."""
STRETCHED = 0.4
"""Share of its time for which an operator must wait for a core, for cores to be the cause."""
WAITED = 0.1
"""Threads that are ready and wait for a core, on average, by the kernel's count (schedstat), from
which a machine counts as crowded: what hardly runs hardly waits, whatever the share."""
LOCKED = 0.5
"""Share of the time from which the interpreter lock counts as taken."""
COMPUTED = 0.8
"""Cores that operators need from which one thread at a time is not enough."""
NEARLY = 0.6
"""Cores on which they compute for the lock, and not a lack of cores, to be the cause."""
ALONE = 0.8
"""Share of these cores from which a single operator uses them all."""
TINY = 0.5e-3
"""Seconds per call up to which passing messages on may take longer than the work."""


@dataclass(frozen=True)
class Case:
    """An unmet demand, and the stages that may be the cause."""

    facts: Facts
    demands: list[Demand]
    stages: list[StageFacts]
    """Stages that may be the cause, the busiest first."""

    @property
    def top(self) -> StageFacts:
        """The busiest stage."""
        return self.stages[0]

    @property
    def processes(self) -> list[ProcessFacts]:
        """The processes of the stages."""
        return [p for p in self.facts.processes if any(s in p.stages for s in self.stages)]


def limits(facts: Facts, demands: list[Demand]) -> list[Finding]:
    """Return what limits the rate, the most important first; nothing without unmet demands."""
    region = {name for demand in demands for name in demand.region}
    stages = [s for s in facts.stages if any(stats.name in region for stats in s.operators)]
    if not stages:
        return []
    stages.sort(key=lambda stage: -stage.utilisation)
    case = Case(facts, demands, stages)
    locked, starved = _interpreter_lock(case), _crowded_machine(case)
    if locked is not None and (_saturated(case) or not _stretched(case)):
        return [locked, *filter(None, [starved])]
    if starved is not None and _stretched(case):
        return [starved, *filter(None, [locked, _slow_operator(case)])]
    judges: tuple[Callable[[Case], Finding | None], ...] = (
        _slow_operator, _too_few_workers, _late_partner, _crossing, _scheduling, _idle_for_cores,
        _busiest,
    )  # fmt: skip
    found = [finding for judge in judges if (finding := judge(case))]
    # A finding of a lack of cores only, or for want of a better one, leaves the rest open.
    kept = found[: 2 if found and found[0].cause == "crowded machine" else 1]
    return [*kept, *filter(None, [starved, _passing_lock(case)])] if kept else []


# -- cores and the interpreter lock ----------------------------------------------------------


def _interpreter_lock(case: Case) -> Finding | None:
    for process in case.processes:
        wants = {stage: process.wants_core(stage) for stage in process.stages}
        computing = sorted(wants, key=lambda stage: -wants[stage])
        total = sum(wants.values())
        alone = share(wants[computing[0]], total)
        able = process.workers > 1 and process.cores > 1
        # A single operator would be slow by itself; the lock holds up several.
        if able and process.gil >= LOCKED and total >= COMPUTED and alone <= ALONE:
            return _locked(process, [stage for stage in computing if wants[stage] >= 0.1], alone)
    return None


def _saturated(case: Case) -> bool:
    """Whether operators compute nearly as much as one thread can, however many wait for cores."""
    return any(sum(s.computing for s in p.stages) >= NEARLY for p in case.processes)


def _locked(process: ProcessFacts, computing: list[StageFacts], alone: float) -> Finding:
    names = [stage.busiest.name for stage in computing]
    works = listed([percent(stage.utilisation) for stage in computing])
    cores = sum(stage.computing for stage in computing)
    return Finding(
        "interpreter lock",
        process.name,
        f"{listed(names)} are at work {works} of the time, but together they compute on no more "
        f"than {brief(cores)} of {process.cores} cores: Python lets one thread run at a time, and "
        f"whoever wants its lock has to wait {percent(process.gil)} of the time",
        advice.interpreter_lock(names),
        1 - alone,
    )


def _passing_lock(case: Case) -> Finding | None:
    """Return the finding that the lock adds up to 5 ms to each call."""
    stage, process = case.top, case.facts.process_of(case.top)
    if process is None or process.gil < LOCKED or stage.cpu is None or stage.cpu > 0.8:
        return None
    others = [s for s in process.stages if s is not stage and s.computing >= 0.2]
    call = finite(stage.busiest.working.mean)
    weight = share(5e-3, call) / 2 * process.gil
    if not others or weight < 0.1:
        return None
    names = [s.busiest.name for s in others]
    return Finding(
        "interpreter lock",
        process.name,
        f"whoever wants Python's interpreter lock has to wait {percent(process.gil)} of the "
        f"time, as {listed(names)} compute{'s' if len(names) == 1 else ''} in Python",
        advice.interpreter_lock([stage.busiest.name, *names]),
        weight,
    )


def _crowded_machine(case: Case) -> Finding | None:
    """Return the finding that the busiest stage waits for cores, in its calls or between them."""
    stage, process = case.top, case.facts.process_of(case.top)
    if process is None or process.crowded < 0.3 or process.core_wait < WAITED:
        return None
    at_work = stage.utilisation * process.without_core(stage)
    weight = at_work + min(1 - stage.utilisation, process.core_wait)
    return crowded(process, weight) if weight >= 0.2 else None


def _stretched(case: Case) -> bool:
    """Whether the busiest stage is mostly busy, and would be much faster with a free core."""
    process = case.facts.process_of(case.top)
    waits = process is not None and process.without_core(case.top) >= STRETCHED
    return waits and case.top.utilisation >= 0.5


def _idle_for_cores(case: Case) -> Finding | None:
    """Return the finding that nothing works for most of the time, as threads wait for cores."""
    found, process = _crowded_machine(case), case.facts.process_of(case.top)
    if found is None or process is None or process.core_wait < STRETCHED:
        return None
    return found if case.top.utilisation < 0.5 else None


def crowded(process: ProcessFacts, weight: float) -> Finding:
    """Return the finding that `process` lacks cores."""
    own = process.cpu >= 0.8 * process.cores
    rest = "takes all of them itself" if own else "other programs take the rest"
    return Finding(
        "crowded machine",
        process.name,
        f"threads that are ready wait {percent(process.crowded)} of that time for one of "
        f"{process.cores} cores: the app uses {brief(process.cpu)} of them and {rest}",
        advice.crowded_machine(own=own),
        min(weight, 1.0),
    )


# -- operators -------------------------------------------------------------------------------


def _slow_operator(case: Case) -> Finding | None:
    return slow(case.facts, case.top, case.demands) if case.top.utilisation >= FULL else None


def _busiest(case: Case) -> Finding | None:
    """Return the finding for the busiest operator, if there is no better cause."""
    return slow(case.facts, case.top, case.demands) if case.top.utilisation >= 0.4 else None


def slow(facts: Facts, stage: StageFacts, demands: list[Demand]) -> Finding:
    """Return the finding that `stage`, and its busiest operator most, limits the rate."""
    stats = stage.busiest
    process = facts.process_of(stage)
    return Finding(
        "slow source" if stats.source else "slow operator",
        stats.name,
        _works(facts, stage, stats) + _before(facts, stats, demands) + _on_cpu(stage, process),
        advice.slow_source(stage, process)
        if stats.source
        else advice.slow_operator(facts, stats, stage, process),
        min(stage.utilisation, 1.0),
    )


def _works(facts: Facts, stage: StageFacts, stats: OperatorStats) -> str:
    calls = max(stats.calls, 1)
    each = finite(stats.busy) / calls
    of = max(facts.seconds / calls, each)  # a call may have begun before the snapshot's time
    if len(stage.operators) == 1 or share(stats.busy, stage.busy) > 0.95:
        return (
            f"{stats.name} works {duration(each)} of each {duration(of)}: "
            f"utilisation {percent(share(each, of))}"
        )
    mates = listed(
        [b.name for b in stage.operators if b is not stats and b.busy > 0.02 * stage.busy]
    )
    return (
        f"{stats.name} works {duration(each)} of each {duration(of)}, and in turn with {mates}, "
        f"with which it shares a stage: utilisation {percent(stage.utilisation)} together"
    )


def _before(facts: Facts, stats: OperatorStats, demands: list[Demand]) -> str:
    """Describe what the operator does to those before it."""
    lossy = [demand for demand in demands if demand.kind == "dropped"]
    above = facts.upstream([stats.name])
    for demand in lossy:
        if stats.name in demand.region:
            what = "messages" if "->" in demand.at else "frames"
            return f"; {percent(demand.share)} of the {what} before it are dropped"
    if any(demand.kind == "held" and demand.at in above for demand in demands):
        return "; everything before it waits"
    after = facts.downstream([stats.name]) - {stats.name}
    return "; everything after it waits for it" if stats.source and after else ""


def _on_cpu(stage: StageFacts, process: ProcessFacts | None) -> str:
    """Describe whether it works itself in that time, or waits for something else."""
    computes = stage.cpu if process is None else process.computes(stage)
    if computes is None or stage.cpu is None or 0.3 < computes < 0.7:
        return ""
    if computes <= 0.3:
        waits = "waits the rest: for a GPU, a device, a disk"
        return f"; it is on a CPU {percent(stage.cpu)} of that time, and {waits}"
    crowded = computes - stage.cpu > 0.1
    also = f" and waits for a core {percent(computes - stage.cpu)}" if crowded else ""
    return f"; it computes {percent(stage.cpu)} of that time{also}"


# -- between operators -----------------------------------------------------------------------


def _too_few_workers(case: Case) -> Finding | None:
    for process in case.processes:
        short = process.workers < len(process.stages)  # else each stage has a worker
        if short and process.working >= 0.85 * process.workers:
            return too_few_workers(process)
    return None


def too_few_workers(process: ProcessFacts) -> Finding:
    """Return the finding that all workers of `process` are busy while stages are ready."""
    at_work = sorted(process.stages, key=lambda stage: -stage.utilisation)
    at_work = [stage for stage in at_work if stage.utilisation >= 0.03]
    one = process.workers == 1
    return Finding(
        "too few workers",
        process.name,
        f"{'the only worker is' if one else f'the {process.workers} workers are'} busy "
        f"{percent(share(process.working, process.workers))} of the time, with "
        f"{len(at_work)} stages in turn; the busiest, {at_work[0].name}, takes "
        f"{percent(at_work[0].utilisation)}, so that they could work at the same time"
        if at_work
        else f"{process.workers} workers are busy all of the time",
        advice.too_few_workers(process),
        max(0.0, 1 - (at_work[0].utilisation if at_work else 0.0)),
    )


def _late_partner(case: Case) -> Finding | None:
    found = [
        late_partner(case.facts, stats, case.facts.of_run(stats.waiting.partner))
        for stage in case.stages
        for stats in stage.operators
        if case.facts.of_run(stats.waiting.partner) >= 0.4
    ]
    return max(filter(None, found), key=lambda finding: finding.weight, default=None)


def late_partner(facts: Facts, stats: OperatorStats, weight: float) -> Finding | None:
    """Return the finding that `stats` waits for late messages; None if it hardly does."""
    wait = duration(finite(stats.waiting.partner) / max(stats.calls, 1))
    flows = facts.flows_into(stats.name)
    if stats.batch > 1 and len(flows) == 1:
        return Finding(
            "late partner",
            flows[0].name,
            f"messages wait {wait} at {stats.name} for the others of their batch of up to "
            f"{stats.batch}",
            advice.BATCH,
            min(weight, 1.0),
        )
    late = facts.late_input(stats.name)
    if late is None:
        return None
    port = late.target.rpartition(".")[2]
    dropped = sum(flow.dropped.get("late", 0) for flow in flows)
    lost = f"; {dropped:,} messages found no partner in time" if dropped else ""
    return Finding(
        "late partner",
        late.name,
        f"{stats.name} waits {wait} for each message of its input {port}, from "
        f"{late.producer}, while those of the others are there{lost}",
        advice.late_partner(facts, stats, late),
        min(weight, 1.0),
    )


def _crossing(case: Case) -> Finding | None:
    """Return the finding that a link or serialising takes most of a frame's time."""
    region = {stats.name for stage in case.stages for stats in stage.operators}
    found: list[Finding] = []
    for path in case.facts.snapshot.paths:
        for step in path.steps:
            part = share(finite(step.taking) + finite(step.waiting), path.end_to_end.mean)
            if step.kind != "work" and step.operator in region and part >= 0.4:
                found.append(crossing(case.facts, step, part))
    return max(found, key=lambda finding: finding.weight, default=None)


def crossing(facts: Facts, step: Step, weight: float) -> Finding:
    """Return the finding that a link, or serialising for it, takes the time."""
    flow = facts.flow_at(step.operator, step.port)
    name = flow.name if flow else f"{step.operator}.{step.port}"
    before = f", after {duration(step.waiting)} of waiting" if finite(step.waiting) >= 1e-6 else ""
    what = "the link" if step.kind == "link" else "serialising"
    return Finding(
        "link" if step.kind == "link" else "serialising",
        name,
        f"{what} takes {duration(step.taking)} of each frame{before}: {percent(weight)} of its "
        "time end to end",
        advice.crossing(step, flow),
        min(weight, 1.0),
    )


def _scheduling(case: Case) -> Finding | None:
    for process in case.processes:
        stages = [stage for stage in process.stages if stage.utilisation > 0]
        if len(stages) < 2 or any(finite(s.busiest.working.mean) > TINY for s in stages):
            continue
        return scheduling(process)
    return None


def scheduling(process: ProcessFacts) -> Finding:
    """Return the finding that passing messages between stages takes longer than the work."""
    heads = [stage.operators[0] for stage in process.stages]
    waits = sum(share_of_calls(stats.waiting.worker, stats) for stats in heads)
    works = sum(
        share_of_calls(stats.busy, stats) for stage in process.stages for stats in stage.operators
    )
    return Finding(
        "scheduling",
        process.name,
        f"a frame is worked on for {duration(works)} in {len(process.stages)} stages and waits "
        f"{duration(waits)} for the scheduler to take them up; operators work "
        f"{percent(share(process.working, process.workers))} of the workers' time",
        advice.scheduling(process),
        max(0.0, 1 - share(process.working, process.workers)),
    )


def share_of_calls(seconds: float, stats: OperatorStats) -> float:
    """Return the mean of a total over the calls of an operator."""
    return finite(seconds) / max(stats.calls, 1)
