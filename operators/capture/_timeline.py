"""Times of the frames of a recording that may be played over and over."""

from __future__ import annotations

from dataclasses import dataclass

SECOND = 1_000_000_000


def at_rate(index: int, rate: float) -> int:
    """Nanoseconds from frame 0 to frame `index` at `rate` frames a second, without drift."""
    return round(index * SECOND / rate)


@dataclass
class Timeline:
    """Elapsed times that only ever rise, from a recording's own ones.

    A recording's times may begin anywhere, be missing, and go back: at a fault, or where it is
    played anew. Where they go back, they count on from the frame before.
    """

    step: int
    """Nanoseconds from one frame to the next where the recording does not say."""
    _origin: int | None = None
    _last: int = -1
    _next: int = 0

    def place(self, time: int | None, duration: int | None = None) -> int:
        """Return the nanoseconds from the first frame to one that the recording puts at `time`."""
        elapsed = self._next
        if time is not None:
            if self._origin is None or time - self._origin <= self._last:
                self._origin = time - self._next
            elapsed = time - self._origin
        self._last = elapsed
        self._next = elapsed + max(duration or self.step, 1)
        return elapsed
