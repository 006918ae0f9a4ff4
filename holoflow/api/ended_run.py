"""A run that has ended, for whoever started it from Python."""

from __future__ import annotations

import html
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from holoflow.engine.control import Failure, Outcome
from holoflow.report.run_report import RunReport
from holoflow.stats.snapshot import Snapshot

if TYPE_CHECKING:
    from holoflow.cli.summary import Summary


@dataclass(frozen=True, repr=False)
class EndedRun:
    """How a run ended; `print` shows what `holoflow run` shows at its end, and so do notebooks."""

    outcome: Outcome
    """`done`, `failed`, or `interrupted` if it was stopped."""
    failure: Failure | None
    """Which operator failed, on which frame, and why; None unless the run failed."""
    report: RunReport
    """What `report.json` has."""
    output: Path
    """The folder with the report and with what the operators wrote."""
    _summary: Summary

    @property
    def statistics(self) -> Snapshot:
        """The statistics at the end: frames, times and losses of every operator, flow and path."""
        return self.report.snapshot

    def __str__(self) -> str:
        from holoflow.cli.summary import renderables
        from holoflow.cli.tables import WIDE, plain_text

        said = plain_text(renderables(self._summary, WIDE)).rstrip("\n")
        return said if self.failure is None else f"{said}\n{self.failure}"

    def __repr__(self) -> str:
        return f"<{str(self).partition(chr(10))[0]}>"

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"
