"""How long frames took in the course of the run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from holoflow.flow.books import Sample
from holoflow.flow.histogram import Histogram
from holoflow.flow.report.charts.axis import Axis, logarithmic
from holoflow.flow.report.charts.bins import Grid
from holoflow.flow.report.charts.frame import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    duration,
    label,
    milliseconds,
    picture,
    x_axis,
    y_axis,
)
from holoflow.flow.report.markup import Html, el, number

_ROWS = 36
_COLUMNS = 96
_SHADES = 6


class _Column(NamedTuple):
    begin: float
    """Seconds."""
    end: float
    times: Histogram


def heat_map(path: str, history: Sequence[Sample]) -> Html | None:
    """Return when frames of `path` took how long; darker is more often, lines are p50 and p99.

    None where the samples have nothing of it.
    """
    columns = _columns(path, history)
    grid = Grid([column.times for column in columns], _ROWS)
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
        *x_axis(x, duration, "s of the run"),
        *y_axis(y, milliseconds, "ms"),
        *cells,
        *(_line(columns, share, kind, x, y) for share, kind in ((0.5, "p50"), (0.99, "p99"))),
        label(WIDTH - RIGHT, 11, "p99 above, p50 below", anchor="end"),
    )


def _columns(path: str, history: Sequence[Sample]) -> list[_Column]:
    """Return the samples, so many of them together that the picture has room for all."""
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
