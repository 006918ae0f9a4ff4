"""What charts have in common: their size, their axes, and words in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from holoflow.cli import text
from holoflow.flow.report.charts.axis import Axis
from holoflow.flow.report.markup import Child, Html, el

WIDTH, HEIGHT = 460, 210
LEFT, RIGHT, TOP, BOTTOM = 46, 14, 24, 34
"""Margins."""


def picture(title: str, *children: Child, width: float = WIDTH, height: float = HEIGHT) -> Html:
    """Return an SVG that says what it shows."""
    return el(
        "svg", el("title", title), *children,
        class_="chart", viewBox=f"0 0 {width:.0f} {height:.0f}", role="img", aria_label=title,
    )  # fmt: skip


def label(x: float, y: float, words: str, *, anchor: str = "middle", kind: str = "tick") -> Html:
    """Return words."""
    return el("text", words, class_=kind, x=x, y=y, text_anchor=anchor)


def milliseconds(seconds: float) -> str:
    """Return what stands at a mark of an axis, in ms: `0.5`, `20`, `1,500`."""
    value = seconds * 1e3
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def x_axis(
    axis: Axis, write: Callable[[float], str], unit: str, *, most: int = 7
) -> Iterable[Html]:
    """Yield an axis below the picture, with lines up from its marks."""
    low = HEIGHT - BOTTOM
    for mark in axis.marks(most):
        x = axis.at(mark)
        yield el("line", class_="grid", x1=x, x2=x, y1=TOP, y2=low)
        yield label(x, low + 14, write(mark))
    yield label(WIDTH - RIGHT, HEIGHT - 4, unit, anchor="end")


def y_axis(
    axis: Axis, write: Callable[[float], str], unit: str, *, most: int = 5
) -> Iterable[Html]:
    """Yield an axis at the left of the picture, with lines from its marks."""
    for mark in axis.marks(most):
        y = axis.at(mark)
        yield el("line", class_="grid", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y)
        yield label(LEFT - 5, y + 3.5, write(mark), anchor="end")
    yield label(4, 11, unit, anchor="start")


def duration(seconds: float) -> str:
    """Return a time of the run at a mark of an axis, in s."""
    return f"{seconds:,.10g}" if seconds < 1e6 else text.seconds(seconds)
