"""`holoflow report`: what a run did, where its time went, and what limited it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from holoflow.core.errors import HoloflowError
from holoflow.core.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from holoflow.report.run_report import RunReport

MOST_PATHS = 3
"""Most paths whose time is split; the slowest first."""


def report(
    run: Annotated[
        Path | None,
        typer.Argument(help="Folder of a run, or its report.json; default: this, or the newest."),
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a page with pictures.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print all numbers and the explanation as JSON.")
    ] = False,
) -> None:
    """Show what a run did, where its time went, and what limited it."""
    from holoflow.cli.tables import print_parts
    from holoflow.report.diagnosis.decision import explain
    from holoflow.report.run_report import read_report, to_json

    if html is not None and as_json:
        raise HoloflowError("--html and --json: choose one of them")
    found = read_report(run if run is not None else newest(Path()))
    if html is not None:
        from holoflow.report.page import page

        try:
            html.write_bytes(page(found, explain(found.snapshot)))
        except OSError as error:
            raise HoloflowError(f"the page cannot be written: {error}") from None
    elif as_json:
        typer.echo(to_json(found, explain(found.snapshot)), nl=False)
    else:
        print_parts(lambda width: parts(found, width))


def newest(folder: Path) -> Path:
    """Return `folder` if it is the folder of a run, else the newest below its `runs`."""
    from holoflow.report.run_report import REPORT

    if (folder / REPORT).is_file():
        return folder
    runs = folder / "runs"
    found = [(file.stat().st_mtime_ns, file.parent) for file in runs.glob(f"*/{REPORT}")]
    if not found:
        raise HoloflowError(f"no run with a {REPORT} below {runs}", "name the folder of a run")
    return max(found)[1]


def parts(report: RunReport, width: int) -> Iterator[RenderableType]:
    """Yield the whole report, top to bottom, for a terminal of `width`."""
    from rich.text import Text

    from holoflow.cli import sections
    from holoflow.cli.summary import headline
    from holoflow.core import text
    from holoflow.report.diagnosis.decision import explain

    last = report.snapshot
    explanation = explain(last)
    yield Text(printable(headline(report.app, report.outcome, report.engine, last)), style="bold")
    yield sections.said(f"started {report.started}, run {last.run}")
    if report.failure is not None:
        yield sections.said(report.failure, "bold red")
    yield Text("")
    yield from sections.findings(explanation, all_of_them=True)
    yield from sections.critical_path(explanation)
    if last.budgets:
        yield from _part("budgets", sections.budgets(last, width))
    if last.paths:
        yield from _part("paths: end to end, ms", sections.paths(last, last.paths, width))
        critical = explanation.critical
        ordered = sorted(last.paths, key=lambda path: path is not critical)
        for path in ordered[:MOST_PATHS]:
            yield from _part(
                f"where the time goes, mean ms: {path.name}",
                *sections.split_table(path, last, width),
            )
        if len(ordered) > MOST_PATHS:
            yield Text(f"and {text.plural(len(ordered) - MOST_PATHS, 'path')} more")
    if last.unfollowed:
        yield sections.said(
            f"up to {text.plural(last.unfollowed, 'path')} of a message were not followed: too many"
        )
    if last.changes:
        began = last.time - last.seconds
        lines = (
            f"after {text.duration(change.time - began)}  {change.operator}.{change.parameter}: "
            f"{change.value} instead of {change.before}"
            for change in last.changes
        )
        yield from _part("live parameters that were changed", *map(sections.said, lines))
    if last.operators:
        yield from _part("operators: times in ms", sections.operators(last, last.operators, width))
    if last.workers:
        yield from _part("workers", sections.workers(last, width))
    if last.flows:
        yield from _part("flows: times in ms", sections.flows(last, width))


def _part(title: str, *content: RenderableType) -> Iterator[RenderableType]:
    from rich.text import Text

    from holoflow.cli import sections

    yield Text("")
    yield sections.heading(title)
    yield from content
