"""The books of a run's fragments as those of one run."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from holoflow.stats.histogram import Histogram
from holoflow.stats.snapshot import (
    BudgetStats,
    FlowStats,
    FragmentStats,
    OperatorStats,
    PathStats,
    Snapshot,
    Step,
    Waiting,
    WorkerStats,
)

T = TypeVar("T")


def merge(snapshots: Sequence[Snapshot]) -> Snapshot:
    """Return the state of one run from those of its fragments.

    What is in one of them alone is kept as it is. What several have a part in (flows between
    fragments, paths, operators of a fragment that was started again) is added up. Operators are
    in the order in which frames come by, as far as the fragments' own orders leave that open.
    Raises ValueError where there is none, or where they are of different runs.
    """
    if not snapshots:
        raise ValueError("no snapshots to merge")
    if len({(snapshot.app, snapshot.run) for snapshot in snapshots}) > 1:
        raise ValueError("snapshots of different runs cannot be merged")
    if len(snapshots) == 1:
        return snapshots[0]
    flows = [_flow(parts) for parts in _grouped(_all(s.flows for s in snapshots), _ends)]
    order = _order(snapshots)
    operators = _grouped(_all(s.operators for s in snapshots), lambda stats: stats.name)
    paths = [_path(parts) for parts in _grouped(_all(s.paths for s in snapshots), _way)]
    return Snapshot(
        app=snapshots[0].app,
        run=snapshots[0].run,
        time=max(snapshot.time for snapshot in snapshots),
        seconds=max(snapshot.seconds for snapshot in snapshots),
        operators=tuple(sorted(map(_operator, operators), key=lambda stats: order[stats.name])),
        flows=tuple(sorted(flows, key=lambda stats: order.get(stats.consumer, len(order)))),
        paths=tuple(sorted(paths, key=lambda stats: -stats.end_to_end.mean)),
        workers=tuple(
            WorkerStats(parts[0].fragment, parts[0].name, sum(part.busy for part in parts))
            for parts in _grouped(
                _all(s.workers for s in snapshots), lambda stats: (stats.fragment, stats.name)
            )
        ),
        fragments=tuple(
            max(parts, key=lambda stats: stats.seconds)
            for parts in _grouped(_all(s.fragments for s in snapshots), _process)
        ),
        budgets=tuple(
            _budget(parts) for parts in _grouped(_all(s.budgets for s in snapshots), _terms)
        ),
        announcements=tuple(dict.fromkeys(_all(s.announcements for s in snapshots))),
        unfollowed=max(snapshot.unfollowed for snapshot in snapshots),
    )


def _all(many: Iterable[Iterable[T]]) -> Iterable[T]:
    return (item for items in many for item in items)


def _grouped(items: Iterable[T], key: Callable[[T], Hashable]) -> list[list[T]]:
    """Return those of equal keys together, in the order in which they first come."""
    groups: dict[Hashable, list[T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return list(groups.values())


def _order(snapshots: Sequence[Snapshot]) -> dict[str, int]:
    """Return each operator's place: after those before it in its snapshot, and after its feeders.

    Where both cannot be had (a back edge), the order within a snapshot stays.
    """
    feeders: dict[str, set[str]] = {}
    for flow in _all(snapshot.flows for snapshot in snapshots):
        if not flow.back_edge:
            feeders.setdefault(flow.consumer, set()).add(flow.producer)
    left = [[stats.name for stats in snapshot.operators] for snapshot in snapshots]
    order: dict[str, int] = {}
    while left := [names for names in left if names]:
        elsewhere = [set(_all(names for names in left if names is not own)) for own in left]
        name = next(
            (
                own[0]
                for own, others in zip(left, elsewhere, strict=True)
                if not feeders.get(own[0], set()) & (others - {own[0]})
            ),
            left[0][0],
        )
        order[name] = len(order)
        left = [[other for other in names if other != name] for names in left]
    return order


def _ends(flow: FlowStats) -> Hashable:
    return flow.source, flow.target


def _way(path: PathStats) -> Hashable:
    return tuple((step.kind, step.operator, step.port) for step in path.steps)


def _process(fragment: FragmentStats) -> Hashable:
    return fragment.name, fragment.host, fragment.pid


def _terms(budget: BudgetStats) -> Hashable:
    limits = tuple(sorted(budget.limits.items()))
    return budget.source, budget.target, limits, budget.when_missed, budget.window, budget.fail


def _counts(many: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for counts in many:
        for name, count in counts.items():
            total[name] = total.get(name, 0) + count
    return total


def _most(many: Iterable[Mapping[str, float]]) -> dict[str, float]:
    most: dict[str, float] = {}
    for values in many:
        for name, value in values.items():
            most[name] = max(most.get(name, value), value)
    return most


def _times(many: Iterable[Histogram]) -> Histogram:
    total = Histogram()
    for times in many:
        total.merge(times)
    return total


def _mean(values: Iterable[tuple[float, float]]) -> float:
    """Return the mean of (value, weight)."""
    pairs = list(values)
    weight = sum(weight for _, weight in pairs)
    return sum(value * weight for value, weight in pairs) / weight if weight else 0.0


def _total(counts: Iterable[int | None]) -> int | None:
    """Return the sum of what was counted; None where nothing was."""
    counted = [count for count in counts if count is not None]
    return sum(counted) if counted else None


def _operator(parts: Sequence[OperatorStats]) -> OperatorStats:
    """Return the books of an operator whose fragment was started again."""
    if len(parts) == 1:
        return parts[0]
    sampled = [(part.cpu, part.busy) for part in parts if part.cpu is not None]
    return replace(
        parts[-1],
        frames=_total(part.frames for part in parts),
        sent=_total(part.sent for part in parts),
        skipped=sum(part.skipped for part in parts),
        busy=sum(part.busy for part in parts),
        dropped=_counts(part.dropped for part in parts),
        working=_times(part.working for part in parts),
        waits=_times(part.waits for part in parts),
        waiting=Waiting(
            partner=sum(part.waiting.partner for part in parts),
            turn=sum(part.waiting.turn for part in parts),
            room=sum(part.waiting.room for part in parts),
            worker=sum(part.waiting.worker for part in parts),
        ),
        latency=_times(part.latency for part in parts),
        jitter=_times(part.jitter for part in parts),
        held=sum(part.held for part in parts),
        paced=sum(part.paced for part in parts),
        own_time=sum(part.own_time for part in parts),
        given_time=sum(part.given_time for part in parts),
        cpu=_mean(sampled) if sampled else None,
    )


def _flow(parts: Sequence[FlowStats]) -> FlowStats:
    """Return the books of a flow of which each fragment has one end's."""
    if len(parts) == 1:
        return parts[0]
    sizes = [(part.size, part.sent) for part in parts if part.size is not None]
    return replace(
        parts[0],
        sent=sum(part.sent for part in parts),
        delivered=sum(part.delivered for part in parts),
        dropped=_counts(part.dropped for part in parts),
        waiting=sum(part.waiting for part in parts),
        # what the app says of it, which an end may not know
        queue=max(part.queue for part in parts),
        when_full=max((p.when_full for p in parts), key=lambda said: said != "block"),
        link=max((p.link for p in parts), key=lambda said: said != "none"),
        latest=any(part.latest for part in parts),
        back_edge=any(part.back_edge for part in parts),
        waits=_times(part.waits for part in parts),
        ages=_times(part.ages for part in parts),
        size=_mean(sizes) if sizes else None,
    )


