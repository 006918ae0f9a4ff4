"""How a run ended, and which files it wrote."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from rich.console import RenderableType
from rich.text import Text

from holoflow.cli import sections
from holoflow.core import text
from holoflow.core.text import printable
from holoflow.engine.control import RunResult
from holoflow.report import measures
from holoflow.report.diagnosis.decision import explain
from holoflow.report.page import PAGE
from holoflow.stats.snapshot import OperatorStats, Snapshot

FEW = 8
"""Most files of one kind in a folder that are named one by one."""

State: TypeAlias = Mapping[Path, tuple[int, int]]
"""Files of a folder, with modification times (ns) and sizes (bytes)."""


@dataclass(frozen=True)
class Written:
    """A file, or many of one kind in one folder, relative to the output folder."""

    name: str
    """`faces.mp4`, or `frames/*.png` for many."""
    files: int
    size: int
    """Bytes, together."""

    def __str__(self) -> str:
        many = f"  {text.plural(self.files, 'file')}," if self.files > 1 else ""
        return f"{self.name}{many}  {text.size(self.size)}"


def state(folder: Path) -> State:
    """Return the files in `folder` and below it."""
    found = {}
    for path in folder.rglob("*"):
        if path.is_file():
            status = path.stat()
            found[path.relative_to(folder)] = status.st_mtime_ns, status.st_size
    return found


def written(before: State, after: State) -> tuple[Written, ...]:
    """Return the files that are new or changed in `after`, sorted; many of a kind as one."""
    kinds: dict[tuple[Path, str], list[Path]] = defaultdict(list)
    for path, is_now in after.items():
        if before.get(path) != is_now:
            kinds[path.parent, path.suffix].append(path)
    found = []
    for (parent, suffix), paths in kinds.items():
        if len(paths) <= FEW:
            found += [Written(str(path), 1, after[path][1]) for path in paths]
        else:
            size = sum(after[path][1] for path in paths)
            found.append(Written(str(parent / f"*{suffix}"), len(paths), size))
    return tuple(sorted(found, key=lambda item: item.name))


MOST_PATHS = 3
MOST_OPERATORS = 12
"""Most operators that are shown; the report has all."""


@dataclass(frozen=True)
class Summary:
    """What is shown of a run at its end."""

    app: str
    result: RunResult
    output: Path
    written: tuple[Written, ...]
    """What the operators wrote in the output folder."""
    report: Path
    traces: tuple[Path, ...] = ()
    """Files with the recorded calls, if requested."""


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
        yield sections.paths(last, last.paths[:MOST_PATHS], width)
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
        f" ({text.brief(frames / seconds)} frames/s)" if frames is not None and seconds > 0 else ""
    )
    return (
        f"{app}: {outcome}, {text.plural(frames, 'frame')} in "
        f"{text.duration(seconds)}{rate}, engine {engine}"
    )


def _busiest(snapshot: Snapshot) -> list[OperatorStats]:
    """Return the operators that are shown, in the order of the app."""
    by_use = sorted(snapshot.operators, key=lambda stats: -stats.busy)[:MOST_OPERATORS]
    names = {stats.name for stats in by_use}
    return [stats for stats in snapshot.operators if stats.name in names]


def _and_more(number: int, noun: str) -> Iterator[RenderableType]:
    if number > 0:
        yield Text(f"and {text.plural(number, noun)} more")
