"""Clocks that are joined by time: whether they tell the same, or were not set back alike."""

from __future__ import annotations

from holoflow.core.message import Header
from holoflow.core.times import DISORDER, StreamClock


class Agreement:
    """Of the clocks of a join's leader and of one partner.

    Both are taken to be set back together where both are. Until it has shown for the second one,
    nothing that lies in between can be joined.
    """

    def __init__(self, leader: StreamClock, tolerance: int) -> None:
        """Compare with the clock of the `leader`, which the join looks at; `tolerance` in ns."""
        self._leader = leader
        self._partner = StreamClock()
        self._tolerance = tolerance
        self._ahead = 0
        """Resets that the leader has had and the partner has not."""

    def __bool__(self) -> bool:
        """Whether the clocks tell the same, as far as is known."""
        return self._ahead == 0

    def leader_set_back(self) -> bool:
        """Note that the leader's clock was set back; whether the partner's had been before."""
        self._ahead += 1
        return self._ahead == 0

    def see(self, header: Header, time: int) -> bool:
        """Take note of the partner's next message, while the leader is at `time`.

        True where the clocks agree again, and what the partner had before is of another time.
        """
        if self._partner.see(header):
            self._ahead -= 1
            if self._ahead == 0:
                return True
        if self._ahead == 0:
            return False
        clock, now = (self._leader, time) if self._ahead > 0 else (self._partner, header.timestamp)
        if clock.is_back(now):
            self._ahead = 0
            return False
        if abs(header.timestamp - time) <= max(self._tolerance, DISORDER // 2):
            self._ahead = 0
            return True
        return False

    def passes_by(self, following: int, time: int) -> bool:
        """Whether the partner's message of `following` serves no leader, as one is at `time`.

        Where the clocks do not agree. Else it is kept: the other clock may still be set back.
        """
        if self._ahead > 0:
            return following <= self._leader.went_on(time) + self._tolerance
        return self._partner.went_on(following) + self._tolerance < time
