"""The files that a run leaves in its output folder."""

from __future__ import annotations

from pathlib import Path

from holoflow.report.export.table import write_trace
from holoflow.report.page import write_html
from holoflow.report.run_report import RunReport, write_report
from holoflow.stats.records import Records


def write_files(
    folder: Path, report: RunReport, records: Records | None
) -> tuple[Path, tuple[Path, ...]]:
    """Write the report of a run, as a page and for machines, and the calls that were recorded.

    Returns:
        The file for machines, and those with recorded calls.

    Raises:
        OSError: They cannot be written.
    """
    traces = () if records is None else tuple(write_trace(folder, records))
    write_html(folder, report)
    return write_report(folder, report), traces
