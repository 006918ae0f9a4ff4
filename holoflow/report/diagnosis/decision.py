"""The decision: what limits a run most, and what else matters."""

from __future__ import annotations

from dataclasses import dataclass, replace

from holoflow.core.text import brief, duration, percent
from holoflow.report import measures
from holoflow.report.diagnosis import advice, breakdown, rate
from holoflow.report.diagnosis.facts import Facts
from holoflow.report.diagnosis.finding import Explanation, Finding, demands
from holoflow.report.measures import finite, share
from holoflow.stats.snapshot import BudgetStats, PathStats, Snapshot
from holoflow.stats.standing import (
    TOLD,
    lasting,
    standing,
    stands_full,
    stuck,
    unheard,
)

MOST = 5
"""Number of findings beside the bottleneck."""
OFTEN = 0.1
"""Share of the judgements from which a budget counts as missed: a single hiccup is not enough."""
BEHIND = 2
"""Number of frame intervals that frames may wait before an app counts as late."""
NO_FRAME = "no frame has come yet"
LONG_SHARE = 0.2
"""Share of the run's time from which a single call counts as a stall."""
SLIGHT = 5e-3
"""Seconds of waiting that never make an app late."""


def explain(snapshot: Snapshot) -> Explanation:
    """Return what limits the run that left `snapshot`.

    Equal snapshots give equal explanations. It does not raise, whatever the snapshot contains.
    """
    facts = Facts(snapshot)
    grave = [*amiss(snapshot), *_long_calls(facts)]
    limits = [*grave, *rate.limits(facts, demands(facts))]
    missed = [budget for budget in snapshot.budgets if _missed(budget)]
    path = next(filter(None, (_path_of(facts, budget) for budget in missed)), facts.critical)
    delays = _delays(facts, path, missed=bool(missed))
    lost = _losses(facts)
    first = grave[0] if grave else _first(facts, limits, lost, delays, missed)
    if first is None:
        first = _nothing(facts, path)
        # If all operators keep up, their work is not a fault.
        delays = [delay for delay in delays if delay.finding.cause != "slow operator"]
    return Explanation(
        _with_rates(
            _with_budget(first, [budget for budget in missed if _concerns(facts, first, budget)]),
            snapshot,
        ),
        _others(first, [*limits, *lost, *(delay.finding for delay in delays)]),
        facts.critical,
    )


def amiss(snapshot: Snapshot) -> list[Finding]:
    """Return what stalls a run now, beside which nothing else matters.

    These are calls that last, processes that do not report, and a standstill.
    """
    found = []
    for stats in snapshot.fragments:
        if said := unheard(stats):
            found.append(Finding("stall", stats.name, said, (), 1.0))
        elif said := stuck(stats) or ("" if _reads(snapshot, stats.call) else lasting(stats)):
            found.append(Finding("stall", stats.call, said, advice.stuck_call(), 1.0))
    full = "" if found else stands_full(snapshot)
    if said := snapshot.stood or standing(snapshot) or full:
        found.append(Finding("stall", snapshot.app, said, (), 1.0))
    return found


def _long_calls(facts: Facts) -> list[Finding]:
    """Return the findings for operators most of whose working time was a single call."""
    return [
        Finding(
            "stall",
            stats.name,
            f"one call of {stats.name} took {duration(stats.working.max)}; half of its calls took "
            f"{duration(stats.working.quantile(0.5))} or less",
            advice.stuck_call(),
            share(stats.working.max, facts.seconds),
        )
        for stats in facts.snapshot.operators
        if not stats.source
        and stats.working.count > 1
        and stats.working.max >= max(TOLD, LONG_SHARE * facts.seconds, stats.busy / 2)
    ]


def _reads(snapshot: Snapshot, operator: str) -> bool:
    """Whether an operator is a source, which may have to wait for its device."""
    return any(stats.source for stats in snapshot.operators if stats.name == operator)


@dataclass(frozen=True)
class Delay:
    """What makes frames late, and on which path."""

    finding: Finding
    path: PathStats

    @property
    def seconds(self) -> float:
        """How late frames are, in seconds."""
        return self.finding.weight * finite(self.path.end_to_end.mean)


def _delays(facts: Facts, path: PathStats | None, *, missed: bool) -> list[Delay]:
    if path is None:
        return []
    slight = 0.0 if missed else breakdown.SLIGHT
    found = [Delay(finding, path) for finding in breakdown.parts(facts, path, slight=slight)]
    # On a path that waits for partners at joins, the partners determine the latency.
    waits = [p for p in facts.snapshot.paths if p is not path and p.frames]
    if waits and not missed:
        slowest = max(waits, key=lambda path: finite(path.end_to_end.mean))
        found += [
            Delay(finding, slowest)
            for finding in breakdown.parts(facts, slowest)
            if finding.cause == "late partner"
        ]
    return sorted(found, key=lambda delay: -delay.finding.weight)


def _missed(budget: BudgetStats) -> bool:
    return budget.dropped > 0 or share(budget.missed, budget.judged) >= OFTEN


def _path_of(facts: Facts, budget: BudgetStats) -> PathStats | None:
    """Return the slowest path that the budget covers."""
    for path in facts.snapshot.paths:
        names = [step.operator for step in path.steps]
        if budget.source in names and budget.target in names and path.frames:
            return path
    return None


