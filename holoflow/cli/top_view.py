"""What `holoflow top` shows, as numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from holoflow.core.text import plain
from holoflow.live.state import FragmentState, LiveState, RunningApp, StateKind
from holoflow.report import numbers
from holoflow.report.columns import (
    OPERATORS,
    PATHS,
    OperatorRow,
    PathRow,
    losing,
    lost,
    operator_rows,
    path_rows,
    queued,
)
from holoflow.report.diagnosis.decision import amiss, explain
from holoflow.report.diagnosis.finding import Finding
from holoflow.report.measures import source_rate
from holoflow.stats.snapshot import BudgetStats, Snapshot

SILENT = 3.0
"""Seconds without news after which that is shown."""


@dataclass(frozen=True)
class View:
    """An app at one moment."""

    state: StateKind
    app: str = ""
    run: str = ""
    seconds: float = 0.0
    """Since the sources began."""
    span: float = 0.0
    """Seconds that rates, percentiles and shares cover."""
    rate: float | None = None
    """Frames per second of all sources; None if no source counts them, or without news."""
    age: float = 0.0
    """Longest time in seconds since the last message of a process that still runs."""
    fragments: Mapping[str, FragmentState] = field(default_factory=dict)
    recent: Snapshot | None = None
    """The statistics of that time; None before the first snapshot."""
    operators: tuple[OperatorRow, ...] = ()
    paths: tuple[PathRow, ...] = ()
    """The worst first."""
    budgets: tuple[BudgetStats, ...] = ()
    bottleneck: Finding | None = None
    """What limits the app; None before the first frame."""
    announcements: tuple[tuple[str, str], ...] = ()
    running: tuple[RunningApp, ...] = ()
    problems: tuple[str, ...] = ()


def view(state: LiveState, recent: Snapshot | None) -> View:
    """Return what is shown of `state`; `recent` has the statistics of its last seconds."""
    now = state.snapshot
    about = View(
        state=state.kind, app=state.app, run=state.run, fragments=state.fragments,
        age=max((f.age for f in state.fragments.values() if f.live), default=0.0),
        running=state.running, problems=state.problems,
    )  # fmt: skip
    if now is None or recent is None:
        return about
    return View(
        **{
            **vars(about),
            "seconds": now.seconds,
            "span": recent.seconds,
            "rate": source_rate(recent) if about.age <= SILENT else None,
            "recent": recent,
            "operators": operator_rows(now, recent),
            "paths": path_rows(recent),
            "budgets": now.budgets,
            "bottleneck": _bottleneck(recent),
            "announcements": now.announcements,
        }
    )


def _bottleneck(recent: Snapshot) -> Finding | None:
    worked = recent.seconds > 0 and any(stats.frames for stats in recent.operators)
    return explain(recent).bottleneck if worked or amiss(recent) else None


_OF_OPERATORS = {
    "rate": "rate_in", "utilisation": "utilisation", "p50": "working.p50", "p99": "working.p99",
    "waits": "waits", "skipped": "skipped",
}  # fmt: skip
_OF_PATHS = {
    "rate": "rate", "p50": "end_to_end.p50", "p99": "end_to_end.p99", "max": "end_to_end.max",
    "limits": "limits",
}  # fmt: skip
"""Keys of `holoflow top --json`, and the columns that they have the values of."""


def as_plain(view: View) -> dict[str, Any]:
    """Return all numbers of `view` as JSON has them; times in seconds."""
    made: dict[str, Any] = plain(
        {
            key: value
            for key, value in vars(view).items()
            if key not in ("recent", "operators", "paths", "budgets")
        }
    )
    recent = view.recent
    return made | {
        "operators": [_operator(row) for row in view.operators],
        "paths": [_path(row) for row in view.paths],
        "budgets": [] if recent is None else numbers.budgets(recent),
        "workers": [] if recent is None else numbers.workers(recent),
    }


def _operator(row: OperatorRow) -> dict[str, Any]:
    waiting, queue = queued(row) or (0, 0)
    dropped = lost(row.whole, *row.inputs)
    dropped.pop("skipped", None)
    return {
        "name": row.stats.name,
        "fragment": row.stats.fragment,
        **{key: OPERATORS[name].value(row) for key, name in _OF_OPERATORS.items()},
        "waiting": waiting,
        "queue": queue,
        "dropped": dropped,
        "dropping": losing(row),
    }


def _path(row: PathRow) -> dict[str, Any]:
    return {
        "name": row.stats.name,
        **{key: PATHS[name].value(row) for key, name in _OF_PATHS.items()},
        "over": list(row.over),
        "worst": row.worst,
    }
