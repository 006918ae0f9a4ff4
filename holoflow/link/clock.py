"""The offset between the monotonic clocks of two hosts, and its uncertainty.

Both hosts record when a request and its reply leave and arrive: the four timestamps of NTP (RFC
5905, section 8). Neither can have arrived before it was sent, so each exchange confines the
offset to an interval as wide as its round trip (Cristian, Probabilistic clock synchronization,
1989), whatever the delays each way. Intervals widen with age by the possible drift of the two
clocks, like the dispersion of NTP's clock filter, and the true offset is in the intersection of
all of them (Marzullo and Owicki, Maintaining the time in a distributed system, 1983). The
intersection is never wider than the interval of the exchange with the shortest round trip, and
no earlier exchanges need to be stored.
"""

from __future__ import annotations

import math

DRIFT = 100
"""Nanoseconds per millisecond that two clocks may drift apart: two crystals of ±50 ppm each."""

_RESOLUTION = 1
"""Nanoseconds by which a reading may be earlier than the time at which it was taken."""

_STEP = 3
"""Successive exchanges that contradict the known interval, but not one another, after which the
other clock is assumed to have been set, or its host to have slept."""


class ClockOffset:
    """What to add to times of another host to convert them to this host's clock.

    Times are in nanoseconds. One thread calls `add`; any may read, without a lock: `_known` is
    replaced by a new interval in one assignment, and readers use one reference to it.
    """

    def __init__(self) -> None:
        self._known: _Interval | None = None
        self._doubt: _Interval | None = None
        self._doubts = 0

    def add(self, t0: int, t1: int, t2: int, t3: int) -> bool:
        """Add an exchange; exchanges may be added in any order.

        Args:
            t0: When the request was sent, in nanoseconds by this host's clock.
            t1: When it arrived, by the other host's clock.
            t2: When the reply was sent, by the other host's clock.
            t3: When it arrived, by this host's clock.

        Returns:
            Whether the exchange was consistent in itself.
        """
        # The lower bound `t0 - t1` holds at `t1`; the offset may have drifted until `t3`.
        found = _Interval(t0 - t1 - _RESOLUTION, t3 - t2 + _RESOLUTION, t0).until(t3)
        if t3 < t0 or t2 < t1 or found.low > found.high:
            return False
        if self._known is None:
            self._known = found
            return True
        common = self._known.and_also(found)
        if common.low <= common.high:
            self._known = common
            self._doubts = 0
            return True
        self._question(found)
        return True

    def _question(self, found: _Interval) -> None:
        """Adopt `found`, which contradicts what is known, if further exchanges confirm it."""
        common = self._doubt.and_also(found) if self._doubts and self._doubt else found
        if common.low > common.high:
            self._doubt, self._doubts = found, 1
            return
        self._doubt = common
        self._doubts += 1
        if self._doubts == _STEP:
            self._known, self._doubts = common, 0

    @property
    def offset(self) -> int | None:
        """What to add to the other host's time to get this host's; None before any exchange."""
        known = self._known
        return None if known is None else (known.low + known.high) // 2

    @property
    def uncertainty(self) -> float:
        """By how much `offset` may have been wrong at the newest exchange; infinite before any."""
        known = self._known
        return math.inf if known is None else (known.high - known.low + 1) // 2

    def uncertainty_at(self, now: int) -> float:
        """Return by how much `offset` may be wrong at `now`, a time of this host."""
        known = self._known
        if known is None:
            return math.inf
        return (known.high - known.low + 1) // 2 + _drift(abs(now - known.at))


class _Interval:
    """Bounds of the offset at a time of this host."""

    __slots__ = ("at", "high", "low")

    def __init__(self, low: int, high: int, at: int) -> None:
        self.low = low
        self.high = high
        self.at = at

    def until(self, at: int) -> _Interval:
        """Return the bounds at the later of the two times."""
        at = max(at, self.at)
        drift = _drift(at - self.at)
        return _Interval(self.low - drift, self.high + drift, at)

    def and_also(self, other: _Interval) -> _Interval:
        """Return the intersection; empty (low above high) if they contradict each other."""
        a, b = self.until(other.at), other.until(self.at)
        return _Interval(max(a.low, b.low), min(a.high, b.high), a.at)


def _drift(nanoseconds: int) -> int:
    """Return the largest drift of two clocks in that time, rounded up."""
    return -(-nanoseconds * DRIFT // 1_000_000)
