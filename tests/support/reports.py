"""Reports of runs made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from holoflow.report.run_report import RunReport
from holoflow.stats.snapshot import Sample, Snapshot
from support.snapshots import history


def report(snapshot: Snapshot, samples: Sequence[Sample] | None = None, **others: Any) -> RunReport:
    """Return the report of a run that left `snapshot`, with curves that lead up to it."""
    return RunReport(
        **{
            "app": snapshot.app, "started": "2026-02-03T14:05:06+01:00", "outcome": "done",
            "engine": "holoscan", "failure": None, "snapshot": snapshot,
            "history": history(snapshot) if samples is None else tuple(samples),
            "options": {"frames": 300}, "plan": {}, "versions": {"python": "3.11"}, **others,
        }
    )  # fmt: skip
