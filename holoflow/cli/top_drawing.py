"""The picture that `holoflow top` shows."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from holoflow.cli.tables import Cell, Columns, table
from holoflow.cli.top_view import BudgetView, OperatorView, PathView, View, WorkerView
from holoflow.core import text
from holoflow.core.text import printable
from holoflow.live.state import FragmentState

SILENT = 3.0
"""Seconds without news after which that is shown."""

_OPERATORS = (
    (0, "operator"),
    (0, "rate/s"),
    (40, "busy"),
    (64, "p50 ms"),
    (50, "p99 ms"),
    (56, "queue"),
    (70, "waits ms"),
    (78, "dropped"),
)
_PATHS = (
    (0, ""),
    (0, "path"),
    (60, "rate/s"),
    (50, "p50 ms"),
    (0, "p99 ms"),
    (54, "max ms"),
    (70, "limit ms"),
)
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
    rows = [_operator(operator, width) for operator in view.operators]
    return Group(
        *head,
        *gap,
        *_shown(_OPERATORS, rows, room - paths, width, "operator"),
        *gap,
        *_shown(_PATHS, list(map(_path, view.paths)), paths, width, "path"),
        *gap,
        *tail,
    )


def _shown(
    columns: Columns, rows: Sequence[Mapping[str, Cell]], room: int, width: int, noun: str
) -> Iterator[RenderableType]:
    """Yield a table in `room` lines; if rows do not fit, the last line says how many."""
    left = len(rows) - max(room - 1, 1) if len(rows) > max(room, 1) else 0
    if rows:
        yield table(columns, rows[: len(rows) - left], width)
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
        line.append(f"  {since}", style="dim")
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
    return ("live", "green") if view.operators else ("starting", "yellow")


def _fragments(fragments: Mapping[str, FragmentState]) -> Text:
    line = _line("fragments:")
    for name, fragment in fragments.items():
        state = f"pid {fragment.pid}" if fragment.live else "gone"
        line.append(_in_one_line(f"  {name} ({state})"), style="" if fragment.live else "red")
    return line


# -- the tables --------------------------------------------------------------------------------


def _operator(view: OperatorView, width: int) -> Mapping[str, Cell]:
    lost = {**view.dropped, "skipped": view.skipped}
    return {
        "operator": view.name,
        "rate/s": text.number(view.rate),
        "busy": _busy(view.utilisation),
        "p50 ms": text.milliseconds(view.p50),
        "p99 ms": text.milliseconds(view.p99),
        "queue": _queue(view),
        "waits ms": _waits(view.waits, 4 if width >= _WIDE else 1),
        "dropped": Text(text.causes(lost) or "0", style="red" if view.dropping else ""),
    }


def _waits(waits: Mapping[str, float], most: int) -> str:
    """Return the longest `most` waits, without those that are small beside the others."""
    least = sum(waits.values()) / 100
    longest = sorted(waits, key=lambda reason: -waits[reason])[:most]
    told = [f"{r} {text.milliseconds(waits[r])}" for r in longest if waits[r] > least]
    return ", ".join(told) or text.NOT_MEASURED


def _busy(share: float | None) -> Text:
    """Return `██▌   43%`."""
    eighths = round(min(max(share or 0.0, 0.0), 1.0) * _BAR * 8)
    full, part = divmod(eighths, 8)
    bar = ("█" * full + (_BLOCKS[part] if part else "")).ljust(_BAR)
    return Text(f"{bar} {text.percent(share):>4}", style=_heat(share or 0.0))


def _heat(share: float) -> str:
    return "red" if share >= 0.9 else "yellow" if share >= 0.7 else ""


def _queue(view: OperatorView) -> Text:
    if not view.queue:
        return Text(text.NOT_MEASURED)
    return Text(f"{view.waiting}/{view.queue}", style=_heat(view.waiting / view.queue))


def _path(view: PathView) -> Mapping[str, Cell]:
    style = "red" if view.over else "yellow" if view.worst else ""
    return {
        "": Text("▶" if view.worst else " ", style=style),
        "path": view.name,
        "rate/s": text.number(view.rate),
        "p50 ms": text.milliseconds(view.p50),
        "p99 ms": Text(text.milliseconds(view.p99), style=style),
        "max ms": text.milliseconds(view.max),
        "limit ms": Text(_statistics(view.limits), style="red" if view.over else ""),
    }


def _statistics(
    values: Mapping[str, float], write: Callable[[float], str] = text.milliseconds
) -> str:
    """Return `p99 50.0, max 80.0`."""
    shown = ", ".join(f"{name} {write(value)}" for name, value in values.items())
    return shown or text.NOT_MEASURED


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
    if view.workers:
        yield _workers(view.workers)


def _budget(view: BudgetView) -> Text:
    over = any(view.now.get(name, 0.0) > limit for name, limit in view.limits.items())
    now, limits = (_statistics(values, text.duration) for values in (view.now, view.limits))
    return _line(
        f"budget {view.name}: {now}, limit {limits}; "
        f"missed {view.missed:,} of {text.plural(view.judged, 'time')}",
        "red" if over else "yellow" if view.missed else "",
    )


def _workers(workers: Sequence[WorkerView]) -> Text:
    line = _line("workers:")
    several = len({worker.fragment for worker in workers}) > 1
    for worker in workers:
        name = f"{worker.fragment} {worker.name}" if several else worker.name
        line.append(
            _in_one_line(f"  {name} {text.percent(worker.utilisation)}"),
            style=_heat(worker.utilisation or 0.0),
        )
    return line
