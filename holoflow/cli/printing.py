"""Printing on stdout what adapts to the width of a terminal."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable

from rich.console import Console, RenderableType
from rich.text import Text

WIDE = 10_000
"""Columns of what is no terminal: wider than any table, so that nothing is cut."""


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
    console = Console(file=page, width=WIDE, color_system=None)
    for part in parts:
        console.print(part)
    return "".join(f"{line.rstrip()}\n" for line in page.getvalue().splitlines())
