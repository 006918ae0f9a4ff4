"""Times of frames that come at a rate."""

from __future__ import annotations

from holoflow.core.times import SECOND


def at_rate(index: int, rate: float) -> int:
    """Nanoseconds from frame 0 to frame `index` at `rate` frames a second, without drift."""
    return round(index * SECOND / rate)
