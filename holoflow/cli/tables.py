"""Tables and bars that fit their terminal."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias, TypeVar

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from holoflow.core.text import printable, shortened
from holoflow.report.columns import Column
from holoflow.report.measures import LABELS, Kind

R = TypeVar("R")

WIDE = 10_000
"""Width in columns if the output is not a terminal: wider than any table, so nothing is cut."""


def print_parts(parts: Callable[[int], Iterable[RenderableType]]) -> None:
    """Print the parts for the terminal's width; without one as plain text that is not cut."""
    if not sys.stdout.isatty():
        sys.stdout.write(plain_text(parts(WIDE)))
        return
    console = Console(markup=False, highlight=False, emoji=False)
    print_on(console, parts(console.width))


def print_on(console: Console, parts: Iterable[RenderableType]) -> None:
    """Print the parts; lines that are not to be wrapped are left to the terminal as they are."""
    for part in parts:
        console.print(part, soft_wrap=isinstance(part, Text) and part.no_wrap is True)


def plain_text(parts: Iterable[RenderableType]) -> str:
    """Return the parts as lines without control codes or blanks at their ends."""
    page = io.StringIO()
    console = Console(
        file=page, width=WIDE, color_system=None, markup=False, highlight=False, emoji=False
    )
    for part in parts:
        console.print(part)
    return "".join(f"{line.rstrip()}\n" for line in page.getvalue().splitlines())


Columns: TypeAlias = Sequence[tuple[int, str]]
"""Headings, each with the least width of a terminal that still has room for the column."""
Cell: TypeAlias = "str | Text"
"""Text is shown as it is, with its styles."""

_WORDS = frozenset(
    {"operator", "flow", "dropped", "path", "thread", "budget", "", "verdict", "placement"}
    | {
        "limited by",
        "what",
        "stage",
        "types",
        "begins here because",
        "when full",
        "link",
        "encoding",
        "setting",
    }
    | {"not fused because"}
)
"""Columns of words, which are left-aligned; numbers are right-aligned."""
_WAYS = frozenset({"path", "budget"})
"""Columns of words that are cut in the middle: their beginning and end say most."""
_GAP = 2
_LEAST = 10
"""Characters to which a column of words is cut at most while other columns can be left out."""


def table(columns: Columns, rows: Iterable[Mapping[str, Cell]], width: int) -> Table:
    """Return a table of `rows`, cells by heading, shown as they are: markup means nothing.

    If `width` is too small, columns are left out, those that need the widest terminal first, and
    words are cut, but never numbers.
    """
    lines = [{heading: _text(row[heading]) for _, heading in columns} for row in rows]
    shown = _fitting([column for column in columns if width >= column[0]], lines, width)
    made = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    for heading, room in shown.items():
        made.add_column(
            heading,
            justify="left" if heading in _WORDS else "right",
            no_wrap=True,
            overflow="ellipsis",
            max_width=room,
        )
    for line in lines:
        made.add_row(*(_cut(line[heading], heading, room) for heading, room in shown.items()))
    return made


Choice: TypeAlias = Sequence[tuple[int, str]]
"""Names of columns of `holoflow.report.columns`, each with the least width of a terminal."""


def statistics_table(
    columns: Mapping[str, Column[R]],
    choice: Choice,
    rows: Iterable[R],
    width: int,
    dressed: Mapping[str, Callable[[R], Cell]] | None = None,
) -> Table:
    """Return a table of the columns of `choice`; those in `dressed` are shown in another way."""
    write = {name: columns[name].cell for _, name in choice} | dict(dressed or {})
    cells = ({columns[name].heading: write[name](row) for _, name in choice} for row in rows)
    return table([(least, columns[name].heading) for least, name in choice], cells, width)


def _text(cell: Cell) -> Text:
    return Text(printable(cell).replace("\n", " ")) if isinstance(cell, str) else cell


def _fitting(columns: Columns, lines: Sequence[Mapping[str, Text]], width: int) -> dict[str, int]:
    """Return the headings that are shown, with their widths."""
    left = list(columns)
    while True:
        widths = {
            heading: max([cell_len(heading), *(line[heading].cell_len for line in lines)])
            for _, heading in left
        }
        excess = sum(widths.values()) + _GAP * (len(left) - 1) - width
        cuttable = {h: w - _LEAST for h, w in widths.items() if h in _WORDS and w > _LEAST}
        if excess <= sum(cuttable.values()) or len(left) < 2:
            break
        # Of those that need an equally wide terminal, the rightmost goes first; the first stays.
        left.remove(max(reversed(left[1:]), key=lambda column: column[0]))
    while excess > 0 and cuttable:
        widest = max(cuttable, key=lambda heading: widths[heading])
        others = [w for h, w in widths.items() if h in cuttable and h != widest]
        step = min(excess, cuttable[widest], max(widths[widest] - max(others, default=0), 1))
        widths[widest] -= step
        excess -= step
        cuttable[widest] -= step
        cuttable = {heading: rest for heading, rest in cuttable.items() if rest}
    return {heading: min(w, max(width, 1)) for heading, w in widths.items()}


def _cut(text: Text, heading: str, room: int) -> Text:
    return Text(shortened(text.plain, room)) if heading in _WAYS else text


_MARKS: dict[Kind, tuple[str, str]] = {
    "working": ("█", "blue"),
    "worker": ("▖", "cyan"),
    "room": ("░", "red"),
    "turn": ("▒", "yellow"),
    "partner": ("▚", "magenta"),
    "other": ("·", ""),
    "link": ("=", "green"),
    "serialising": ("~", "green"),
}
"""Character and colour of each kind of time."""


def bar(seconds: Mapping[Kind, float], begin: float, whole: float, width: int) -> Text:
    """Return a bar for `seconds` by kind that begins at `begin`; `whole` would fill `width`."""
    made = Text()
    at = begin
    made.append(" " * round(at / whole * width))
    for kind in reversed(LABELS):
        if kind in seconds:
            character, style = _MARKS[kind]
            # From rounded end to rounded end, so that bars below one another meet.
            cells = round((at + seconds[kind]) / whole * width) - round(at / whole * width)
            made.append(character * cells, style)
            at += seconds[kind]
    return made


def legend(kinds: Mapping[Kind, float]) -> Text:
    """Return what the characters of bars stand for."""
    made = Text()
    for kind in kinds:
        character, style = _MARKS[kind]
        made.append(character * 2, style).append(f" {LABELS[kind]}   ")
    return made