def _path(parts: Sequence[PathStats]) -> PathStats:
    if len(parts) == 1:
        return parts[0]
    return PathStats(
        steps=tuple(
            _step(steps, [part.frames for part in parts])
            for steps in zip(*(part.steps for part in parts), strict=True)
        ),
        critical=sum(part.critical for part in parts),
        end_to_end=_times(part.end_to_end for part in parts),
        working=_times(part.working for part in parts),
        waiting=_times(part.waiting for part in parts),
        link=_times(part.link for part in parts),
        serialising=_times(part.serialising for part in parts),
        jitter=_times(part.jitter for part in parts),
        closed_by_back_edge=any(part.closed_by_back_edge for part in parts),
        uncertainty=max(part.uncertainty for part in parts),
    )


def _step(steps: Sequence[Step], frames: Sequence[int]) -> Step:
    return replace(
        steps[0],
        waiting=_mean(zip((step.waiting for step in steps), frames, strict=True)),
        taking=_mean(zip((step.taking for step in steps), frames, strict=True)),
        by_port=any(step.by_port for step in steps),
    )


def _budget(parts: Sequence[BudgetStats]) -> BudgetStats:
    if len(parts) == 1:
        return parts[0]
    return replace(
        parts[0],
        times=_times(part.times for part in parts),
        now=_most(part.now for part in parts),
        worst=_most(part.worst for part in parts),
        judged=sum(part.judged for part in parts),
        missed=sum(part.missed for part in parts),
        dropped=sum(part.dropped for part in parts),
    )
