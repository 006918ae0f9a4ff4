"""How long frames took: a histogram on a logarithmic axis."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from holoflow.cli import text
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
    label,
    milliseconds,
    picture,
    x_axis,
    y_axis,
)
from holoflow.flow.report.markup import Html, el

_BARS = 48


def distribution(name: str, times: Histogram, limits: Mapping[str, float]) -> Html | None:
    """Return the histogram of `times` with p50, p99 and `limits` (seconds by statistic) marked.

    None where there is nothing to draw.
    """
    grid = Grid([times], _BARS)
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
                f"{milliseconds(item.low)} to {milliseconds(item.high)} ms: "
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
    said = ", ".join(f"{statistic} {milliseconds(value)} ms" for statistic, value in marks.items())
    return picture(
        f"{name}: end-to-end times of {text.plural(times.count, 'frame')}; {said}",
        *y_axis(y, lambda share: f"{share * 100:.3g}%", "of the frames", most=4),
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
    """Yield a line at `value` with its name beside it, on the side where there is room."""
    at = axis.at(value)
    words = f"{words} {milliseconds(value)}"
    room = 6.2 * len(words) + 6
    left = at > WIDTH - RIGHT - room or (left and at > LEFT + room)
    yield el("line", class_=kind, x1=at, x2=at, y1=TOP - 4, y2=HEIGHT - BOTTOM)
    place = at - 4 if left else at + 4
    yield label(
        place, TOP + 4 + 13 * row, words, anchor="end" if left else "start", kind=f"said {kind}"
    )
