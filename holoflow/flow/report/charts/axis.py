"""Axes: where values stand, and which of them are marked."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Axis:
    """A range of values, and the pixels that it is drawn on."""

    low: float
    high: float
    begin: float
    """Pixel at which `low` stands."""
    end: float
    kind: Literal["linear", "log"] = "linear"

    def at(self, value: float) -> float:
        """Return the pixel of a value; those beyond the range stand at its ends."""
        scale: Callable[[float], float] = math.log if self.kind == "log" else float
        value = min(max(value, self.low), self.high)
        share = (scale(value) - scale(self.low)) / ((scale(self.high) - scale(self.low)) or 1.0)
        return self.begin + share * (self.end - self.begin)

    def marks(self, most: int) -> list[float]:
        """Return round values within the range, at most about so many."""
        return _decades(self, most) if self.kind == "log" else _steps(self, most)


def logarithmic(low: float, high: float, begin: float, end: float) -> Axis:
    """Return an axis for values from `low` to `high`, both above 0, with some room at its ends."""
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
    """Return powers of ten with as much in between as there is room for."""
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
