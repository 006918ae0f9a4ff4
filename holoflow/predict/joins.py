"""How messages at the inputs of a stage become a call, as `holoflow.engine.inputs` has it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from holoflow.app.graph import Sync
from holoflow.predict.flows import MOST_PATHS, SimulatedMessage, SimulatedQueue, Ways
from holoflow.predict.resources import Events


class SimulatedCall:
    """What a call is made of."""

    __slots__ = ("stamp", "taken", "ways")

    def __init__(
        self, stamp: float, parts: Sequence[tuple[SimulatedQueue, SimulatedMessage]]
    ) -> None:
        """Be made of the messages that are used for the first time."""
        self.stamp = stamp
        self.taken = [queue for queue, _ in parts]
        """Queues that gave a message."""
        ways: Ways = ()
        for queue, message in parts:
            if not queue.model.back_edge:
                ways += message.ways
        self.ways = ways[:MOST_PATHS]


class Join(Protocol):
    """Where calls come from."""

    def ready(self) -> bool:
        """Whether there is one; may drop what can no longer become part of one."""

    def pop(self) -> SimulatedCall:
        """Return the next."""


def _newest(latest: Sequence[SimulatedQueue]) -> list[tuple[SimulatedQueue, SimulatedMessage]]:
    return [(queue, queue.pop()) for queue in latest if queue.items]


class SimulatedArrival:
    """The n-th message of each input; a back edge is one call behind."""

    def __init__(self, queues: Sequence[SimulatedQueue]) -> None:
        """Join all of `queues`."""
        waited = [queue for queue in queues if not queue.model.latest]
        self._triggers = [queue for queue in waited if not queue.model.back_edge]
        self._back_edges = [queue for queue in waited if queue.model.back_edge]
        self._latest = [queue for queue in queues if queue.model.latest]
        self._needed = self._triggers

    def ready(self) -> bool:
        """Whether every input has a message."""
        for queue in self._needed:  # noqa: SIM110 - asked all the time
            if not queue.items:
                return False
        return True

    def pop(self) -> SimulatedCall:
        """Take one message from each input."""
        parts = [(queue, queue.pop()) for queue in self._needed]
        stamp = parts[0][1].stamp
        parts += _newest(self._latest)
        self._needed = [*self._triggers, *self._back_edges]
        return SimulatedCall(stamp, parts)


class AnyOf:
    """Each message of any input, of those that are there the oldest first."""

    def __init__(self, queues: Sequence[SimulatedQueue]) -> None:
        """Take from all of `queues`."""
        self._triggers = [queue for queue in queues if not queue.model.latest]
        self._latest = [queue for queue in queues if queue.model.latest]

    def ready(self) -> bool:
        """Whether an input has a message."""
        return any(queue.items for queue in self._triggers)

    def pop(self) -> SimulatedCall:
        """Take one."""
        filled = [queue for queue in self._triggers if queue.items]
        queue = min(filled, key=lambda queue: queue.items[0].stamp)
        message = queue.pop()
        return SimulatedCall(message.stamp, [(queue, message), *_newest(self._latest)])


class SimulatedSynced:
    """To each message of the leader the nearest of every other input by time."""

    def __init__(
        self, queues: Sequence[SimulatedQueue], sync: Sync, optional: frozenset[str],
        events: Events, look: Callable[[], None],
    ) -> None:  # fmt: skip
        """Join `queues`; `look` has the stage looked at again when a timeout is over."""
        ports: Mapping[str, SimulatedQueue] = {
            q.model.port: q for q in queues if not q.model.latest
        }
        self._leader = ports[sync.leader]
        self._partners = [queue for port, queue in ports.items() if port != sync.leader]
        self._latest = [queue for queue in queues if queue.model.latest]
        self._sync = sync
        self._optional = optional
        self._events = events
        self._look = look
        self._held: dict[SimulatedQueue, SimulatedMessage] = {}
        self._used: set[SimulatedQueue] = set()
        self._deadline: float | None = None
        self._matched: list[tuple[SimulatedQueue, SimulatedMessage]] | None = None

    def ready(self) -> bool:
        """Whether the next leader has all its partners; drops leaders that have none."""
        while self._matched is None and self._leader.items:
            stamp = self._leader.items[0].stamp
            decided = [self._advance(queue, stamp) for queue in self._partners]
            if not all(decided) and not self._timed_out():
                return False
            self._deadline = None
            self._match(stamp)
        return self._matched is not None

    def _advance(self, queue: SimulatedQueue, stamp: float) -> bool:
        """Hold the nearest message to `stamp`; false where a nearer one may still come."""
        while True:
            held = self._held.get(queue)
            if held is not None and held.stamp >= stamp:
                return True
            if not queue.items:
                return False
            following = queue.items[0].stamp
            if held is not None and following - stamp >= stamp - held.stamp:
                return True
            if held is not None and queue not in self._used:
                queue.count_dropped("late")
            self._used.discard(queue)
            self._held[queue] = queue.pop()

    def _timed_out(self) -> bool:
        if self._sync.timeout is None:
            return False
        if self._deadline is None:
            self._deadline = self._events.now + self._sync.timeout
            self._events.after(self._sync.timeout, self._look)
        return self._events.now >= self._deadline

    def _match(self, stamp: float) -> None:
        found = []
        for queue in self._partners:
            held = self._held.get(queue)
            if held is not None and abs(held.stamp - stamp) <= self._sync.tolerance:
                found.append((queue, held))
            elif queue.model.port not in self._optional:
                self._leader.pop()
                self._leader.count_dropped("late")
                return
        self._matched = [(queue, held) for queue, held in found if queue not in self._used]
        self._used.update(queue for queue, _ in found)

    def pop(self) -> SimulatedCall:
        """Return the leader with its partners."""
        assert self._matched is not None  # noqa: S101 - for the type checker
        leader = self._leader.pop()
        parts = [(self._leader, leader), *self._matched, *_newest(self._latest)]
        self._matched = None
        return SimulatedCall(leader.stamp, parts)
