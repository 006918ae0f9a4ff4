"""Bars that fill a cell of a table, whatever its width."""

from __future__ import annotations

from collections.abc import Mapping

from holoflow.cli import text
from holoflow.flow.report.markup import Html, el
from holoflow.flow.report.split import LABELS, Kind

_LONG = 1000
"""Units along a bar."""


def stacked(seconds: Mapping[Kind, float], begin: float, whole: float) -> Html:
    """Return a bar of `seconds` by kind that begins at `begin`; `whole` fills the cell."""
    pieces, at = [], begin
    for kind in reversed(LABELS):
        if kind in seconds:
            pieces.append(
                el(
                    "rect",
                    el("title", f"{LABELS[kind]}: {text.milliseconds(seconds[kind])} ms"),
                    class_=f"k-{kind}",
                    x=at / whole * _LONG,
                    y=0,
                    width=max(seconds[kind] / whole * _LONG, 1.0),
                    height=10,
                )
            )
            at += seconds[kind]
    said = ", ".join(
        f"{label} {text.milliseconds(seconds[kind])} ms"
        for kind, label in LABELS.items()
        if kind in seconds
    )
    return _bar(said or "nothing", *pieces)


def share(value: float | None, words: str) -> Html | None:
    """Return a bar that is full at 1; None where nothing was measured."""
    if value is None:
        return None
    length = min(max(value, 0.0), 1.0) * _LONG
    return _bar(
        words,
        el("rect", class_="empty", x=0, y=0, width=_LONG, height=10),
        el("rect", class_=f"use u{level(value)}", x=0, y=0, width=length, height=10),
    )


def level(utilisation: float) -> int:
    """Return how much a utilisation stands out, 0 to 3."""
    return sum(utilisation >= bound for bound in (0.5, 0.75, 0.9))


def _bar(said: str, *pieces: Html) -> Html:
    return el(
        "svg", *pieces,
        class_="bar", viewBox=f"0 0 {_LONG} 10", preserveAspectRatio="none", role="img",
        aria_label=said,
    )  # fmt: skip
