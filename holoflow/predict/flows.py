"""Flows: messages on the way between two stages, links between processes, paths of frames."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias, cast

from holoflow.engine.queue import LatestQueue, Message, Queue, Waker
from holoflow.link.ends import Inlet
from holoflow.plan.plan import PlannedFlow
from holoflow.predict.model import LinkTimes
from holoflow.predict.resources import Act, Events, Job, Pool, Share
from holoflow.stats.causes import Cause
from holoflow.stats.counters import ARRIVED, SENT, Counters
from holoflow.stats.spans import PathStep

Traces: TypeAlias = tuple[tuple[int, float], ...]
"""Of a message: for each path on which its frame came, its number and when the frame was
captured."""


class PathTable:
    """Numbers the paths of frames, and collects the times that frames take on them."""

    def __init__(self) -> None:
        self.names: list[tuple[str, ...]] = [()]
        """Operators of the path with each number."""
        self.times: dict[int, list[tuple[float, float]]] = {}
        """For each path that ends at a sink: when frames were captured and how long they took."""
        self._following: dict[tuple[int, str], int] = {}

    def follow(self, traces: Traces, operator: str) -> Traces:
        """Return `traces` with `operator` appended to each path."""
        return tuple((self._next(path, operator), captured) for path, captured in traces)

    def _next(self, path: int, operator: str) -> int:
        key = (path, operator)
        if key not in self._following:
            self._following[key] = len(self.names)
            self.names.append((*self.names[path], operator))
        return self._following[key]

    def close(self, traces: Traces, end: float) -> None:
        """Count a frame as having reached the end of its paths, at the time `end`."""
        for path, captured in traces:
            self.times.setdefault(path, []).append((captured, end - captured))


class Thread:
    """A link's own thread in a process, which handles one message at a time."""

    def __init__(self, name: str, events: Events, pools: Sequence[Pool]) -> None:
        """Make a thread that uses the cores of `pools`."""
        self.name = name
        self.busy = 0.0
        self._events = events
        self._pools = pools
        self._waiting: deque[tuple[float, Act]] = deque()
        self._since: float | None = None

    def work(self, seconds: float, then: Act) -> None:
        """Do work for a message after that for earlier ones, and then call `then`."""
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
    """Hosts on a switch; each sends one message at a time and receives one at a time."""

    def __init__(self, events: Events) -> None:
        """Schedule with `events`."""
        self.busy: dict[tuple[str, str], float] = {}
        """Seconds for which a host was sending (host, "out") or receiving (host, "in")."""
        self._events = events
        self._taken: set[tuple[str, str]] = set()
        self._waiting: list[tuple[str, str, float, Act]] = []

    def send(self, source: str, target: str, seconds: float, then: Act) -> None:
        """Send a message from host to host, which occupies both for so many `seconds`."""
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
    """Carries the messages of one flow: sending thread, network, delay, receiving thread."""

    def __init__(
        self, link_times: LinkTimes, events: Events, ends: tuple[Thread, Thread],
        hosts: tuple[str, str], network: Network,
    ) -> None:  # fmt: skip
        """Carry messages between the threads `ends` on `hosts`, with the times of `link_times`."""
        self.back = link_times.back
        self.delay = link_times.delay
        self._link_times = link_times
        self._events = events
        self._ends = ends
        self._hosts = hosts
        self._network = network

    def carry(self, then: Act) -> None:
        """Carry a message to the other process, and then call `then`."""
        link_times, events = self._link_times, self._events

        def unpack() -> None:
            self._ends[1].work(link_times.into, then)

        def travel() -> None:
            events.after(link_times.delay, unpack)

        def cross() -> None:
            if link_times.wire > 0:
                self._network.send(*self._hosts, link_times.wire, travel)
            else:
                travel()

        self._ends[0].work(link_times.out, cross)


def make_queue(planned: PlannedFlow) -> Queue:
    """Return a queue of the engine for a flow; the payloads of its messages are `Traces`."""
    kind = LatestQueue if planned.latest else Queue
    step = PathStep("work", planned.target.operator, planned.target.port)
    return kind(planned, step, Counters(1).blocks[0])


class SimulatedRemoteOutput:
    """The sending end of a flow to another process; to its stage it is like a queue.

    The queue is at the receiving end; to that queue it is the inlet of the link.
    """

    def __init__(self, queue: Queue, link: LinkModel, events: Events) -> None:
        """Send messages to `queue` over `link`."""
        self.marks = queue.marks
        self.counted = False
        self.producer: Waker | None = None
        self._queue = queue
        queue.inlet = cast("Inlet", self)  # it has everything that a queue uses of an inlet
        self._link = link
        self._events = events
        self._lossy = queue.lossy
        self._outbox = type(queue)(queue.flow, queue.step, queue.counters)
        """Messages that wait to be sent, if the flow drops instead of blocking."""
        self._under_way = 0
        self._unconfirmed = 0
        """Messages of which the sender does not know yet that they were taken."""
        self._frames = 0
        self._closed = False

    @property
    def abandoned(self) -> Cause | None:
        """Why nothing more is taken; None while messages are taken."""
        return self._queue.abandoned

    def has_room(self) -> bool:
        """Whether the producer may start a frame."""
        return (
            self._lossy
            or self._unconfirmed < self._queue.flow.queue
            or self._queue.abandoned is not None
        )

    def put(self, message: Message) -> None:
        """Send a message."""
        self._queue.counters[SENT] += 1
        if self._lossy:
            self._outbox.store(message)
            self._forward()
        else:
            self._unconfirmed += 1
            self._travel(message)
        self._count()

    def mark(self, frames: int) -> None:
        """Report to the receiver how many frames of the origin are complete."""
        if frames > self._frames:
            self._frames = frames
            self._events.after(self._link.delay, lambda: self._queue.mark(frames))

    def close(self) -> None:
        """Close the flow: nothing more will be put."""
        self._closed = True
        self._count()

    def took(self) -> None:
        """Let the sender know that there is room, after the time that the link takes."""
        if not self._lossy:
            self._events.after(self._link.back, self._confirm)

    def abandon(self) -> None:
        """Let the sender know that nothing more will be taken."""
        if self.producer is not None:
            self.producer.wake()

    def _forward(self) -> None:
        """Send waiting messages, as many as may be on the way at once."""
        while self._outbox.items and self._under_way < self._outbox.capacity:
            self._travel(self._outbox.items.popleft())

    def _travel(self, message: Message) -> None:
        self._under_way += 1
        self._link.carry(lambda: self._arrive(message))

    def _arrive(self, message: Message) -> None:
        self._under_way -= 1
        self._count()
        self._queue.store(message)
        self._forward()
        self._count()

    def _count(self) -> None:
        """Count what has arrived or was dropped before; end the stream after the last message."""
        block, waiting = self._queue.counters, self._under_way + len(self._outbox.items)
        block[ARRIVED] = block[SENT] - waiting
        if self._closed and not waiting:
            self._queue.close()

    def _confirm(self) -> None:
        self._unconfirmed -= 1
        if self.producer is not None:
            self.producer.wake()


class SimulatedOutput(NamedTuple):
    """A flow from a stage."""

    end: Queue | SimulatedRemoteOutput
    share: Share
    """Returns how many messages a call sends."""
    seconds: float
    """Seconds that sending a message takes in the stage."""
