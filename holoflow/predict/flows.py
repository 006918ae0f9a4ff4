"""Flows: messages on their way between two stages, links between processes, ways of frames."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from typing import TypeAlias

from holoflow.predict.model import Carriage, FlowModel
from holoflow.predict.resources import Act, Events, Job, Pool, Share

MOST_PATHS = 16
"""Ways of one message that are followed, as in a run."""

Ways: TypeAlias = tuple[tuple[int, float], ...]
"""Of a message: the number of each way, and when its frame was captured."""


class PathTable:
    """Numbers of ways, and the times that frames took on them."""

    def __init__(self) -> None:
        """Know of no way yet."""
        self.names: list[tuple[str, ...]] = [()]
        """Operators of each way."""
        self.times: dict[int, list[tuple[float, float]]] = {}
        """Of each way that has ended at a sink: when a frame was captured, and how long it took."""
        self._following: dict[tuple[int, str], int] = {}

    def follow(self, ways: Ways, operator: str) -> Ways:
        """Return `ways` with one operator more."""
        return tuple((self._next(way, operator), captured) for way, captured in ways)

    def _next(self, way: int, operator: str) -> int:
        key = (way, operator)
        if key not in self._following:
            self._following[key] = len(self.names)
            self.names.append((*self.names[way], operator))
        return self._following[key]

    def close(self, ways: Ways, end: float) -> None:
        """Note that a frame has come to the end of its ways."""
        for way, captured in ways:
            self.times.setdefault(way, []).append((captured, end - captured))


class Thread:
    """The link's own thread in a process: one message at a time."""

    def __init__(self, name: str, events: Events, pools: Sequence[Pool]) -> None:
        """Work on the cores of `pools`."""
        self.name = name
        self.busy = 0.0
        self._events = events
        self._pools = pools
        self._waiting: deque[tuple[float, Act]] = deque()
        self._since: float | None = None

    def work(self, seconds: float, then: Act) -> None:
        """Work on a message when those before it are done."""
        if seconds <= 0 and self._since is None:
            then()
            return
        self._waiting.append((seconds, then))
        if self._since is None:
            self._begin()

    def _begin(self) -> None:
        seconds, then = self._waiting.popleft()
        self._since = self._events.now

        def end() -> None:
            assert self._since is not None  # noqa: S101 - for the type checker
            self.busy += self._events.now - self._since
            self._since = None
            if self._waiting:
                self._begin()
            then()

        Job(self._events, seconds, 1.0, self._pools, end)


class Network:
    """Hosts on a switch; each sends one message at a time, and receives one at a time."""

    def __init__(self, events: Events) -> None:
        """Begin with nothing under way."""
        self.busy: dict[tuple[str, str], float] = {}
        """Seconds in which a host was (host, "out") sending, or (host, "in") receiving."""
        self._events = events
        self._taken: set[tuple[str, str]] = set()
        self._waiting: list[tuple[str, str, float, Act]] = []

    def send(self, source: str, target: str, seconds: float, then: Act) -> None:
        """Have a message cross from host to host."""
        self._waiting.append((source, target, seconds, then))
        self._begin()

    def _begin(self) -> None:
        left = []
        for item in self._waiting:
            ends = ((item[0], "out"), (item[1], "in"))
            if self._taken.isdisjoint(ends):
                self._taken.update(ends)
                self._cross(ends, item[2], item[3])
            else:
                left.append(item)
        self._waiting = left

    def _cross(
        self, ends: tuple[tuple[str, str], tuple[str, str]], seconds: float, then: Act
    ) -> None:
        for end in ends:
            self.busy[end] = self.busy.get(end, 0.0) + seconds

        def arrive() -> None:
            self._taken.difference_update(ends)
            self._begin()
            then()

        self._events.after(seconds, arrive)


