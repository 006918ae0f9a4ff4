"""Inputs whose frames come from one source, and joins of them by frame."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from holoflow.engine.inputs import Call, Part, merge_headers, take_newest
from holoflow.engine.queue import LatestQueue, Message, Queue
from holoflow.stats.causes import Cause
from holoflow.stats.counters import WATERMARK

NEVER = 1 << 62
"""A number greater than that of any frame."""


class FrameInput:
    """An input whose messages are taken in the order of their frames."""

    __slots__ = ("_taken", "name", "optional", "queue", "used")

    def __init__(self, name: str, queue: Queue, *, optional: bool) -> None:
        """Take messages from `queue`; `optional` if a call may go without them."""
        self.name = name
        self.queue = queue
        self.optional = optional
        self.used: Message | None = None
        """The last message taken, if other inputs may bring more of its frame."""
        self._taken: deque[Message] = deque()
        """Messages taken from the queue and not yet used by a call."""

    def head(self) -> Message | None:
        """Return the next message, if it has arrived."""
        queue, taken = self.queue, self._taken
        if queue.lossy and not taken and queue.items:
            taken.append(queue.pop())  # else it might be dropped before it is used
        if taken:
            return taken[0]
        return queue.items[0] if queue.items else None

    def make_room(self, frame: int) -> None:
        """Make room for the rest of `frame`, if its messages fill the queue."""
        queue = self.queue
        if (
            queue.flow.several
            and len(queue.items) >= queue.capacity
            and queue.items[-1].header.sequence == frame
        ):
            for _ in range(len(queue.items)):
                self._taken.append(queue.pop())

    def brings(self, frame: int) -> bool:
        """Whether the next message has arrived and is one of `frame`."""
        head = self.head()
        return head is not None and head.header.sequence == frame

    def pop(self) -> Message:
        """Take the head, which must have arrived."""
        return self._taken.popleft() if self._taken else self.queue.pop()

    def passed(self) -> int:
        """Return the first frame that it may still bring a message of."""
        if self._taken:
            return self._taken[0].header.sequence
        return NEVER if self.queue.ended() else self.queue.passed()

    @property
    def held(self) -> int:
        """Number of messages taken from the queue and not yet used."""
        return len(self._taken)


class SameSource:
    """Inputs whose messages are of frames of one source."""

    def __init__(
        self, triggers: Mapping[str, Queue], optional: frozenset[str], others: Iterable[Queue]
    ) -> None:
        """Take from `triggers`, of which calls need all but the `optional` ones, and `others`."""
        self._ports = [
            FrameInput(name, q, optional=name in optional) for name, q in triggers.items()
        ]
        self.queues = [*triggers.values(), *others]

    def passed(self) -> int:
        """Return for how many frames no further call will come."""
        passed = min(port.passed() for port in self._ports)
        return 0 if passed == NEVER else passed

    def acknowledge(self) -> None:
        """Note that of the messages taken, only the heads are still held."""
        for port in self._ports:
            port.queue.acknowledge(port.held)
        for queue in self.queues[len(self._ports) :]:
            queue.acknowledge()

    def release(self, cause: Cause) -> None:
        """Count messages that were taken but not used as dropped by `cause`."""
        for port in self._ports:
            while port.held:
                port.queue.count_dropped(cause, port.pop())

    def failed(self, call: Call, cause: Cause = "error") -> None:
        """Count the messages of triggering inputs for `call` as dropped by `cause`."""
        for queue, message in call.parts:
            if queue.flow.by_frame:
                queue.count_dropped(cause, message)

    def waits_for(self) -> str:
        """Return the frame and the names of the inputs that it waits for."""
        heads = [head.header for port in self._ports if (head := port.head()) is not None]
        if not heads:
            return ", ".join(_name(p.queue) for p in self._ports if not p.queue.closed)
        header = min(heads, key=lambda header: header.sequence)
        waited = self._missing(header.sequence)
        return f"{', '.join(map(_name, waited))} for frame {header.sequence} of {header.source}"

    def _missing(self, frame: int) -> list[Queue]:
        """Return the inputs that `frame` waits for."""
        return [p.queue for p in self._ports if p.passed() <= frame and not p.brings(frame)]


class ByFrame(SameSource):
    """Joins messages of the same frame: those with the same sequence number of one source.

    A frame for which a required input brings nothing is dropped as `unpaired`; an optional input
    gives None. If inputs bring several messages of a frame, the j-th of each are joined, and an
    input that brings fewer repeats its last. A later frame at the head of an input, the watermark
    of its flow, or its end shows that it brings nothing more for a frame.
    """

    def __init__(
        self, triggers: Mapping[str, Queue], optional: frozenset[str],
        back_edges: Mapping[str, Queue], latest: Mapping[str, LatestQueue],
    ) -> None:  # fmt: skip
        """Join `triggers` with `back_edges`, one call behind, and the newest of `latest`."""
        super().__init__(triggers, optional, [*back_edges.values(), *latest.values()])
        self._back_edges = list(back_edges.items())
        self._latest = list(latest.items())
        self._several = any(queue.flow.several for queue in triggers.values())
        self._first = True
        self._frame = 0
        """Frame of the next call."""

    def ready(self) -> bool:
        """Whether the next call is complete; drops messages that have no partner."""
        while True:
            heads = [head.header.sequence for p in self._ports if (head := p.head()) is not None]
            if not heads:
                return False
            self._frame = frame = min(heads)
            waits = False
            for port in self._ports:
                passed = port.passed()
                if passed < frame:
                    waits = True
                elif passed == frame:
                    waits |= port.head() is None
                elif self._served(port) is None and not port.optional:
                    self._drop()
                    break
            else:
                if waits:
                    for port in self._ports:
                        port.make_room(frame)
                return not waits and (self._first or all(q.items for _, q in self._back_edges))

    def _served(self, port: FrameInput) -> Message | None:
        """Return the message of the frame that an input has already brought."""
        used = port.used
        return used if used is not None and used.header.sequence == self._frame else None

    def _drop(self) -> None:
        for port in self._ports:
            while port.brings(self._frame):
                port.queue.count_dropped("unpaired", port.pop())

    def pop(self) -> Call:
        """Take the frame's next message from each input that has one."""
        arguments: dict[str, Any] = {}
        parts: list[Part] = []
        headers = []
        for port in self._ports:
            if port.brings(self._frame):
                taken = port.pop()
                parts.append((port.queue, taken))
                message: Message | None = taken
                if self._several:
                    port.used = taken.apart()  # its frame may be over
            else:
                message = self._served(port)
            arguments[port.name] = None if message is None else message.payload
            if message is not None:
                headers.append(message.header)
        for name, queue in self._back_edges:
            back = None if self._first else queue.pop()
            arguments[name] = None if back is None else back.payload
            if back is not None:
                headers.append(back.header)
                parts.append((queue, back))
        take_newest(self._latest, arguments, parts)
        self._first = False
        return Call(arguments, merge_headers(headers[0], headers[1:]), parts)

    def ended(self) -> bool:
        """Whether an input that the next call needs has ended."""
        if not self._first and any(queue.ended() for _, queue in self._back_edges):
            return True
        over = [p for p in self._ports if p.passed() == NEVER and not self._still_serves(p)]
        return len(over) == len(self._ports) or not all(port.optional for port in over)

    def _still_serves(self, port: FrameInput) -> bool:
        """Whether other inputs may bring more of the frame that this one brought last."""
        used = port.used
        return used is not None and any(
            other.passed() <= used.header.sequence for other in self._ports
        )

    def _missing(self, frame: int) -> list[Queue]:
        """Return the inputs that `frame` waits for, including back edges."""
        back = [queue for _, queue in self._back_edges if not self._first and not queue.items]
        return super()._missing(frame) + back


def _name(queue: Queue) -> str:
    return f"{queue.awaited} ({queue.counters[WATERMARK]} processed)"
