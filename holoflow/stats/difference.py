"""What a run has done from one snapshot to a later one: the inverse of `merge`.

Snapshots with the exact counts of the ledger, which outlive the processes that counted.
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
    """Return the statistics of the time from `before` to `now`, both of one run.

    What counts and times is that of this time alone, and only paths that frames have gone in it
    are there. Gauges, budgets, announcements and what is no statistic are those of `now`. Whatever
    counts from the beginning again, because its process was started again, is taken as a whole.
    """
    gone = _since(now.paths, before.paths, _way)
    return replace(
        now,
        seconds=max(now.seconds - before.seconds, 0.0),
        operators=_since(now.operators, before.operators, attrgetter("name")),
        flows=_since(now.flows, before.flows, attrgetter("name")),
        paths=tuple(
            sorted((b for b in gone if b.frames), key=lambda stats: -stats.end_to_end.mean)
        ),
        workers=_since(now.workers, before.workers, attrgetter("fragment", "name")),
        fragments=_since(now.fragments, before.fragments, attrgetter("name", "host", "pid")),
    )


def subtract(now: Histogram, before: Histogram) -> Histogram:
    """Return what `now` has more than `before`; all of it where it does not hold `before`.

    Count and mean are exact. The extremes are where they lie in this time; otherwise, like the
    percentiles, right to 1%.
    """
    if not before.count:
        return now
    new, old = now.to_plain(), before.to_plain()
    bins = dict(new["bins"])
    for key, number in old["bins"]:
        bins[key] = bins.get(key, 0) - number
    zeros, count = new["zeros"] - old["zeros"], now.count - before.count
    if zeros < 0 or min(bins.values(), default=0) < 0:
        return now
    if not count:
        return Histogram()
    mean = max((now.total - before.total) / count, 0.0)
    between = (mean - before.mean) ** 2 * before.count * count / now.count
    made = Histogram.from_plain(
        {
            "count": count, "mean": mean, "m2": max(now.m2 - before.m2 - between, 0.0),
            "min": now.min, "max": now.max, "zeros": zeros,
            "bins": sorted((key, number) for key, number in bins.items() if number),
        }
    )  # fmt: skip
    held = list(made.bins())
    made.min = now.min if now.min < before.min else min(max(_middle(held[0]), now.min), now.max)
    made.max = now.max if now.max > before.max else min(max(_middle(held[-1]), made.min), now.max)
    return made


def _middle(bin_: tuple[float, float, int]) -> float:
    """Return what differs least from all values of a bin."""
    above, up_to, _ = bin_
    return 2 * above * up_to / (above + up_to) if up_to else 0.0


def _way(path: PathStats) -> Hashable:
    return tuple((step.kind, step.operator, step.port) for step in path.steps)


def _since(now: Sequence[T], before: Sequence[T], key: Callable[[T], Hashable]) -> tuple[T, ...]:
    """Return what each of `now` is more than the one of the same `key` that was there `before`."""
    earlier = {key(stats): stats for stats in before}
    return tuple(
        stats if (old := earlier.get(key(stats))) is None or _began_anew(stats, old)
        else _grown(stats, old)
        for stats in now
    )  # fmt: skip


def _began_anew(now: Any, before: Any) -> bool:
    """Whether something that only grows while its process lives is less than before."""
    return any(
        _amount(getattr(now, name)) < _amount(getattr(before, name))
        for name, statistic in statistics(type(now)).items()
        if statistic.lasting
    )


def _amount(value: Histogram | float | None) -> float:
    return value.count if isinstance(value, Histogram) else value or 0


def _grown(now: T, before: T) -> T:
    """Return the statistics of the time from `before` to `now`, each by its declaration."""
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
    """Return what `now` is more than `before`; None where nothing was counted.

    Times are never less than 0: they are measured, and rounded.
    """
    if now is None or before is None:
        return now
    if isinstance(now, Histogram):
        return subtract(now, before)
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
    """Return `snapshot` with the counts of the whole `plan`'s flows from `counters`.

    Flows within a stage are counted by its operators, and stay as they are. Flows on which
    something was sent are added where no fragment has told of them.
    """
    told = {(stats.source, stats.target) for stats in snapshot.flows}
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
        if block[SENT] and ends not in told
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
