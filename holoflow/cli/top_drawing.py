"""The picture that `holoflow top` shows."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

from rich.console import Group, RenderableType
from rich.text import Text

from holoflow.cli.tables import Cell, Choice, statistics_table
from holoflow.cli.top_view import SILENT, View
from holoflow.core import text
from holoflow.core.text import printable
from holoflow.live.state import FragmentState
from holoflow.report.columns import (
    OPERATORS,
    PATHS,
    Column,
    OperatorRow,
    PathRow,
    losing,
    queued,
)
from holoflow.report.measures import utilisation
from holoflow.stats.snapshot import BudgetStats, Snapshot

R = TypeVar("R")

_OPERATORS = (
    (0, "name"), (0, "rate_in"), (40, "utilisation"), (64, "working.p50"), (50, "working.p99"),
    (56, "queued"), (70, "waits"), (78, "lost"), (100, "in_flight"),
)  # fmt: skip
_PATHS = (
    (0, "worst"), (0, "name"), (60, "rate"), (50, "end_to_end.p50"), (0, "end_to_end.p99"),
    (54, "end_to_end.max"), (70, "limits"),
)  # fmt: skip
_BLOCKS = " ▏▎▍▌▋▊▉█"
_BAR = 6
"""Characters of a full bar."""
_TABLES = 8
"""Lines that the tables have before anything below them."""
_WIDE = 100
"""Columns of a terminal with room for more than one reason for waiting."""
_SENTENCE = 3
"""Most lines for what limits the app."""


def draw(view: View, width: int, height: int, hint: str = "") -> Group:
    """Return the picture of `view`, in at most `height` lines if possible."""
    head, tail = list(_head(view, hint)), list(_tail(view, width))
    tail = tail[: max(height - len(head) - _TABLES, 0)]
    room = height - len(head) - len(tail) - 2  # the headings of the two tables
    spare = room - len(view.operators) - len(view.paths)
    gap = [Text()] if spare >= 3 and view.operators else []
    paths = min(len(view.paths), max(room // 3, 1))
    operators: Mapping[str, Callable[[OperatorRow], Cell]] = {
        "utilisation": _busy, "queued": _queue, "waits": _waits(width), "lost": _lost,
    }  # fmt: skip
    styled = {name: _path_cell(PATHS[name]) for name in ("worst", "end_to_end.p99", "limits")}
    return Group(
        *head,
        *gap,
        *_shown(OPERATORS, _OPERATORS, view.operators, room - paths, width, operators, "operator"),
        *gap,
        *_shown(PATHS, _PATHS, view.paths, paths, width, styled, "path"),
        *gap,
        *tail,
    )


def _shown(
    columns: Mapping[str, Column[R]], choice: Choice, rows: Sequence[R], room: int, width: int,
    dressed: Mapping[str, Callable[[R], Cell]], noun: str,
) -> Iterator[RenderableType]:  # fmt: skip
    """Yield a table in `room` lines; if rows do not fit, the last line says how many."""
    left = len(rows) - max(room - 1, 1) if len(rows) > max(room, 1) else 0
    if rows:
        yield statistics_table(columns, choice, rows[: len(rows) - left], width, dressed)
    if left:
        yield _line(f"and {text.plural(left, noun)} more", "dim")


def _line(words: str, style: str = "") -> Text:
    """Return a line that is cut at the edge of the terminal."""
    return Text(_in_one_line(words), style=style, no_wrap=True, overflow="ellipsis")


def _in_one_line(words: str) -> str:
    return printable(words).replace("\n", " ")


# -- above the tables ------------------------------------------------------------------------------


def _head(view: View, hint: str) -> Iterator[Text]:
    words, style = state_words(view)
    line = _line("")
    line.append(_in_one_line(view.app or "holoflow top"), style="bold")
    line.append(f"  {words}", style=style)
    if view.operators:
        line.append(f"  {text.duration(view.seconds)}  {text.brief(view.rate)} frames/s")
        whole = view.span == view.seconds
        since = "since it began" if whole else f"over {text.duration(view.span)}"
        line.append(f"  {since}, times in ms", style="dim")
    line.append(f"  {hint}", style="dim")
    yield line
    if len(view.fragments) > 1:
        yield _fragments(view.fragments)
    for kind, said in view.announcements:
        yield _line(f"{kind}: {said}", "dim")
    for problem in view.problems:
        yield _line(f"cannot be watched: {problem}", "yellow")
    if view.state in ("none", "looking"):
        yield _line(f"start it with: holoflow run {view.app or 'APP'}")


def state_words(view: View) -> tuple[str, str]:
    """Return what the app is doing in words, and their style."""
    if view.state == "ended":
        return "ended; waiting for it to restart", "yellow"
    if view.state != "live":
        return "does not run; waiting for it" if view.app else "no app runs; waiting", "yellow"
    if view.age > SILENT:
        return f"no news for {text.duration(view.age)}", "red"
    if view.bottleneck is not None and view.bottleneck.cause == "stall":
        return "stalled", "red"
    return ("live", "green") if view.operators else ("starting", "yellow")


def _fragments(fragments: Mapping[str, FragmentState]) -> Text:
    line = _line("fragments:")
    for name, fragment in fragments.items():
        state = f"pid {fragment.pid}" if fragment.live else "gone"
        line.append(_in_one_line(f"  {name} ({state})"), style="" if fragment.live else "red")
    return line


# -- the tables --------------------------------------------------------------------------------


def _waits(width: int) -> Callable[[OperatorRow], str]:
    """Return what shows the longest waits, without those that are small beside the others."""
    most = 4 if width >= _WIDE else 1
    column = OPERATORS["waits"]

    def shown(row: OperatorRow) -> str:
        waits = column.value(row)
        least = sum(waits.values()) / 100
        longest = sorted(waits, key=lambda reason: -waits[reason])[:most]
        return column.write({reason: waits[reason] for reason in longest if waits[reason] > least})

    return shown


def _busy(row: OperatorRow) -> Text:
    """Return `██▌   43%`."""
    column = OPERATORS["utilisation"]
    share = column.value(row) or 0.0
    eighths = round(min(max(share, 0.0), 1.0) * _BAR * 8)
    full, part = divmod(eighths, 8)
    bar = ("█" * full + (_BLOCKS[part] if part else "")).ljust(_BAR)
    return Text(f"{bar} {column.cell(row):>4}", style=_heat(share))


def _heat(share: float) -> str:
    return "red" if share >= 0.9 else "yellow" if share >= 0.7 else ""


def _queue(row: OperatorRow) -> Text:
    waiting, room = queued(row) or (0, 1)
    return Text(OPERATORS["queued"].cell(row), style=_heat(waiting / room))


def _lost(row: OperatorRow) -> Text:
    return Text(OPERATORS["lost"].cell(row), style="red" if losing(row) else "")


def _path_cell(column: Column[PathRow]) -> Callable[[PathRow], Text]:
    """Return what shows `column` in red where the path exceeds a limit."""
    warning = "" if column.name == "limits" else "yellow"
    return lambda row: Text(
        column.cell(row), style="red" if row.over else warning if row.worst else ""
    )


# -- below the tables ----------------------------------------------------------------------------


def _tail(view: View, width: int) -> Iterator[Text]:
    for budget in view.budgets:
        yield _budget(budget)
    if view.bottleneck is not None:
        style = "green" if view.bottleneck.cause == "nothing" else "bold"
        for part in textwrap.wrap(view.bottleneck.evidence, max(width, 1))[:_SENTENCE]:
            yield _line(part, style)
        for advice in view.bottleneck.advice[:1]:
            yield _line(f"would help: {advice}")
    if view.recent is not None and view.recent.workers:
        yield _workers(view.recent)


def _budget(stats: BudgetStats) -> Text:
    now = ", ".join(
        f"{name} {stats.lacks(name) or text.duration(stats.now.get(name))}" for name in stats.limits
    )
    limits = ", ".join(f"{name} {text.duration(limit)}" for name, limit in stats.limits.items())
    missed = f"missed {stats.missed:,} of {text.plural(stats.judged, 'time')}"
    past = missed if stats.judged else "not judged yet"
    return _line(
        f"budget {stats.name}: {now}, limit {limits}; {past}",
        "red" if stats.over else "yellow" if stats.missed else "",
    )


def _workers(recent: Snapshot) -> Text:
    line = _line("workers:")
    several = len({worker.fragment for worker in recent.workers}) > 1
    for worker in recent.workers:
        name = f"{worker.fragment} {worker.name}" if several else worker.name
        use = utilisation(recent, worker)
        line.append(_in_one_line(f"  {name} {text.percent(use)}"), style=_heat(use or 0.0))
    return line
