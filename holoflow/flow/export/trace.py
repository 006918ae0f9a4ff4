"""What a traced run leaves in its folder."""

from __future__ import annotations

from pathlib import Path

from holoflow.errors import MissingExtraError
from holoflow.flow.export import perfetto, table
from holoflow.flow.records import Records

RECORDS = "records.csv"
"""All that is known of single frames; other exports are made from it."""
TRACE = "trace.pftrace"


def write_trace(folder: Path, records: Records) -> list[Path]:
    """Write `records` into `folder`, also for Perfetto where that is installed.

    Returns the files that were written; raises OSError.
    """
    written = [folder / RECORDS]
    table.write_csv(records, written[0])
    try:
        perfetto.write_trace(records, folder / TRACE)
        written.append(folder / TRACE)
    except MissingExtraError:
        pass
    return written
