"""What charts share: axes, bins of histograms, their size and their labels."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from holoflow.core import text
from holoflow.core.markup import Child, Html, el
from holoflow.stats.histogram import Histogram


@dataclass(frozen=True)
class Axis:
    """A range of values and the range of pixels that it is drawn on."""

    low: float
    high: float
    begin: float
    """Pixel of `low`."""
    end: float
    kind: Literal["linear", "log"] = "linear"

    def at(self, value: float) -> float:
        """Return the pixel of a value; values out of range are drawn at the ends."""
        scale: Callable[[float], float] = math.log if self.kind == "log" else float
        value = min(max(value, self.low), self.high)
        share = (scale(value) - scale(self.low)) / ((scale(self.high) - scale(self.low)) or 1.0)
        return self.begin + share * (self.end - self.begin)

    def marks(self, most: int) -> list[float]:
        """Return about `most` round values within the range, or fewer."""
        return _decades(self, most) if self.kind == "log" else _steps(self, most)


def logarithmic(low: float, high: float, begin: float, end: float) -> Axis:
    """Return an axis for values from `low` to `high`, both above 0, with a margin at its ends."""
    least = 1.5
    if high / low < least:
        middle = math.sqrt(low * high)
        low, high = middle / math.sqrt(least), middle * math.sqrt(least)
    return Axis(low / 1.03, high * 1.03, begin, end, "log")


def _steps(axis: Axis, most: int) -> list[float]:
    span = axis.high - axis.low
    if span < 1e-9:
        return [axis.low]
    rough = span / max(most, 1)
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough * 0.999)
    first, last = math.ceil(axis.low / step - 1e-9), math.floor(axis.high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


def _decades(axis: Axis, most: int) -> list[float]:
    """Return powers of ten, and as many values between them as fit."""
    least, last = math.floor(math.log10(axis.low)), math.floor(math.log10(axis.high))
    found: list[float] = []
    for factors in ((1,), (1, 3), (1, 2, 5), (1, 2, 3, 4, 6, 8), tuple(range(10, 100, 5))):
        unit = 10.0 if factors[0] == 10 else 1.0
        marks = [
            factor / unit * 10.0**power for power in range(least, last + 1) for factor in factors
        ]
        marks = [mark for mark in marks if axis.low <= mark <= axis.high]
        if len(marks) > most:
            break
        found = marks
    return found or _decades_thinned(least, last, most, axis)


def _decades_thinned(least: int, last: int, most: int, axis: Axis) -> list[float]:
    every = math.ceil((last - least + 1) / max(most, 1))
    marks = [10.0**power for power in range(least, last + 1, every)]
    return [mark for mark in marks if axis.low <= mark <= axis.high]


class Bin(NamedTuple):
    """The number of values above `low` and up to `high` seconds."""

    low: float
    high: float
    values: int


class BinGrid:
    """Bins of equal ratio that cover all values of some histograms.

    Histograms have bins of one fixed ratio. Each bin here consists of the same number of them, so
    that no bin looks fuller than its neighbours only because it is wider.
    """

    def __init__(self, histograms: Iterable[Histogram], most: int) -> None:
        """Make a grid of at most about `most` bins."""
        bounds = [(low, high) for times in histograms for low, high, _ in times.bins() if low > 0]
        self.empty = not bounds
        first = bounds[0] if bounds else (1e-3, 1.02e-3)
        self._log = math.log(first[1] / first[0])
        keys = [self._key(high) for _, high in bounds] or [self._key(first[1])]
        self._least = min(keys)
        self._step = max(1, math.ceil((max(keys) - self._least + 1) / most))
        self.size = (max(keys) - self._least) // self._step + 1

    def _key(self, high: float) -> int:
        return round(math.log(high) / self._log)

    @property
    def low(self) -> float:
        """Lower end of the first bin."""
        return self._bound(0)

    @property
    def high(self) -> float:
        """Upper end of the last bin."""
        return self._bound(self.size)

    def _bound(self, index: int) -> float:
        return math.exp((self._least - 1 + index * self._step) * self._log)

    def bins(self, times: Histogram) -> list[Bin]:
        """Return the non-empty bins, ascending; values of 0 are in the first."""
        counts = Counter[int]()
        for low, high, count in times.bins():
            index = (self._key(high) - self._least) // self._step if low > 0 else 0
            counts[min(max(index, 0), self.size - 1)] += count
        return [
            Bin(self._bound(index), self._bound(index + 1), count)
            for index, count in sorted(counts.items())
        ]


WIDTH, HEIGHT = 460, 210
LEFT, RIGHT, TOP, BOTTOM = 46, 14, 24, 34
"""Margins."""


def picture(title: str, *children: Child, width: float = WIDTH, height: float = HEIGHT) -> Html:
    """Return an SVG with `title` as its accessible name."""
    return el(
        "svg", el("title", title), *children,
        class_="chart", viewBox=f"0 0 {width:.0f} {height:.0f}", role="img", aria_label=title,
    )  # fmt: skip


def label(x: float, y: float, words: str, *, anchor: str = "middle", kind: str = "tick") -> Html:
    """Return a text at (x, y)."""
    return el("text", words, class_=kind, x=x, y=y, text_anchor=anchor)


def milliseconds(seconds: float) -> str:
    """Return the label of a mark on an axis, in ms: `0.5`, `20`, `1,500`."""
    return text.brief(seconds * 1e3)


def x_axis(
    axis: Axis, write: Callable[[float], str], unit: str, *, most: int = 7
) -> Iterable[Html]:
    """Yield an axis at the bottom of the picture, with vertical lines at its marks."""
    low = HEIGHT - BOTTOM
    for mark in axis.marks(most):
        x = axis.at(mark)
        yield el("line", class_="grid", x1=x, x2=x, y1=TOP, y2=low)
        yield label(x, low + 14, write(mark))
    yield label(WIDTH - RIGHT, HEIGHT - 4, unit, anchor="end")


def y_axis(
    axis: Axis, write: Callable[[float], str], unit: str, *, most: int = 5
) -> Iterable[Html]:
    """Yield an axis at the left of the picture, with horizontal lines at its marks."""
    for mark in axis.marks(most):
        y = axis.at(mark)
        yield el("line", class_="grid", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y)
        yield label(LEFT - 5, y + 3.5, write(mark), anchor="end")
    yield label(4, 11, unit, anchor="start")
