"""Jitter: how much successive intervals differ."""

from __future__ import annotations

from typing import Any

import numpy as np

from holoflow.flow.histogram import Histogram


class Jitter:
    """Collects differences, without sign, of successive intervals between times."""

    __slots__ = ("_last", "times")

    def __init__(self) -> None:
        """Begin with nothing."""
        self.times = Histogram()
        self._last: Any = np.empty(0, np.int64)

    def add(self, ends: Any) -> None:
        """Add times in nanoseconds, in their order."""
        ends = np.concatenate((self._last, ends))
        self._last = ends[-2:]
        if len(ends) > 2:
            self.times.add(np.abs(np.diff(ends, 2)) / 1e9)
