"""What happened in a run between two snapshots; and snapshots with the counts of counter blocks.

`difference` is the inverse of `merge`. The counts of the counter blocks outlive the processes that
counted, so they are exact also after a crash.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from operator import attrgetter
from typing import Any, TypeVar

from holoflow.plan.plan import Plan, PlannedFlow
from holoflow.stats.counters import SENT, Counters, counts
from holoflow.stats.histogram import Histogram
from holoflow.stats.snapshot import (
    FlowStats,
    PathStats,
    Snapshot,
    Step,
    Waiting,
)
from holoflow.stats.statistic import statistics

T = TypeVar("T")


def difference(now: Snapshot, before: Snapshot) -> Snapshot:
    """Return the statistics of the time between two snapshots of one run.

    Counts, histograms and `seconds` cover that time alone, and only paths that frames took in it
    are included. Gauges, budgets and announcements are those of `now`. Where counting has begun
    anew because a process was restarted, the whole value of `now` is used.
    """
    taken = _since(now.paths, before.paths, _key)
    return replace(
        now,
        seconds=max(now.seconds - before.seconds, 0.0),
        operators=_since(now.operators, before.operators, attrgetter("name")),
        flows=_since(now.flows, before.flows, attrgetter("name")),
        paths=tuple(
            sorted((p for p in taken if p.frames), key=lambda stats: -stats.end_to_end.mean)
        ),
        workers=_since(now.workers, before.workers, attrgetter("fragment", "name")),
        fragments=_since(now.fragments, before.fragments, attrgetter("name", "host", "pid")),
    )


def _key(path: PathStats) -> Hashable:
    return tuple((step.kind, step.operator, step.port) for step in path.steps)


def _since(now: Sequence[T], before: Sequence[T], key: Callable[[T], Hashable]) -> tuple[T, ...]:
    """Return each of `now` minus the one with the same `key` in `before`, if there is one."""
    earlier = {key(stats): stats for stats in before}
    return tuple(
        stats if (old := earlier.get(key(stats))) is None or _began_anew(stats, old)
        else _grown(stats, old)
        for stats in now
    )  # fmt: skip


def _began_anew(now: Any, before: Any) -> bool:
    """Whether a value that only grows while its process lives is lower than before."""
    return any(
        _amount(getattr(now, name)) < _amount(getattr(before, name))
        for name, statistic in statistics(type(now)).items()
        if statistic.lasting
    )


def _amount(value: Histogram | float | None) -> float:
    return value.count if isinstance(value, Histogram) else value or 0


def _grown(now: T, before: T) -> T:
    """Return the statistics of the time from `before` to `now`, each as it is declared."""
    declared = statistics(type(now))
    left: dict[str, Any] = {}
    for name in (field.name for field in fields(now)):  # type: ignore[arg-type]
        new, old = getattr(now, name), getattr(before, name)
        if name in declared:
            left[name] = new if declared[name].kind == "gauge" else _less(new, old)
        elif is_dataclass(new) and statistics(type(new)):
            left[name] = _grown(new, old)
    if isinstance(now, PathStats) and isinstance(before, PathStats):
        left["steps"] = _steps(now, before)
    made: T = replace(now, **left)  # type: ignore[type-var]
    return made


def _less(now: Any, before: Any) -> Any:
    """Return `now` minus `before`; None if nothing was counted.

    Times are never below 0, which rounding could otherwise cause.
    """
    if now is None or before is None:
        return now
    if isinstance(now, Histogram):
        return now.without(before)
    if isinstance(now, Mapping):
        return {key: value - before.get(key, 0) for key, value in now.items()}
    if isinstance(now, Waiting):
        return Waiting(*(_less(getattr(now, f.name), getattr(before, f.name)) for f in fields(now)))
    return max(now - before, 0.0) if isinstance(now, float) else now - before


def _steps(now: PathStats, before: PathStats) -> tuple[Step, ...]:
    return tuple(
        _step(new, now.frames, old, before.frames)
        for new, old in zip(now.steps, before.steps, strict=True)
    )


def _step(now: Step, frames: int, before: Step, frames_before: int) -> Step:
    count = max(frames - frames_before, 1)
    return replace(
        now,
        waiting=max(now.waiting * frames - before.waiting * frames_before, 0.0) / count,
        taking=max(now.taking * frames - before.taking * frames_before, 0.0) / count,
    )


def with_counts(snapshot: Snapshot, plan: Plan, counters: Counters) -> Snapshot:
    """Return `snapshot` with the counts of all flows of `plan` taken from `counters`.

    Flows within a stage are counted by its operators and stay as they are. Flows that no fragment
    has reported are added if anything was sent on them.
    """
    reported = {(stats.source, stats.target) for stats in snapshot.flows}
    blocks = {
        (str(flow.source), str(flow.target)): (flow, block)
        for flow, block in zip(plan.flows, counters.blocks, strict=True)
        if not flow.fused
    }
    flows = [
        replace(stats, **counts(blocks[ends][1]))
        if (ends := (stats.source, stats.target)) in blocks
        else stats
        for stats in snapshot.flows
    ]
    flows += [
        replace(_stats(flow), **counts(block))
        for ends, (flow, block) in blocks.items()
        if block[SENT] and ends not in reported
    ]
    return replace(snapshot, flows=tuple(flows))


def _stats(flow: PlannedFlow) -> FlowStats:
    return FlowStats(
        source=str(flow.source),
        target=str(flow.target),
        sent=0,
        delivered=0,
        queue=flow.queue,
        when_full=flow.when_full,
        link=flow.link,
        latest=flow.latest,
        back_edge=flow.back_edge,
    )
