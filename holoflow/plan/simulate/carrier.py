"""Links: what carries messages from process to process, and the network between hosts."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from holoflow.plan.simulate.cores import Job, Pool
from holoflow.plan.simulate.events import Act, Events
from holoflow.plan.simulate.model import Carriage


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


class Carrier:
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
