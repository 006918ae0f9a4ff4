"""Stacked bars of characters: colours help, but nothing hangs on them."""

from __future__ import annotations

from collections.abc import Mapping

from rich.text import Text

from holoflow.flow.report.split import LABELS, Kind

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
