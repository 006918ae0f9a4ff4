"""The changing numbers of the dashboard, rounded, as JSON-compatible values; times in seconds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from holoflow.operators.visualize._page.look import Change, TimeSummary
from holoflow.report.measures import in_progress
from holoflow.stats.snapshot import (
    BudgetStats,
    FlowStats,
    FragmentStats,
    OperatorStats,
    PathStats,
    Sample,
    Snapshot,
    WorkerStats,
)
from holoflow.stats.statistic import columns

Plain: TypeAlias = dict[str, Any]

SEVERAL = "several"
"""Cause of past drops if only their flow is known, and it drops for several causes."""
RARE = 0.01
"""Share of a path's frames below which a path that determines latency is not reported."""


def operator_numbers(stats: OperatorStats, change: Change) -> Plain:
    """Return the numbers of an operator."""
    name = stats.name
    working = change.times("operators", name, "working")
    waits = change.times("operators", name, "waits")
    frames = change.number("operators", name, "frames")
    waiting = {
        reason: short(seconds / frames)
        for reason in ("partner", "turn", "room", "worker")
        if frames and (seconds := change.number("operators", name, "waiting", reason)) > 0
    }
    counted = stats.frames is not None
    busy = change.share("operators", name, "busy") if counted else None
    if busy is not None:
        busy += in_progress(change.now.snapshot, stats, change.seconds) / change.seconds
    p50, p99 = working.quantiles((0.5, 0.99))
    wait50, wait99 = waits.quantiles((0.5, 0.99))
    return {
        "frames": stats.frames,
        "rate": short(change.share("operators", name, "frames")) if counted else None,
        # A call counts when it ends, or once it lasts, also if it began earlier.
        "busy": None if busy is None else short(min(busy, 1.0)),
        "held": short(change.share("operators", name, "held")),
        "paced": short(change.share("operators", name, "paced")),
        "p50": short(p50), "p99": short(p99), "wait50": short(wait50), "wait99": short(wait99),
        "waiting": waiting,
        "cpu": short(stats.cpu),
        "counts": counts(stats),
        "lost": sum(stats.dropped.values()),
    }  # fmt: skip


def flow_numbers(stats: FlowStats, change: Change) -> Plain:
    """Return the numbers of a flow."""
    p50 = p99 = None
    if stats.queue:
        p50, p99 = change.times("flows", stats.name, "waits").quantiles((0.5, 0.99))
    return {
        "depth": stats.waiting,
        "rate": short(change.share("flows", stats.name, "sent")),
        "p50": short(p50), "p99": short(p99),
        "counts": counts(stats),
        "dropped": {cause: n for cause, n in stats.dropped.items() if n},
        # A `Latest` input is meant to replace messages.
        "rising": sum(n for c, n in change.dropped("flows", stats.name).items() if c != "replaced"),
    }  # fmt: skip


def counts(stats: OperatorStats | FlowStats) -> dict[str, int]:
    """Return the counts that are declared with a column, by heading.

    Those by cause, and frames, have a place of their own on the page.
    """
    return {
        declared.column: getattr(stats, name)
        for name, declared in columns(type(stats)).items()
        if declared.kind == "counter" and not declared.by and name != "frames"
    }


def path_numbers(stats: PathStats, recent: Change, last: Change) -> Plain:
    """Return how long frames took on a path: recently, over the run, and since the last update."""
    name = stats.name
    run = recent.now.times("paths", name, "end_to_end")
    return {
        "recent": _extent(recent.times("paths", name, "end_to_end")),
        "run": _extent(run),
        "frames": run.count,
        # For other frames, another path came last at the joins and determined the latency.
        "critical": stats.critical >= RARE * stats.frames,
        "cells": last.times("paths", name, "end_to_end").cells(),
    }


def _extent(times: TimeSummary) -> list[float | None]:
    """Return p50, p99 and the maximum."""
    most = times.max if times.count else None
    return [short(value) for value in (*times.quantiles((0.5, 0.99)), most)]


def drops(snapshot: Snapshot, change: Change) -> dict[str, int]:
    """Return how many messages were dropped, by cause."""
    causes: dict[str, int] = {}
    grown = [change.dropped("flows", stats.name) for stats in snapshot.flows]
    grown += [change.dropped("operators", stats.name) for stats in snapshot.operators]
    for counts in grown:
        for cause, count in counts.items():
            causes[cause] = causes.get(cause, 0) + count
    return causes


def worker_numbers(stats: WorkerStats, change: Change) -> float | None:
    """Return the share of the time in which a worker had work."""
    return short(change.share("workers", (stats.fragment, stats.name), "busy"))


def fragment_numbers(stats: FragmentStats, change: Change) -> Plain:
    """Return what a process used of its machine: `cpu` in cores, `memory` in bytes."""
    key = (stats.name, stats.host, stats.pid)
    return {
        "cpu": short(change.share("fragments", key, "machine", "cpu")),
        "memory": stats.machine.memory or None,  # not measured yet
        "gil": short(stats.machine.gil),
        "crowded": short(stats.machine.crowded),
    }


def budget_numbers(stats: BudgetStats) -> Plain:
    """Return how a budget is being kept."""
    return {
        "now": {name: short(value) for name, value in stats.now.items()},
        "judged": stats.judged,
        "missed": stats.missed,
        "lacks": {name: lacks for name in stats.limits if (lacks := stats.lacks(name))},
        "over": bool(stats.over),
    }


def sample_numbers(sample: Sample, snapshot: Snapshot, paths: Sequence[str]) -> Plain:
    """Return a sample for the curves over the run."""
    causes = {stats.name: [c for c, n in stats.dropped.items() if n] for stats in snapshot.flows}
    dropped: dict[str, int] = {}
    for flow, count in sample.dropped.items():
        known = causes.get(flow, [])
        cause = known[0] if len(known) == 1 else SEVERAL
        if count:
            dropped[cause] = dropped.get(cause, 0) + count
    return {
        "t": round(sample.seconds, 3),
        "span": round(sample.span, 3),
        "cells": [
            TimeSummary.of(sample.latency[name]).cells() if name in sample.latency else []
            for name in paths
        ],
        "drops": dropped,
    }


def short(value: float | None) -> float | None:
    """Return `value` rounded to four significant digits."""
    if value is None:
        return None
    rounded = float(f"{value:.4g}")
    return int(rounded) if rounded.is_integer() else rounded
