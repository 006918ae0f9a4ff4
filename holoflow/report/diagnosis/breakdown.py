"""What the end-to-end time of a path consists of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from holoflow.core.text import brief, duration, percent
from holoflow.report.diagnosis import advice
from holoflow.report.diagnosis.facts import Facts, ProcessFacts, StageFacts
from holoflow.report.diagnosis.finding import Finding
from holoflow.report.diagnosis.rate import (
    FULL,
    crossing,
    crowded,
    late_partner,
    scheduling,
    too_few_workers,
)
from holoflow.report.measures import finite, share
from holoflow.stats.snapshot import FlowStats, OperatorStats, PathStats, Step

WORTH = 0.1
"""Share of the end-to-end time from which a part is reported."""
WORKS = 0.4
"""The same for an operator's own work, which is necessary."""
SLIGHT = 1e-3
"""Seconds up to which a part is not reported, whatever its share."""
LONG = 3
"""Messages in a queue from which it counts as unnecessary."""


def parts(facts: Facts, path: PathStats, *, slight: float = SLIGHT) -> list[Finding]:
    """Return what makes frames late on `path`, the heaviest first.

    Parts of up to `slight` seconds are left out.
    """
    joined: dict[tuple[str, str], Finding] = {}
    whole = finite(path.end_to_end.mean)
    for finding in _parts(facts, path, whole):
        key = (finding.cause, finding.where)
        before = joined.get(key)
        if before is not None:
            finding = replace(before, weight=min(before.weight + finding.weight, 1.0))
        joined[key] = finding
    found = [
        finding
        for finding in joined.values()
        if finding.weight >= (WORKS if finding.cause == "slow operator" else WORTH)
        and finding.weight * whole > slight
    ]
    return sorted(found, key=lambda finding: -finding.weight)


def _parts(facts: Facts, path: PathStats, whole: float) -> Iterator[Finding]:
    for step in path.steps:
        if step.kind != "work":
            yield crossing(facts, step, share(finite(step.taking) + finite(step.waiting), whole))
            continue
        stats = facts.operators.get(step.operator)
        stage = facts.stage_of(step.operator)
        if stats is None or stage is None:
            continue
        if not stats.source:
            yield _working(path, step, stats, facts, stage, share(step.taking, whole))
        yield from _waiting(facts, path, step, stats, stage, share(step.waiting, whole))


def _working(
    path: PathStats, step: Step, stats: OperatorStats, facts: Facts, stage: StageFacts,
    weight: float,
) -> Finding:  # fmt: skip
    wait = finite(step.waiting)
    before = f", after {duration(wait)} of waiting" if wait > 0.1 * finite(step.taking) else ""
    return Finding(
        "slow operator",
        step.operator,
        f"{step.operator} takes {duration(step.taking)} of the {duration(path.end_to_end.mean)} "
        f"from {path.steps[0].operator} to {path.steps[-1].operator}{before}; it works "
        f"{percent(facts.of_run(stats.busy))} of the time",
        advice.slow_operator(facts, stats, stage, facts.process_of(stage)),
        weight,
    )


def _waiting(
    facts: Facts, path: PathStats, step: Step, stats: OperatorStats, stage: StageFacts,
    weight: float,
) -> Iterator[Finding]:  # fmt: skip
    """Split the wait before a step by its reasons, which are known only for all frames together."""
    why, process = stats.waiting, facts.process_of(stage)
    reasons = {
        "partner": finite(why.partner), "turn": finite(why.turn), "room": finite(why.room),
        "worker": finite(why.worker),
    }  # fmt: skip
    if stats.source or stage.utilisation >= FULL:
        # What shares a busy stage waits for that stage; a source waits for room only.
        kind = "room" if stats.source else "turn"
        reasons[kind] += reasons["worker"]
        reasons["worker"] = 0.0
    flow = facts.flow_at(step.operator, step.port)
    if flow is not None and flow is facts.late_input(step.operator):
        reasons["partner"] = 0.0  # the other inputs wait for this one
    total = sum(reasons.values())
    split = {name: weight * share(seconds, total) for name, seconds in reasons.items()}
    if stats.source:
        split["room"] = weight if facts.of_run(stats.held) else 0.0
    late = late_partner(facts, stats, split["partner"]) if split["partner"] else None
    if late is not None:
        yield late
    if split["turn"]:
        if flow is not None and flow.queue >= LONG and facts.depth(flow) >= 0.4 * flow.queue:
            yield full_queue(facts, flow, path, split["turn"])
        else:
            yield _working(path, step, stats, facts, stage, split["turn"])
    if split["room"]:
        after = facts.downstream([step.operator]) - {step.operator}
        busiest = max(
            (s for s in facts.stages if any(b.name in after for b in s.operators)),
            key=lambda s: s.utilisation,
            default=None,
        )
        if busiest is not None and not busiest.busiest.source:
            yield _room(step, busiest, facts, split["room"])
    if split["worker"] and process is not None:
        yield _worker(process, split["worker"])


def full_queue(facts: Facts, flow: FlowStats, path: PathStats, weight: float) -> Finding:
    """Return the finding that messages wait in a queue before a slower operator."""
    depth = facts.depth(flow)
    return Finding(
        "full queue",
        flow.name,
        f"frames wait {duration(flow.waits.mean)} of {duration(path.end_to_end.mean)} in the queue "
        f"of {flow.target}: {brief(depth)} of {flow.queue} messages are in it on average",
        advice.full_queue(facts, flow),
        min(weight, 1.0),
    )


def _room(step: Step, stage: StageFacts, facts: Facts, weight: float) -> Finding:
    stats = stage.busiest
    return Finding(
        "slow operator",
        stats.name,
        f"frames wait {duration(step.waiting)} at {step.operator} for room behind it; of all that "
        f"comes after, {stats.name} is the busiest: it works {percent(stage.utilisation)} of the "
        f"time",
        advice.slow_operator(facts, stats, stage, facts.process_of(stage)),
        weight,
    )


def _worker(process: ProcessFacts, weight: float) -> Finding:
    """Return the finding why ready frames are not taken up by a worker."""
    if process.crowded >= 0.5 and process.core_wait >= 0.2:
        return crowded(process, weight)
    if process.working >= 0.7 * process.workers and process.workers < len(process.stages):
        return replace(too_few_workers(process), weight=weight)
    return replace(scheduling(process), weight=weight)
