"""`holoflow export`: a run for other tools."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from holoflow.core.errors import HoloflowError

if TYPE_CHECKING:
    from holoflow.stats.records import Records

Form = Literal["perfetto", "holohub", "csv", "parquet", "prometheus"]

FILES: dict[Form, str] = {
    "perfetto": "trace.pftrace",
    "holohub": "holohub.log",
    "csv": "records.csv",
    "parquet": "records.parquet",
    "prometheus": "metrics.prom",
}
"""Default file names, by form."""


def export(
    run: Annotated[
        Path | None,
        typer.Argument(help="Folder of a run, or its report.json; default: this, or the newest."),
    ] = None,
    *,
    form: Annotated[Form, typer.Option("--format", help="What to write.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="FILE", help="By default a file in the run's folder."),
    ] = None,
) -> None:
    """Write a run for another tool: a trace, a log, a table or metrics.

    All but the metrics need records of single frames, which a run keeps with --trace frames=N.
    """
    from holoflow.cli.report import newest

    run = run if run is not None else newest(Path())
    folder = run.parent if run.is_file() else run
    target = output or folder / FILES[form]
    try:
        _write(run, folder, form, target)
    except OSError as error:
        raise HoloflowError(f"{target} cannot be written: {error.strerror or error}") from None
    typer.echo(target)


def _write(run: Path, folder: Path, form: Form, target: Path) -> None:
    """Write `form` of the run in `folder` to `target`; raises OSError and HoloflowError."""
    from holoflow.report.export import perfetto, prometheus, table
    from holoflow.report.export.table import RECORDS
    from holoflow.report.run_report import read_report

    if form == "prometheus":
        text = prometheus.to_text(read_report(run).snapshot)
        target.write_text(text, encoding="utf-8")
        return
    source = folder / RECORDS
    records = _read(folder, source)
    if target.exists() and target.samefile(source):
        if form != "csv":
            raise HoloflowError(f"{target} holds the records of the run", "write to another file")
    elif form == "perfetto":
        perfetto.write_trace(records, target)
    elif form == "holohub":
        table.write_log(records, target)
    elif form == "csv":
        table.write_csv(records, target)
    else:
        table.write_parquet(records, target)


def _read(folder: Path, source: Path) -> Records:
    from holoflow.report.export.table import read_records

    if not folder.is_dir():
        raise HoloflowError(f"no run at {folder}", "name the folder that `holoflow run` wrote")
    if not source.exists():
        raise HoloflowError(
            f"{folder} holds no records of single frames",
            "run the app with --trace frames=1000 to keep those of the newest 1000",
        )
    return read_records(source)
