"""The join of messages by time, and whether the clocks of its inputs agree."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from holoflow.app.graph import Sync
from holoflow.core.message import Header
from holoflow.core.times import DISORDER, LONGEST, StreamClock
from holoflow.engine.inputs import Call, Part, merge_headers, take_newest
from holoflow.engine.queue import LatestQueue, Message, Queue
from holoflow.stats.causes import Cause
from holoflow.stats.counters import SENT


class Synced:
    """Joins by timestamp: each message of the leader with the nearest of every other input.

    A partner must lie within the tolerance; of two equally near, the earlier is taken; one may
    serve several leaders. A leader whose partner can no longer come is dropped as `late`, or
    called without it if the input is optional. A partner that is older than the one before it is
    dropped as `late` too. Decisions depend on timestamps alone, unless a timeout is given.

    After a reset of the clocks (see `holoflow.core.times`), what the leader has from then on is
    joined with what partners have from then on. If only one stream is reset, none of its messages
    can be joined until it agrees with the others again; they pass at the pace of the leader.

    If a partner's frames are those of the leader, its watermark shows which of them bring nothing.
    What may still come belongs to later frames, and is later than the leader's earlier frames.
    """

    def __init__(
        self, queues: Mapping[str, Queue], sync: Sync, optional: frozenset[str],
        latest: Mapping[str, LatestQueue], now: Callable[[], int],
        wake_at: Callable[[int], None],
    ) -> None:  # fmt: skip
        """Join `queues` by `sync`; `now` and `wake_at` (ns) are for the timeout."""
        self._leader = queues[sync.leader]
        self._name = sync.leader
        self._partners = {name: q for name, q in queues.items() if name != sync.leader}
        self._latest = list(latest.items())
        self._ahead: deque[Message] = deque()
        """Messages of the leader, taken from its queue to see the times after the next one."""
        self._held: dict[str, Message] = {}
        self._used: set[str] = set()
        self._optional = optional
        self._tolerance = round(sync.tolerance * 1e9)
        self._clock = StreamClock()
        self._clocks = {name: Agreement(self._clock, self._tolerance) for name in self._partners}
        self._far = max(self._tolerance, LONGEST)
        """How far (ns) a partner that may be reset next can be ahead of the leader."""
        self._timeout = None if sync.timeout is None else round(sync.timeout * 1e9)
        self._now = now
        self._wake_at = wake_at
        self._deadline: int | None = None
        self._matched: dict[str, Any] | None = None
        self._headers: list[Header] = []
        self._new: list[Part] = []
        """Partners of the matched leader that have served no earlier one."""
        for queue in self._partners.values():
            queue.counted = False  # they wait for leaders that have not been captured yet
        self.queues = [*queues.values(), *latest.values()]

    def ready(self) -> bool:
        """Whether the next leader has all its partners; drops leaders that cannot have them."""
        while self._matched is None and (leader := self._next()) is not None:
            self._see_leader(leader.header)
            undecided = [
                name for name in self._partners if not self._advance(name, leader.header.timestamp)
            ]
            if undecided and not self._timed_out():
                if self._look_ahead(undecided):
                    continue
                self._make_room()
                return False
            self._deadline = None
            self._match(leader.header.timestamp)
        if self._matched is None:
            self._pass_by()
            self._make_room()
        return self._matched is not None

    def _see_leader(self, header: Header) -> None:
        """Note the time of the leader."""
        if self._clock.see(header):
            for name, clocks in self._clocks.items():
                if clocks.leader_set_back():
                    self._release(name)  # from before the reset of both

    def _next(self) -> Message | None:
        """Return the next message of the leader."""
        queue = self._leader
        if queue.lossy and queue.items and not self._ahead:
            self._ahead.append(queue.pop())  # else it might be dropped before it is taken
        if self._ahead:
            return self._ahead[0]
        return queue.items[0] if queue.items else None

    def _take_leader(self) -> Message:
        return self._ahead.popleft() if self._ahead else self._leader.pop()

    def _known(self) -> list[Header]:
        return [message.header for message in (*self._ahead, *self._leader.items)]

    def _look_ahead(self, undecided: list[str]) -> bool:
        """Make room for more of the leader, if only its later times can decide."""
        queue, newest = self._leader, self._known()[-1].sequence
        queues = [self._partners[name] for name in undecided]
        if len(queue.items) < queue.capacity or not all(
            q.flow.watermark and not q.items and q.passed() > newest for q in queues
        ):
            return False
        self._ahead.append(queue.pop())
        return True

    def _make_room(self) -> None:
        """Drop messages between the first and the last with the same time: no leader needs them.

        Else there might be no room for the rest of a frame that has several messages.
        """
        for name, queue in self._partners.items():
            time = self._time_held(name)
            while len(queue.items) > 1:
                if not time == queue.items[0].header.timestamp == queue.items[1].header.timestamp:
                    break
                queue.count_dropped("late", queue.pop())

    def _pass_by(self) -> None:
        """Release each message to which every leader still to come prefers a later one."""
        if self._next() is not None or not self._leader.flow.watermark:
            return
        passed = self._leader.passed()
        for name, queue in self._partners.items():
            while queue.flow.watermark and queue.items:
                if queue.items[0].header.sequence >= passed:
                    break
                self._release(name)
                self._held[name] = queue.pop()

    def _nothing_nearer(self, queue: Queue, held: int | None, time: int) -> bool:
        """Whether an empty `queue` can bring nothing nearer to `time` than `held` (all ns)."""
        if not queue.flow.watermark:
            return False
        passed = queue.passed()
        before = [header.timestamp for header in self._known() if header.sequence < passed]
        if not before:
            return False
        later = before[-1] - time
        if later < 0:  # the clocks were reset since: what comes is of another time
            return True
        return later > self._tolerance or (held is not None and later >= time - held)

    def _advance(self, name: str, time: int) -> bool:
        """Hold the message nearest to `time`; false if a nearer one may still come."""
        queue, clocks = self._partners[name], self._clocks[name]
        while True:
            held = self._time_held(name)
            if clocks and held is not None and 0 <= held - time <= self._far:
                return True
            closed = queue.closed
            if not queue.items:
                return closed or self._nothing_nearer(queue, held, time)
            following = queue.items[0].header.timestamp
            if clocks.see(queue.items[0].header, time):
                self._release(name)
                held = None
            if not clocks:
                if not clocks.passes_by(following, time):
                    return True
            elif held is not None and following - time >= time - held:
                return True
            message = queue.pop()
            if held is not None and following < held:
                queue.count_dropped("late", message)
            else:
                self._release(name)
                self._held[name] = message

    def _time_held(self, name: str) -> int | None:
        message = self._held.get(name)
        return None if message is None else message.header.timestamp

    def _release(self, name: str) -> None:
        """Release the held message; if it has served no leader, it was late."""
        held = self._held.pop(name, None)
        if held is not None and name not in self._used:
            self._partners[name].count_dropped("late", held)
        self._used.discard(name)

    def _timed_out(self) -> bool:
        if self._timeout is None:
            return False
        now = self._now()
        if self._deadline is None:
            self._deadline = now + self._timeout
        if now < self._deadline:
            self._wake_at(self._deadline)
        return now >= self._deadline

    def _match(self, time: int) -> None:
        matched: dict[str, Any] = {}
        for name in self._partners:
            held = self._held.get(name)
            if held is not None and abs(held.header.timestamp - time) <= self._tolerance:
                matched[name] = held.payload
            elif name in self._optional:
                matched[name] = None
            else:
                self._leader.count_dropped("late", self._take_leader())
                return
        self._matched = matched
        names = [name for name in matched if matched[name] is not None]
        self._headers = [self._held[name].header for name in names]
        self._new = [
            (self._partners[name], self._held[name]) for name in names if name not in self._used
        ]
        self._used.update(names)

    def pop(self) -> Call:
        """Return the leader with its partners."""
        leader = self._take_leader()
        arguments = {self._name: leader.payload, **(self._matched or {})}
        parts = [(self._leader, leader), *self._new]
        take_newest(self._latest, arguments, parts)
        self._matched = None
        return Call(arguments, merge_headers(leader.header, self._headers), parts)

    def ended(self) -> bool:
        """Whether the leader has ended; if so, releases partners that served no leader."""
        if self._matched is not None or self._ahead or not self._leader.ended():
            return False
        for name in list(self._held):
            self._release(name)
        return True

    def passed(self) -> int:
        """Return for how many frames the leader brings nothing more."""
        return self._ahead[0].header.sequence if self._ahead else self._leader.passed()

    def acknowledge(self) -> None:
        """Note that of the messages taken, only those that no call has used are still held."""
        held = {self._partners[name] for name in self._held.keys() - self._used}
        for queue in self.queues:
            queue.acknowledge(len(self._ahead) if queue is self._leader else queue in held)

    def release(self, cause: Cause) -> None:
        """Count messages that were taken but used by no call as dropped by `cause`."""
        while self._ahead:
            self._leader.count_dropped(cause, self._ahead.popleft())
        for name in self._held.keys() - self._used:
            self._partners[name].count_dropped(cause, self._held.pop(name))

    def failed(self, call: Call, cause: Cause = "error") -> None:
        """Count the leader as dropped by `cause`; partners may have served others."""
        self._leader.count_dropped(cause, call.parts[0][1])

    def waits_for(self) -> str:
        """Return the names of the inputs that the leader waits for."""
        return ", ".join(
            f"{q.awaited} ({q.counters[SENT]} sent)"
            for q in ([self._leader] if self._next() is None else self._partners.values())
        )


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
