"""Merging the snapshots of a run's fragments into one."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import MISSING, Field, fields, replace
from operator import attrgetter
from typing import Any, TypeVar

from holoflow.stats.histogram import Histogram
from holoflow.stats.snapshot import (
    BudgetStats,
    FlowStats,
    FragmentStats,
    PathStats,
    Snapshot,
    Step,
    Waiting,
    WorkerStats,
)
from holoflow.stats.statistic import statistics

T = TypeVar("T")


def merge(snapshots: Sequence[Snapshot]) -> Snapshot:
    """Return one snapshot of a run from those of its fragments.

    Whatever is in only one of them is kept as it is; whatever several have a part of (flows between
    fragments, paths, operators of a restarted fragment) is merged. Operators are ordered as frames
    pass them, as far as the fragments' own orders permit.

    Raises:
        ValueError: There are no snapshots, or they are of different runs.
    """
    if not snapshots:
        raise ValueError("no snapshots to merge")
    if len({(snapshot.app, snapshot.run) for snapshot in snapshots}) > 1:
        raise ValueError("snapshots of different runs cannot be merged")
    if len(snapshots) == 1:
        return snapshots[0]
    flows = [_one(parts) for parts in _grouped(_all(s.flows for s in snapshots), _ends)]
    order = _order(snapshots)
    operators = _grouped(_all(s.operators for s in snapshots), lambda stats: stats.name)
    paths = [_path(parts) for parts in _grouped(_all(s.paths for s in snapshots), _steps)]
    return Snapshot(
        app=snapshots[0].app,
        run=snapshots[0].run,
        time=max(snapshot.time for snapshot in snapshots),
        seconds=max(snapshot.seconds for snapshot in snapshots),
        operators=tuple(sorted(map(_one, operators), key=lambda stats: order[stats.name])),
        flows=tuple(sorted(flows, key=lambda stats: order.get(stats.consumer, len(order)))),
        paths=tuple(sorted(paths, key=lambda stats: -stats.end_to_end.mean)),
        workers=tuple(
            _one(parts) for parts in _grouped(_all(s.workers for s in snapshots), _thread)
        ),
        fragments=tuple(
            max(parts, key=lambda stats: stats.seconds)
            for parts in _grouped(_all(s.fragments for s in snapshots), _process)
        ),
        budgets=tuple(
            _one(parts) for parts in _grouped(_all(s.budgets for s in snapshots), _terms)
        ),
        announcements=tuple(dict.fromkeys(_all(s.announcements for s in snapshots))),
        changes=tuple(sorted(_all(s.changes for s in snapshots), key=attrgetter("time"))),
        unfollowed=max(snapshot.unfollowed for snapshot in snapshots),
    )


def _all(many: Iterable[Iterable[T]]) -> Iterable[T]:
    return (item for items in many for item in items)


def _grouped(items: Iterable[T], key: Callable[[T], Hashable]) -> list[list[T]]:
    """Return items with equal keys together, in the order of their first occurrence."""
    groups: dict[Hashable, list[T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return list(groups.values())


def _order(snapshots: Sequence[Snapshot]) -> dict[str, int]:
    """Return each operator's position: after its predecessors in its snapshot and its feeders.

    If both are impossible (a back edge), the order within the snapshot is kept.
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


def _steps(path: PathStats) -> Hashable:
    return tuple((step.kind, step.operator, step.port) for step in path.steps)


def _thread(worker: WorkerStats) -> Hashable:
    return worker.fragment, worker.name


def _process(fragment: FragmentStats) -> Hashable:
    return fragment.name, fragment.host, fragment.pid


def _terms(budget: BudgetStats) -> Hashable:
    limits = tuple(sorted(budget.limits.items()))
    return budget.source, budget.target, limits, budget.when_missed, budget.window, budget.fail


def _one(parts: Sequence[T]) -> T:
    """Merge what several processes have counted for the same operator, flow or path.

    Each statistic is merged as declared. The other fields describe the app; a process that does not
    know one leaves it at its default, so the first value that differs from the default is taken.
    """
    if len(parts) == 1:
        return parts[0]
    first: Any = parts[0]
    declared = statistics(type(first))
    merged: dict[str, Any] = {}
    for field in fields(first):
        values = [getattr(part, field.name) for part in parts]
        statistic = declared.get(field.name)
        if statistic is None:
            merged[field.name] = _known(field, values)
        elif statistic.merge == "mean":
            weights = [getattr(part, statistic.weight) for part in parts]
            merged[field.name] = _mean(values, weights)
        else:
            merged[field.name] = (_sum if statistic.merge == "sum" else _most)(values)
    made: T = replace(first, **merged)
    return made


def _known(field: Field[Any], values: Sequence[Any]) -> Any:
    default = None if field.default is MISSING else field.default
    return next((value for value in values if value != default), values[0])


def _sum(values: Sequence[Any]) -> Any:
    """Return the sum of numbers, of mappings by key, or of histograms.

    None means not counted: it is left out, and is the result if there is nothing else.
    """
    counted = [value for value in values if value is not None]
    if not counted:
        return None
    first = counted[0]
    if isinstance(first, Histogram):
        total = Histogram()
        for times in counted:
            total.merge(times)
        return total
    if isinstance(first, Mapping):
        return {key: sum(each.get(key, 0) for each in counted) for key in _keys(counted)}
    if isinstance(first, Waiting):
        return Waiting(*(sum(map(attrgetter(f.name), counted)) for f in fields(Waiting)))
    return sum(counted)


def _most(values: Sequence[Any]) -> Any:
    """Return the largest of numbers, or of mappings by key; None if nothing was measured."""
    if isinstance(values[0], Mapping):
        return {key: max(each[key] for each in values if key in each) for key in _keys(values)}
    return max((value for value in values if value is not None), default=None)


def _keys(many: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    return dict.fromkeys(_all(many))


def _mean(values: Iterable[float | None], weights: Iterable[float]) -> float | None:
    """Return the weighted mean of the measured values; None if there are none."""
    pairs = [(v, weight) for v, weight in zip(values, weights, strict=True) if v is not None]
    weight = sum(weight for _, weight in pairs)
    if not pairs:
        return None
    return sum(value * weight for value, weight in pairs) / weight if weight else 0.0


def _path(parts: Sequence[PathStats]) -> PathStats:
    frames = [part.frames for part in parts]
    steps = (_step(steps, frames) for steps in zip(*(part.steps for part in parts), strict=True))
    return replace(_one(parts), steps=tuple(steps))


def _step(steps: Sequence[Step], frames: Sequence[int]) -> Step:
    return replace(
        steps[0],
        waiting=_mean((step.waiting for step in steps), frames) or 0.0,
        taking=_mean((step.taking for step in steps), frames) or 0.0,
        by_port=any(step.by_port for step in steps),
    )
