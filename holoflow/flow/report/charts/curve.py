"""Curves over the run that fill a cell of a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from holoflow.flow.report.markup import Html, el, number

_LONG, _HIGH = 600, 40


class Point(NamedTuple):
    """A value that held from `begin` to `end` seconds of the run."""

    begin: float
    end: float
    value: float


def curve(points: Sequence[Point], whole: float, top: float, said: str) -> Html:
    """Return steps from 0 to `top` over `whole` seconds of the run."""
    way = f"M0 {_HIGH}"
    for point in points:
        x0, x1 = (_LONG * min(max(at / whole, 0.0), 1.0) for at in (point.begin, point.end))
        y = _HIGH - (_HIGH - 2) * (point.value / top if top > 0 else 0.0)
        way += f"L{number(x0)} {number(y)}L{number(x1)} {number(y)}"
    way += f"L{number(_LONG * min(points[-1].end / whole, 1.0))} {_HIGH}Z"
    return el(
        "svg", el("title", said), el("path", class_="area", d=way),
        class_="curves", viewBox=f"0 0 {_LONG} {_HIGH}", preserveAspectRatio="none", role="img",
        aria_label=said,
    )  # fmt: skip
