"""How a run ended: the values, and the lines that say it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import RenderableType
from rich.text import Text

from holoflow.cli import sections, text
from holoflow.cli.written import Written
from holoflow.engine.result import RunResult
from holoflow.flow.books import OperatorBooks, Snapshot
from holoflow.flow.report import measures
from holoflow.flow.report.page import PAGE
from holoflow.flow.verdict import explain
from holoflow.printable import printable

MOST_PATHS = 3
MOST_OPERATORS = 12
"""That are shown; the report has all."""


@dataclass(frozen=True)
class Summary:
    """All that is said of a run at its end."""

    app: str
    result: RunResult
    output: Path
    written: tuple[Written, ...]
    """What the operators wrote in the output folder."""
    report: Path
    traces: tuple[Path, ...] = ()
    """Files with the raw calls, where they were asked for."""


def renderables(summary: Summary, width: int) -> Iterator[RenderableType]:
    """Yield the parts of the closing report, top to bottom, for a terminal of `width`."""
    result, last = summary.result, summary.result.last
    yield Text(printable(headline(summary.app, result.outcome, result.engine, last)), style="bold")
    if last.operators:
        shown = _busiest(last)
        yield sections.heading("operators: times in ms")
        yield sections.operators(last, shown, width)
        yield from _and_more(len(last.operators) - len(shown), "operator")
    if last.paths:
        yield sections.heading("paths: end to end, ms")
        yield sections.paths(last.paths[:MOST_PATHS], width)
        yield from _and_more(len(last.paths) - MOST_PATHS, "path")
    yield from sections.fragments(last)
    yield from sections.losses(last)
    yield from sections.budget_lines(last)
    yield from sections.findings(explain(last), all_of_them=False)
    if summary.written:
        yield sections.line(f"written to {summary.output}:")
        for written in summary.written:
            yield sections.line(f"  {written}")
    for trace in summary.traces:
        yield sections.line(f"trace: {trace}")
    yield sections.line(f"page: {summary.report.with_name(PAGE)}")
    yield sections.line(f"report: {summary.report}")


def headline(app: str, outcome: str, engine: str, snapshot: Snapshot) -> str:
    """Return how a run ended, how many frames it had, and how fast it was."""
    frames, seconds = measures.source_frames(snapshot), snapshot.seconds
    rate = (
        f" ({text.rate(frames / seconds)} frames/s)" if frames is not None and seconds > 0 else ""
    )
    return (
        f"{app}: {outcome}, {text.plural(frames, 'frame')} in "
        f"{text.seconds(seconds)}{rate}, engine {engine}"
    )


def _busiest(snapshot: Snapshot) -> list[OperatorBooks]:
    """Return the operators that are shown, in the order of the app."""
    by_use = sorted(snapshot.operators, key=lambda books: -books.busy)[:MOST_OPERATORS]
    names = {books.name for books in by_use}
    return [books for books in snapshot.operators if books.name in names]


def _and_more(number: int, noun: str) -> Iterator[RenderableType]:
    if number > 0:
        yield Text(f"and {text.plural(number, noun)} more")
