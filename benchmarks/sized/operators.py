"""Operators of the apps whose size varies: they do nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from holoflow import Operator, param


class SourceOp(Operator):
    """Gives the same array again and again, as fast as it can."""

    size: int = param(64, ge=1, doc="bytes of the array")

    def start(self) -> None:
        """Make the array."""
        self._array = np.zeros(self.size, np.uint8)

    def frames(self) -> Iterator[Any]:
        """Yield it without end."""
        while True:
            yield self._array


class PassOp(Operator):
    """Passes on what comes."""

    def process(self, value: Any) -> Any:
        """Return `value`."""
        return value


class JoinOp(Operator):
    """Passes on the first of two."""

    def process(self, value: Any, other: Any) -> Any:  # noqa: ARG002 - it has only to arrive
        """Return `value`."""
        return value
