"""Durations noted by one thread and looked at by another."""

from __future__ import annotations

import threading
from array import array

import numpy as np
from numpy.typing import NDArray

from holoflow.flow.account import MOST
from holoflow.flow.histogram import Histogram


class Durations:
    """Nanoseconds, as they come; a histogram of them whenever one is asked for."""

    __slots__ = ("_lock", "_new", "_total")

    def __init__(self) -> None:
        """Begin with nothing."""
        self._new = array("q")
        self._total = Histogram()
        self._lock = threading.Lock()

    def add(self, nanoseconds: int) -> None:
        """Add one."""
        self._new.append(nanoseconds)
        if len(self._new) > MOST:
            self.total()

    def add_many(self, nanoseconds: NDArray[np.int64]) -> None:
        """Add any number."""
        with self._lock:
            self._total.add(nanoseconds / 1e9)

    def total(self) -> Histogram:
        """Return all of them."""
        with self._lock:
            self._fold()
            return self._total.copy()

    def take(self) -> Histogram:
        """Return all of them, and begin with nothing again."""
        with self._lock:
            self._fold()
            taken, self._total = self._total, Histogram()
            return taken

    def _fold(self) -> None:
        # Copied, as the array cannot grow while NumPy looks at it.
        count = len(self._new)
        self._total.add(np.frombuffer(self._new[:count], np.int64) / 1e9)
        del self._new[:count]
