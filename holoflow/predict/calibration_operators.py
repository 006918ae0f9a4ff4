"""The operators of the apps that measure links."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from holoflow.core.array import Array
from holoflow.core.message import Stamped
from holoflow.core.operator import Operator, param

_ARRAYS = 16
"""Arrays that are sent in turn, so that they are not in the cache; a camera's are not either."""


class SendOp(Operator):
    """Sends arrays."""

    size: int = param(1000, ge=1, doc="bytes of each")
    rate: float = param(0.0, ge=0, doc="arrays a second; 0 gives them as fast as they are taken")

    def frames(self) -> Iterator[Stamped[Array]]:
        """Yield one array after the other, uint8 of shape (size,), without end."""
        arrays = [np.full(self.size, number, np.uint8) for number in range(_ARRAYS)]
        number = 0
        while True:
            array = arrays[number % _ARRAYS]
            due = round(number / self.rate * 1e9) if self.rate else None
            yield Stamped(array, elapsed=due, wait=due is not None)
            number += 1


class ReceiveOp(Operator):
    """Reads the arrays that it receives."""

    def process(self, array: Array) -> None:
        """Check the first and last element of `array`."""
        if array[0] != array[-1]:
            raise ValueError("an array did not arrive whole")
