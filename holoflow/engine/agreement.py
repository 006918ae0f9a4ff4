"""Whether the clocks of streams that are joined by time agree, or were reset independently."""

from __future__ import annotations

from holoflow.core.message import Header
from holoflow.core.times import DISORDER, StreamClock


class Agreement:
    """Whether the clock of a join's leader agrees with the clock of one partner.

    A reset of one clock is assumed to be followed by the same reset of the other. Until that is
    seen, messages from between the two resets cannot be joined.
    """

    def __init__(self, leader: StreamClock, tolerance: int) -> None:
        """Compare with the clock of the `leader`, which the join updates; `tolerance` is in ns."""
        self._leader = leader
        self._partner = StreamClock()
        self._tolerance = tolerance
        self._ahead = 0
        """Resets of the leader's clock minus resets of the partner's."""

    def __bool__(self) -> bool:
        """Whether the clocks agree, as far as is known."""
        return self._ahead == 0

    def leader_set_back(self) -> bool:
        """Note a reset of the leader's clock; true if the partner's was reset before it."""
        self._ahead += 1
        return self._ahead == 0

    def see(self, header: Header, time: int) -> bool:
        """Note the partner's next message, while the leader is at `time` (ns).

        Returns:
            True if the clocks have just come to agree again, so that earlier messages of the
            partner belong to another time.
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
        """Whether no leader can use the partner's message of `following`; the leader is at `time`.

        Asked only while the clocks disagree. A message for which this is false is kept: the other
        clock may still be reset. Both times are in ns.
        """
        if self._ahead > 0:
            return following <= self._leader.went_on(time) + self._tolerance
        return self._partner.went_on(following) + self._tolerance < time
