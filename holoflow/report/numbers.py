"""A snapshot as plain numbers for machines: everything that reports show, without histograms.

Times are in seconds, rates in 1/s; None means not measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, TypeVar

from holoflow.report import measures
from holoflow.report.columns import (
    FLOWS,
    OPERATORS,
    Column,
    FlowRow,
    OperatorRow,
    flow_rows,
    operator_rows,
)
from holoflow.report.diagnosis.finding import Explanation, Finding
from holoflow.report.measures import split
from holoflow.stats.histogram import Histogram
from holoflow.stats.snapshot import (
    BudgetStats,
    PathStats,
    Snapshot,
    Waiting,
    WorkerStats,
)
from holoflow.stats.statistic import statistics

R = TypeVar("R")
STATISTICS = (
    "mean", "p50", "p90", "p95", "p99", "p99.9", "max", "std", "tail", "flatness",
)  # fmt: skip


def spread(times: Histogram) -> dict[str, Any]:
    """Return the count and every statistic of `times`; None for each if it is empty."""
    if not times.count:
        return {"count": 0, **dict.fromkeys(STATISTICS)}
    found = times.statistics()
    return {
        "count": found.count,
        **{name: getattr(found, name.replace(".", "_")) for name in STATISTICS},
    }


def declared(stats: Any) -> dict[str, Any]:
    """Return every declared statistic of a dataclass, by name."""
    return {name: _plain(getattr(stats, name)) for name in statistics(type(stats))}


def _plain(value: Any) -> Any:
    if isinstance(value, Histogram):
        return spread(value)
    if isinstance(value, Waiting):
        return asdict(value)
    return dict(value) if isinstance(value, Mapping) else value


def numbers(snapshot: Snapshot) -> dict[str, Any]:
    """Return the statistics of everything in `snapshot`."""
    return {
        "paths": [_path(stats, snapshot) for stats in snapshot.paths],
        "operators": operators(snapshot),
        "flows": flows(snapshot),
        "workers": workers(snapshot),
        "budgets": budgets(snapshot),
        "dropped": dict(measures.total_dropped(snapshot)),
    }


def operators(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Return the statistics of every operator."""
    return [_operator(row) for row in operator_rows(snapshot)]


def flows(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Return the statistics of every flow."""
    return [_flow(row) for row in flow_rows(snapshot)]


def workers(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Return the statistics of every thread of a scheduler."""
    return [_worker(stats, snapshot) for stats in snapshot.workers]


def budgets(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Return every budget and how it was kept."""
    return [_budget(stats) for stats in snapshot.budgets]


def latencies(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Return the end-to-end times of every path, without their breakdown."""
    return [
        {"name": stats.name, "frames": stats.frames, "end_to_end": spread(stats.end_to_end)}
        for stats in snapshot.paths
    ]


def explained(explanation: Explanation) -> dict[str, Any]:
    """Return an explanation as JSON-compatible values."""
    return {
        "bottleneck": _finding(explanation.bottleneck),
        "others": [_finding(finding) for finding in explanation.others],
        "critical": explanation.critical.name if explanation.critical is not None else None,
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "cause": finding.cause,
        "where": finding.where,
        "evidence": finding.evidence,
        "advice": list(finding.advice),
        "weight": finding.weight,
    }


def _path(stats: PathStats, snapshot: Snapshot) -> dict[str, Any]:
    return {
        "name": stats.name,
        "frames": stats.frames,
        **declared(stats),
        "split": [
            {"operator": part.operator, "port": part.port, "begin": part.begin, **part.seconds}
            for part in split(stats, snapshot)
        ],
    }


def _operator(row: OperatorRow) -> dict[str, Any]:
    stats = row.stats
    return {
        "name": stats.name,
        "fragment": stats.fragment,
        "stage": stats.stage,
        **declared(stats),
        "busy": stats.busy if measures.timed(stats) else None,
        **_values(OPERATORS, row, "rate_in", "rate_out", "rate_asked", "utilisation"),
    }


def _flow(row: FlowRow) -> dict[str, Any]:
    stats = row.stats
    return {
        "source": stats.source,
        "target": stats.target,
        "when_full": stats.when_full,
        "link": stats.link,
        **declared(stats),
        **_values(FLOWS, row, "mean_depth"),
    }


def _values(columns: Mapping[str, Column[R]], row: R, *names: str) -> dict[str, Any]:
    return {name: columns[name].value(row) for name in names}


def _worker(stats: WorkerStats, snapshot: Snapshot) -> dict[str, Any]:
    return {
        "fragment": stats.fragment,
        "name": stats.name,
        **declared(stats),
        "utilisation": measures.utilisation(snapshot, stats),
    }


def _budget(stats: BudgetStats) -> dict[str, Any]:
    return {
        "name": stats.name,
        "when_missed": stats.when_missed,
        "window": stats.window,
        "kept": stats.kept if stats.judged else None,
        **declared(stats),
    }