def _first(
    facts: Facts, limits: list[Finding], lost: list[Finding], delays: list[Delay],
    missed: list[BudgetStats],
) -> Finding | None:  # fmt: skip
    """Return what matters most; None if the app keeps up."""
    if missed and limits and not any(_concerns(facts, limits[0], budget) for budget in missed):
        limits = []  # of other frames than the late ones
    if limits:
        # If frames are dropped or have due times, their age matters.
        queues = [delay.finding for delay in delays if delay.finding.cause == "full queue"]
        old = [queue for queue in queues if queue.weight >= 0.5]
        return old[0] if old and (missed or _lossy(facts, old[0])) else limits[0]
    if lost:
        return lost[0]
    if missed:
        return delays[0].finding if delays else None
    grave = (delay for delay in delays if _grave(facts, delay))
    return next((delay.finding for delay in grave), None)


def _grave(facts: Facts, delay: Delay) -> bool:
    """Whether frames pile up for another reason than the time of processing them."""
    interval = facts.seconds / max(delay.path.frames, 1)
    needless = delay.finding.cause not in ("slow operator", "link", "serialising")
    late = delay.seconds > max(BEHIND * interval, SLIGHT)
    return needless and late and delay.finding.weight >= 0.5


def _lossy(facts: Facts, queue: Finding) -> bool:
    return any(flow.name == queue.where and not flow.lossless for flow in facts.snapshot.flows)


def _losses(facts: Facts) -> list[Finding]:
    """Return the findings for joins that lose messages because their partners are late."""
    budgeted = {budget.target for budget in facts.snapshot.budgets if budget.dropped}
    found = []
    for stats in facts.snapshot.operators:
        flows = facts.flows_into(stats.name)
        lost = max((share(flow.dropped.get("late", 0), flow.sent) for flow in flows), default=0.0)
        if lost >= 0.05 and not budgeted & facts.downstream([stats.name]):
            found.append(rate.late_partner(facts, stats, lost))
    return sorted(filter(None, found), key=lambda finding: -finding.weight)


def _nothing(facts: Facts, path: PathStats | None) -> Finding:
    """Return the finding that the app keeps up, with its speed and what is to spare."""
    sources = [stats for stats in facts.snapshot.operators if stats.source and stats.frames]
    if not sources or not facts.seconds:
        counts = [stats.frames for stats in measures.sources(facts.snapshot)]
        unseen = bool(counts) and all(count is None for count in counts)
        text = "the frames of Holoscan's own operators cannot be counted" if unseen else NO_FRAME
        return Finding("unknown", facts.snapshot.app, text, (), 0.0)
    short = [stats for stats in sources if measures.falls_short(stats)]
    if short:
        # Nothing behind it holds it up.
        return Finding("slow source", short[0].name, "what comes after keeps up", (), 1.0)
    fastest = max(sources, key=lambda stats: stats.calls)
    paced = "gives" if fastest.live or facts.of_run(fastest.paced) else "gave"
    text = (
        f"{fastest.name} {paced} {brief(fastest.calls / facts.seconds)} frames a second, "
        f"and what comes after keeps up"
    )
    others = [stats for stats in facts.snapshot.operators if not stats.source]
    busiest = max(others, key=lambda stats: finite(stats.busy), default=None)
    if busiest is not None:
        works = percent(facts.of_run(busiest.busy))
        text += f"; the busiest, {busiest.name}, works {works} of the time"
    if path is not None:
        text += f"; a frame takes {duration(path.end_to_end.mean)} on {path.name}"
    return Finding("nothing", fastest.name, text, (), 0.0)


def _concerns(facts: Facts, finding: Finding, budget: BudgetStats) -> bool:
    """Whether a finding lies on a path of the budget, and not on one of other frames."""
    path = facts.downstream([budget.source]) & facts.upstream([budget.target])
    process = next((p for p in facts.processes if p.name == finding.where), None)
    if process is not None:
        return any(stats.name in path for stage in process.stages for stats in stage.operators)
    consumer = finding.where.rpartition(" -> ")[2].partition(".")[0]
    return finding.where in path or consumer in path


def _with_rates(first: Finding, snapshot: Snapshot) -> Finding:
    """Prepend which rates were requested of sources and not reached."""
    rates = [
        f"{stats.name} was asked for {brief(measures.asked(stats))} frames a second "
        f"and gave {brief(measures.rate_in(snapshot, stats))}"
        for stats in snapshot.operators
        if measures.falls_short(stats)
    ]
    return replace(first, evidence="; ".join([*rates, first.evidence]))


def _with_budget(first: Finding, missed: list[BudgetStats]) -> Finding:
    """Append the budget that makes the finding matter."""
    if not missed or not missed[0].limits:
        return first
    budget = missed[0]
    over = [n for n, limit in budget.limits.items() if budget.worst.get(n, 0.0) > limit]
    name = min(over or budget.limits)
    limit = budget.limits[name]
    was = f", and was {duration(budget.worst[name])}" if name in budget.worst else ""
    text = f"{name} from {budget.source} to {budget.target} may be {duration(limit)}{was}"
    return replace(first, evidence=f"{first.evidence}; {text}")


def _others(first: Finding, found: list[Finding]) -> tuple[Finding, ...]:
    """Return the other findings, each once, without those that repeat the first."""
    kept: dict[tuple[str, str], Finding] = {}
    for finding in sorted(found, key=lambda finding: -finding.weight):
        key = (finding.cause, finding.where)
        if key != (first.cause, first.where) and finding.weight >= breakdown.WORTH:
            kept.setdefault(key, finding)
    return tuple(kept.values())[:MOST]
