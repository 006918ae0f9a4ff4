"""How much of a recording is there, beside what its file says."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

_MICROSECOND = Fraction(1, 1_000_000)
_ALLOWANCE = Fraction(1, 10)
"""Seconds that a file may be shorter than it says, and two frames: durations are not exact."""


class Missing(NamedTuple):
    """What a file announces and does not have."""

    frames: int
    """How many of which nothing is there; 0 where the file does not say it."""
    text: str
    """How much there is, such as `33 of 60 frames`."""


class Extent:
    """What has been read of a recording."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._packets = self._whole = 0
        self._end = Fraction(0)

    def see(self, packet: Any, *, own: bool) -> None:
        """Note a packet of any stream; `own` is that of which frames are made."""
        self._packets += own
        self._whole += own and not packet.is_corrupt
        time = packet.dts if packet.pts is None else packet.pts
        if time is not None:
            self._end = max(self._end, (time + (packet.duration or 0)) * packet.time_base)

    def missing(self, container: Any, stream: Any, step: int) -> Missing | None:
        """Return what is missing at the end of the file; None where nothing is, as far as it says.

        `step` are the nanoseconds from one frame to the next.
        """
        if "mov" in container.format.name.split(","):
            # It lists its packets; its durations count what an edit list leaves out.
            return self._of(len(stream.index_entries))
        announced = (container.duration or 0) * _MICROSECOND
        # What begins late is announced with the time before it by some, without it by others.
        reached = self._end - min(container.start_time or 0, 0) * _MICROSECOND
        if announced - reached <= _ALLOWANCE + 2 * Fraction(step, 1_000_000_000):
            return None
        return self._of(stream.frames) or Missing(
            0, f"{float(reached):.3g} of {float(announced):.3g} s"
        )

    def _of(self, total: int) -> Missing | None:
        """Return what is missing of `total` frames."""
        if self._whole >= total:
            return None
        return Missing(total - self._packets, f"{self._whole} of {total} frames")
