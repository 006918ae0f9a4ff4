"""How a run ended: the values, and the lines that say it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import RenderableType
from rich.text import Text

from holoflow.cli import text
from holoflow.cli.meter import source_frames
from holoflow.cli.tables import table
from holoflow.cli.written import Written
from holoflow.engine.result import RunResult
from holoflow.flow.books import FlowBooks, OperatorBooks


@dataclass(frozen=True)
class Summary:
    """All that is said of a run at its end."""

    app: str
    result: RunResult
    output: Path
    written: tuple[Written, ...]
    """What the operators wrote in the output folder."""
    report: Path


_OPERATOR_COLUMNS = (
    (0, "operator"),
    (0, "frames"),
    (75, "sent"),
    (40, "working ms"),
    (64, "slowest ms"),
    (52, "latency ms"),
    (75, "skipped"),
    (30, "dropped"),
)
_FLOW_COLUMNS = ((0, "flow"), (0, "sent"), (50, "delivered"), (40, "dropped"))


def renderables(summary: Summary, width: int) -> Iterator[RenderableType]:
    """Yield the parts of the closing report, top to bottom, for a terminal of `width`."""
    result = summary.result
    yield Text(text.printable(_headline(summary)), style="bold")
    if result.last.operators:
        yield Text("")
        yield table(_OPERATOR_COLUMNS, map(_operator, result.last.operators), width)
    if result.last.flows:
        yield Text("")
        yield table(_FLOW_COLUMNS, map(_flow, result.last.flows), width)
    yield Text("")
    if summary.written:
        yield _line(f"written to {summary.output}:")
        for written in summary.written:
            yield _line(f"  {written}")
    yield _line(f"report: {summary.report}")


def _line(content: str) -> Text:
    return Text(text.printable(content), no_wrap=True, overflow="ignore")


def _headline(summary: Summary) -> str:
    result = summary.result
    frames, seconds = source_frames(result.last), result.last.seconds
    rate = f" ({text.rate(frames / seconds)} frames/s)" if seconds > 0 else ""
    return (
        f"{summary.app}: {result.outcome}, {text.plural(frames, 'frame')} in "
        f"{text.seconds(seconds)}{rate}, engine {result.engine}"
    )


def _operator(books: OperatorBooks) -> dict[str, str]:
    return {
        "operator": books.name,
        "frames": text.count(books.frames),
        "sent": text.count(books.sent),
        "working ms": text.milliseconds(books.working / books.frames if books.frames else 0),
        "slowest ms": text.milliseconds(books.slowest),
        "latency ms": text.milliseconds(books.latency),
        "skipped": text.count(books.skipped),
        "dropped": text.causes(books.dropped) or "0",
    }


def _flow(books: FlowBooks) -> dict[str, str]:
    return {
        "flow": f"{books.source} -> {books.target}",
        "sent": text.count(books.sent),
        "delivered": text.count(books.delivered),
        "dropped": text.causes(books.dropped) or "0",
    }
