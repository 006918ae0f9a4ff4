"""Comparing statistics whose sums were taken in another order."""

from __future__ import annotations

import math
from typing import Any

from holoflow.stats.snapshot import to_plain


def alike(one: Any, other: Any, *, accuracy: float = 1e-6) -> bool:
    """Whether two values of `holoflow.stats.snapshot` are equal but for the rounding of sums."""
    return _alike(to_plain(one), to_plain(other), accuracy)


def _alike(one: Any, other: Any, accuracy: float) -> bool:
    if isinstance(one, float) or isinstance(other, float):
        return math.isclose(one, other, rel_tol=accuracy, abs_tol=accuracy)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(
            _alike(one[key], other[key], accuracy) for key in one
        )
    if isinstance(one, list):
        return len(one) == len(other) and all(
            _alike(a, b, accuracy) for a, b in zip(one, other, strict=True)
        )
    return bool(one == other)
