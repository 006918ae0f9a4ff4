"""Operators whose work is known, copied beside their app: they import nothing here."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import numpy as np

from holoflow import Operator, Stamped, param
from holoflow.core.array import Array


class SceneOp(Operator):
    """Gives arrays."""

    size: int = param(1000, doc="bytes of each")
    rate: float = param(0.0, doc="arrays a second; 0 gives them as fast as they are taken")

    def frames(self) -> Iterator[Stamped[Array]]:
        """Give one array after the other, for ever."""
        arrays = [np.full(self.size, number, np.uint8) for number in range(16)]
        number = 0
        while True:
            due = round(number / self.rate * 1e9) if self.rate else None
            yield Stamped(arrays[number % 16], elapsed=due, wait=due is not None)
            number += 1


class WorkOp(Operator):
    """Sleeps, or spins on a core, for half to one and a half times as long as it is told."""

    sleep: float = param(0.0, doc="seconds")
    spin: float = param(0.0, doc="seconds on a core")

    def start(self) -> None:
        """Begin with the same numbers each time."""
        self._random = random.Random(self.context.name)

    def process(self, x: Array) -> Array:
        """Work on `x`, and pass it on."""
        factor = self._random.uniform(0.5, 1.5)
        if self.sleep:
            time.sleep(self.sleep * factor)
        end = time.thread_time() + self.spin * factor
        while time.thread_time() < end:
            pass
        return x


class EndOp(WorkOp):
    """Works, and passes nothing on."""

    def process(self, x: Array) -> None:
        """Work on `x`."""
        super().process(x)