class LinkModel:
    """What carries the messages of one flow: thread, network, way, thread."""

    def __init__(
        self, carriage: Carriage, events: Events, ends: tuple[Thread, Thread],
        hosts: tuple[str, str], network: Network,
    ) -> None:  # fmt: skip
        """Take as long as `carriage` says, between the `ends` on their `hosts`."""
        self.back = carriage.back
        self._carriage = carriage
        self._events = events
        self._ends = ends
        self._hosts = hosts
        self._network = network

    def carry(self, then: Act) -> None:
        """Bring a message to the other process, and do `then` there."""
        carriage, events = self._carriage, self._events

        def unpack() -> None:
            self._ends[1].work(carriage.into, then)

        def travel() -> None:
            events.after(carriage.delay, unpack)

        def cross() -> None:
            if carriage.wire > 0:
                self._network.send(*self._hosts, carriage.wire, travel)
            else:
                travel()

        self._ends[0].work(carriage.out, cross)


class SimulatedMessage:
    """What travels: the time in its header, and the ways on which its frame came."""

    __slots__ = ("stamp", "ways")

    def __init__(self, stamp: float, ways: Ways) -> None:
        """Be of a frame captured at `stamp`."""
        self.stamp = stamp
        self.ways = ways


class SimulatedQueue:
    """A flow: sent = delivered + dropped + waiting, at any time."""

    def __init__(self, model: FlowModel, events: Events, carrier: LinkModel | None) -> None:
        """Make the queue of a flow; a `carrier` brings its messages from another process."""
        self.model = model
        self.share = Share(model.rate)
        self.items: deque[SimulatedMessage] = deque()
        self.capacity = 1 if model.latest else model.queue
        self.sent = 0
        self.delivered = 0
        self.dropped: Counter[str] = Counter()
        self.producer_looks: Act = lambda: None
        self.consumer_looks: Act = lambda: None
        self._lossy = model.latest or model.when_full != "block"
        self._events = events
        self._carrier = carrier
        self._outbox: deque[SimulatedMessage] = deque()
        self._under_way = 0
        self._unconfirmed = 0
        """Messages of which the sender does not know that they were taken."""

    @property
    def waiting(self) -> int:
        """Messages in the queue and on the way to it."""
        return len(self.items) + len(self._outbox) + self._under_way

    def has_room(self) -> bool:
        """Whether the producer may begin a frame."""
        return self._lossy or self._unconfirmed < self.capacity

    def put(self, message: SimulatedMessage) -> None:
        """Send a message."""
        self.sent += 1
        self._unconfirmed += 1
        if self._carrier is None:
            self._store(message)
        elif self._lossy:
            self._push(self._outbox, message)
            self._forward()
        else:
            self._travel(message)

    def _push(self, items: deque[SimulatedMessage], message: SimulatedMessage) -> None:
        """Add a message, or drop one as the flow says."""
        if len(items) < self.capacity or not self._lossy:
            items.append(message)
        elif self.model.latest:
            items.popleft()
            items.append(message)
            self.dropped["replaced"] += 1
        else:
            self.dropped["full"] += 1
            if self.model.when_full == "drop_oldest":
                items.popleft()
                items.append(message)

    def _forward(self) -> None:
        """Send what waits at the sender, as much as may be under way."""
        while self._outbox and self._under_way < self.capacity:
            self._travel(self._outbox.popleft())

    def _travel(self, message: SimulatedMessage) -> None:
        self._under_way += 1
        assert self._carrier is not None  # noqa: S101 - for the type checker
        self._carrier.carry(lambda: self._arrive(message))

    def _arrive(self, message: SimulatedMessage) -> None:
        self._under_way -= 1
        self._store(message)
        self._forward()

    def _store(self, message: SimulatedMessage) -> None:
        self._push(self.items, message)
        if not self.model.latest:
            self.consumer_looks()

    def pop(self) -> SimulatedMessage:
        """Remove and return the oldest message; the producer hears of it."""
        self.delivered += 1
        message = self.items.popleft()
        if self._carrier is None:
            self._confirm()
        else:
            self._events.after(self._carrier.back, self._confirm)
        return message

    def _confirm(self) -> None:
        self._unconfirmed -= 1
        self.producer_looks()

    def count_dropped(self, cause: str) -> None:
        """Book a message that was taken as dropped."""
        self.delivered -= 1
        self.dropped[cause] += 1
