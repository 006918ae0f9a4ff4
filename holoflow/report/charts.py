"""Charts of a report: pure functions from a snapshot to SVG, without scripts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from holoflow.core import text
from holoflow.core.markup import Html, el, number
from holoflow.report.axes import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Axis,
    BinGrid,
    label,
    logarithmic,
    milliseconds,
    picture,
    x_axis,
    y_axis,
)
from holoflow.report.measures import LABELS, Kind
from holoflow.stats.histogram import Histogram
from holoflow.stats.snapshot import Sample

_LONG = 1000
"""Length of a bar in the units of its picture."""


def stacked(seconds: Mapping[Kind, float], begin: float, whole: float) -> Html:
    """Return a bar of `seconds` by kind that starts at `begin`; `whole` seconds fill the cell."""
    pieces, at = [], begin
    for kind in reversed(LABELS):
        if kind in seconds:
            pieces.append(
                el(
                    "rect",
                    el("title", f"{LABELS[kind]}: {text.duration(seconds[kind])}"),
                    class_=f"k-{kind}",
                    x=at / whole * _LONG,
                    y=0,
                    width=max(seconds[kind] / whole * _LONG, 1.0),
                    height=10,
                )
            )
            at += seconds[kind]
    said = ", ".join(
        f"{label} {text.duration(seconds[kind])}"
        for kind, label in LABELS.items()
        if kind in seconds
    )
    return _bar(said or "nothing", *pieces)


def share(value: float | None, words: str) -> Html | None:
    """Return a bar that is full at 1; None if nothing was measured."""
    if value is None:
        return None
    length = min(max(value, 0.0), 1.0) * _LONG
    return _bar(
        words,
        el("rect", class_="empty", x=0, y=0, width=_LONG, height=10),
        el("rect", class_=f"use u{level(value)}", x=0, y=0, width=length, height=10),
    )


def level(utilisation: float) -> int:
    """Return how much a utilisation is highlighted, 0 to 3."""
    return sum(utilisation >= bound for bound in (0.5, 0.75, 0.9))


def _bar(said: str, *pieces: Html) -> Html:
    return el(
        "svg", *pieces,
        class_="bar", viewBox=f"0 0 {_LONG} 10", preserveAspectRatio="none", role="img",
        aria_label=said,
    )  # fmt: skip


_CURVE_LONG, _HIGH = 600, 40


class CurvePoint(NamedTuple):
    """A value that applied from `begin` to `end` seconds of the run."""

    begin: float
    end: float
    value: float


def curve(points: Sequence[CurvePoint], whole: float, top: float, said: str) -> Html:
    """Return a step curve of values from 0 to `top` over `whole` seconds of the run."""
    path = f"M0 {_HIGH}"
    for point in points:
        x0, x1 = (_CURVE_LONG * min(max(at / whole, 0.0), 1.0) for at in (point.begin, point.end))
        y = _HIGH - (_HIGH - 2) * (point.value / top if top > 0 else 0.0)
        path += f"L{number(x0)} {number(y)}L{number(x1)} {number(y)}"
    path += f"L{number(_CURVE_LONG * min(points[-1].end / whole, 1.0))} {_HIGH}Z"
    return el(
        "svg", el("title", said), el("path", class_="area", d=path),
        class_="curves", viewBox=f"0 0 {_CURVE_LONG} {_HIGH}",
        preserveAspectRatio="none", role="img",
        aria_label=said,
    )  # fmt: skip


_BARS = 48


def distribution(name: str, times: Histogram, limits: Mapping[str, float]) -> Html | None:
    """Return the histogram of `times` with p50, p99 and limits marked; None if it is empty.

    Args:
        name: Name of the path.
        times: End-to-end times.
        limits: Limits of a budget in seconds, by statistic.
    """
    grid = BinGrid([times], _BARS)
    if grid.empty:
        return None
    marks = {"p50": times.quantile(0.5), "p99": times.quantile(0.99)}
    bins = grid.bins(times)
    low = HEIGHT - BOTTOM
    shown = [limit for limit in limits.values() if limit > 0]
    x = logarithmic(min([grid.low, *shown]), max([grid.high, *shown]), LEFT, WIDTH - RIGHT)
    y = Axis(0.0, max(item.values for item in bins) / times.count, low, TOP)
    bars = [
        el(
            "rect",
            el(
                "title",
                f"{text.duration(item.low)} to {text.duration(item.high)}: "
                f"{text.plural(item.values, 'frame')}",
            ),
            class_="column",
            x=x.at(item.low),
            width=max(x.at(item.high) - x.at(item.low) - 0.5, 0.8),
            y=y.at(item.values / times.count),
            height=low - y.at(item.values / times.count),
        )
        for item in bins
    ]
    said = ", ".join(f"{statistic} {text.duration(value)}" for statistic, value in marks.items())
    return picture(
        f"{name}: end-to-end times of {text.plural(times.count, 'frame')}; {said}",
        *y_axis(y, text.percent, "of the frames", most=4),
        *x_axis(x, milliseconds, "ms"),
        *bars,
        *(
            line
            for statistic, value in marks.items()
            for line in _mark(x, value, statistic, "mark", left=statistic == "p50")
        ),
        *(
            line
            for statistic, value in limits.items()
            for line in _mark(x, value, f"limit {statistic}", "limit", row=1)
        ),
    )


def _mark(
    axis: Axis, value: float, words: str, kind: str, *, left: bool = False, row: int = 0
) -> Iterable[Html]:
    """Yield a line at `value` with its name beside it, on the side where it fits."""
    at = axis.at(value)
    words = f"{words} {milliseconds(value)}"
    room = 6.2 * len(words) + 6
    left = at > WIDTH - RIGHT - room or (left and at > LEFT + room)
    yield el("line", class_=kind, x1=at, x2=at, y1=TOP - 4, y2=HEIGHT - BOTTOM)
    place = at - 4 if left else at + 4
    yield label(
        place, TOP + 4 + 13 * row, words, anchor="end" if left else "start", kind=f"said {kind}"
    )


_ROWS = 36
_COLUMNS = 96
_SHADES = 6


class _Column(NamedTuple):
    begin: float
    """Begin and end in seconds since the start of the run."""
    end: float
    times: Histogram


def heat_map(path: str, history: Sequence[Sample]) -> Html | None:
    """Return a picture of when frames of `path` took how long; None without samples of it.

    Darker is more frequent; the lines are p50 and p99.
    """
    columns = _columns(path, history)
    grid = BinGrid([column.times for column in columns], _ROWS)
    if grid.empty:
        return None
    x = Axis(0.0, max(column.end for column in columns), LEFT, WIDTH - RIGHT)
    y = logarithmic(grid.low, grid.high, HEIGHT - BOTTOM, TOP)
    cells = [
        el(
            "rect",
            class_=f"heat h{max(1, round(_SHADES * (item.values / column.times.count) ** 0.5))}",
            x=x.at(column.begin),
            width=max(x.at(column.end) - x.at(column.begin), 0.5),
            y=y.at(item.high),
            height=max(y.at(item.low) - y.at(item.high), 0.5),
        )
        for column in columns
        for item in grid.bins(column.times)
    ]
    return picture(
        f"{path}: end-to-end times over the run",
        *x_axis(x, text.brief, "s of the run"),
        *y_axis(y, milliseconds, "ms"),
        *cells,
        *(_line(columns, share, kind, x, y) for share, kind in ((0.5, "p50"), (0.99, "p99"))),
        label(WIDTH - RIGHT, 11, "p99 above, p50 below", anchor="end"),
    )


def _columns(path: str, history: Sequence[Sample]) -> list[_Column]:
    """Return the samples, with as many joined as necessary for all of them to fit."""
    every = max(1, -(-len(history) // _COLUMNS))
    columns = []
    for first in range(0, len(history), every):
        group = history[first : first + every]
        times = Histogram()
        for sample in group:
            if path in sample.latency:
                times.merge(sample.latency[path])
        if times.count:
            begin = max(group[0].seconds - group[0].span, 0.0)
            columns.append(_Column(begin, max(group[-1].seconds, begin), times))
    return columns


def _line(columns: Sequence[_Column], share: float, kind: str, x: Axis, y: Axis) -> Html:
    points = (
        f"{number(x.at((column.begin + column.end) / 2))} "
        f"{number(y.at(column.times.quantile(share)))}"
        for column in columns
    )
    return el("path", class_=f"curve {kind}", d="M" + "L".join(points))
