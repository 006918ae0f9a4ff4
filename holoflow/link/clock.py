"""The offset between the monotonic clocks of two hosts, and how far it may be off.

Both hosts note when a question and its answer leave and arrive: the four timestamps of NTP
(RFC 5905, section 8). The question cannot have arrived before it was sent, nor the answer, so
each exchange confines the offset to an interval as wide as its round trip (Cristian,
Probabilistic clock synchronization, 1989), whatever the delays there and back. Intervals widen
with age by what two clocks may drift apart, as the dispersion of NTP's clock filter does, and
the truth lies in what all of them have in common (Marzullo and Owicki, Maintaining the time in a
distributed system, 1983). That is never wider than the exchange with the least round trip alone,
and takes no memory of former ones.
"""

from __future__ import annotations

import math

DRIFT = 100
"""Nanoseconds in a millisecond that two clocks may drift apart: each of two crystals ±50 ppm."""

_RESOLUTION = 1
"""Nanoseconds that a reading may lie before the time it was taken at."""

_STEP = 3
"""Successive exchanges that contradict what is known, but not one another, until the other
clock is believed to have been set, or its host to have slept."""


class ClockOffset:
    """What to add to times of another host to have them by the clock of this one.

    Times are nanoseconds. One thread calls `add`; any may read.
    """

    def __init__(self) -> None:
        """Nothing is known."""
        self._known: _Interval | None = None
        self._doubt: _Interval | None = None
        self._doubts = 0

    def add(self, t0: int, t1: int, t2: int, t3: int) -> bool:
        """Learn from an exchange; return whether it was possible.

        `t0` is when the question was sent, by this host's clock, `t1` when it arrived and `t2`
        when the answer was sent, by the other's, `t3` when that arrived, by this host's.
        Exchanges may come in any order.
        """
        # An offset that lay beyond `t0 - t1` at `t1` may have drifted until `t3`.
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
        """Take `found`, which contradicts what is known, for the truth if others bear it out."""
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
        """What to add to the other's time to get this host's; None before any exchange."""
        known = self._known
        return None if known is None else (known.low + known.high) // 2

    @property
    def uncertainty(self) -> float:
        """How far `offset` may have been off at the newest exchange; infinite before any."""
        known = self._known
        return math.inf if known is None else (known.high - known.low + 1) // 2

    def uncertainty_at(self, now: int) -> float:
        """Return how far `offset` may be off at `now`, a time of this host."""
        known = self._known
        if known is None:
            return math.inf
        return (known.high - known.low + 1) // 2 + _drift(abs(now - known.at))


class _Interval:
    """Where the offset lies at a time of this host."""

    __slots__ = ("at", "high", "low")

    def __init__(self, low: int, high: int, at: int) -> None:
        self.low = low
        self.high = high
        self.at = at

    def until(self, at: int) -> _Interval:
        """Return where it lies at the later of two times."""
        at = max(at, self.at)
        drift = _drift(at - self.at)
        return _Interval(self.low - drift, self.high + drift, at)

    def and_also(self, other: _Interval) -> _Interval:
        """Return what both have in common; empty (low above high) where they contradict."""
        a, b = self.until(other.at), other.until(self.at)
        return _Interval(max(a.low, b.low), min(a.high, b.high), a.at)


def _drift(nanoseconds: int) -> int:
    """Return the most that two clocks drift apart in that time, rounded up."""
    return -(-nanoseconds * DRIFT // 1_000_000)
