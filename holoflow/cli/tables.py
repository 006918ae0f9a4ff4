"""Tables that fit their terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from rich.table import Table
from rich.text import Text

from holoflow.cli.text import printable

Columns: TypeAlias = Sequence[tuple[int, str]]
"""Headings, each with the least width of a terminal that still has room for the column."""

_WORDS = frozenset({"operator", "flow", "dropped"})
"""Columns of words, which begin at the left; numbers end at the right."""


def table(columns: Columns, rows: Iterable[Mapping[str, str]], width: int) -> Table:
    """Return a table of `rows`, cells by heading, shown as they are: markup means nothing."""
    shown = [heading for least, heading in columns if width >= least]
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in shown:
        made.add_column(
            heading,
            justify="left" if heading in _WORDS else "right",
            no_wrap=True,
            overflow="ellipsis",
        )
    for row in rows:
        made.add_row(*(Text(printable(row[heading]).replace("\n", " ")) for heading in shown))
    return made
