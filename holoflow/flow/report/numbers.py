"""What a snapshot says in plain numbers, for machines: all that reports show, without histograms.

Times are in seconds, rates in 1/s; None stands for what was not measured.
"""

from __future__ import annotations

from typing import Any

from holoflow.flow.books import (
    BudgetBooks,
    FlowBooks,
    OperatorBooks,
    PathBooks,
    Snapshot,
    WorkerBooks,
)
from holoflow.flow.histogram import Histogram
from holoflow.flow.report import measures
from holoflow.flow.report.split import split
from holoflow.flow.verdict import Explanation, Finding

STATISTICS = (
    "mean", "p50", "p90", "p95", "p99", "p99.9", "max", "std", "tail", "flatness",
)  # fmt: skip


def spread(times: Histogram) -> dict[str, Any]:
    """Return the count and every statistic of `times`; None for all of an empty one."""
    if not times.count:
        return {"count": 0, **dict.fromkeys(STATISTICS)}
    found = times.statistics()
    return {
        "count": found.count,
        **{name: getattr(found, name.replace(".", "_")) for name in STATISTICS},
    }


def numbers(snapshot: Snapshot) -> dict[str, Any]:
    """Return the statistics of everything in `snapshot`."""
    return {
        "paths": [_path(books, snapshot) for books in snapshot.paths],
        "operators": operators(snapshot),
        "flows": flows(snapshot),
        "workers": [_worker(books, snapshot) for books in snapshot.workers],
        "budgets": [_budget(books) for books in snapshot.budgets],
        "dropped": dict(measures.total_dropped(snapshot)),
    }


def operators(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Return the statistics of every operator."""
    return [_operator(books, snapshot) for books in snapshot.operators]


def flows(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Return the statistics of every flow."""
    return [_flow(books, snapshot) for books in snapshot.flows]


def latencies(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Return the end-to-end times of every path, without their parts."""
    return [
        {"name": books.name, "frames": books.frames, "end_to_end": spread(books.end_to_end)}
        for books in snapshot.paths
    ]


def explained(explanation: Explanation) -> dict[str, Any]:
    """Return an explanation as plain data."""
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


def _path(books: PathBooks, snapshot: Snapshot) -> dict[str, Any]:
    return {
        "name": books.name,
        "frames": books.frames,
        "critical": books.critical,
        **{
            part: spread(getattr(books, part))
            for part in ("end_to_end", "working", "waiting", "link", "serialising", "jitter")
        },
        "uncertainty": books.uncertainty,
        "split": [
            {"operator": part.operator, "port": part.port, "begin": part.begin, **part.seconds}
            for part in split(books, snapshot)
        ],
    }


def _operator(books: OperatorBooks, snapshot: Snapshot) -> dict[str, Any]:
    return {
        "name": books.name,
        "fragment": books.fragment,
        "stage": books.stage,
        "frames": books.frames,
        "sent": books.sent,
        "skipped": books.skipped,
        "dropped": dict(books.dropped),
        "rate_in": measures.rate_in(snapshot, books),
        "rate_out": measures.rate_out(snapshot, books),
        "rate_asked": measures.asked(books),
        "busy": books.busy if measures.timed(books) else None,
        "utilisation": measures.utilisation(snapshot, books),
        "working": spread(books.working),
        "waits": spread(books.waits),
        "waiting": {
            reason: getattr(books.waiting, reason)
            for reason in ("partner", "turn", "room", "worker")
        },
        "latency": spread(books.latency),
        "jitter": spread(books.jitter),
        "held": books.held,
        "paced": books.paced,
        "cpu": books.cpu,
    }


def _flow(books: FlowBooks, snapshot: Snapshot) -> dict[str, Any]:
    return {
        "source": books.source,
        "target": books.target,
        "sent": books.sent,
        "delivered": books.delivered,
        "dropped": dict(books.dropped),
        "waiting": books.waiting,
        "queue": books.queue,
        "when_full": books.when_full,
        "link": books.link,
        "size": books.size,
        "mean_depth": measures.mean_depth(snapshot, books),
        "waits": spread(books.waits),
        "ages": spread(books.ages),
    }


def _worker(books: WorkerBooks, snapshot: Snapshot) -> dict[str, Any]:
    return {
        "fragment": books.fragment,
        "name": books.name,
        "busy": books.busy,
        "utilisation": measures.utilisation(snapshot, books),
    }


def _budget(books: BudgetBooks) -> dict[str, Any]:
    return {
        "name": books.name,
        "limits": dict(books.limits),
        "when_missed": books.when_missed,
        "window": books.window,
        "kept": books.kept if books.judged else None,
        "judged": books.judged,
        "missed": books.missed,
        "dropped": books.dropped,
        "now": dict(books.now),
        "worst": dict(books.worst),
        "times": spread(books.times),
    }
