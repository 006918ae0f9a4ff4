"""Inputs of operators that are called for each message of any of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from holoflow.core.message import Header
from holoflow.engine.by_frame import NEVER, SameSource
from holoflow.engine.inputs import Call, Part, take_newest
from holoflow.engine.queue import LatestQueue, Message, Queue
from holoflow.stats.causes import Cause
from holoflow.stats.counters import SENT, CounterBlock


class InOrder(SameSource):
    """Takes the messages of inputs whose frames come from one source in the order of the frames.

    The next message is that of the earliest frame that an input has or may still bring. A later
    frame at the head of an input, the watermark of its flow, or its end shows that nothing earlier
    will come. Within a frame, inputs go in the order of the ports. So results do not depend on
    which producer was faster.
    """

    def __init__(self, triggers: Mapping[str, Queue], latest: Mapping[str, LatestQueue]) -> None:
        """Take messages from `triggers`, with the newest of `latest`."""
        super().__init__(triggers, frozenset(triggers), latest.values())
        self._latest = list(latest.items())
        self._next = self._ports[0]

    def ready(self) -> bool:
        """Whether the next message has arrived."""
        earliest, there = NEVER, False
        for port in self._ports:
            head = port.head()
            frame = port.passed() if head is None else head.header.sequence
            if frame < earliest:
                earliest, there, self._next = frame, head is not None, port
        if not there:
            for port in self._ports:
                port.make_room(earliest)
        return there

    def pop(self) -> Call:
        """Take the next message."""
        port = self._next
        message = port.pop()
        return _call(port.name, port.queue, message, message.header, self._latest)

    def ended(self) -> bool:
        """Whether all inputs have ended."""
        return all(port.passed() == NEVER for port in self._ports)


class InTurn:
    """Takes messages as they arrive, and from the inputs in turn if several have some.

    Each becomes a frame of the operator's own, whose numbers continue when the operator is
    restarted. `from` in the header's metadata says which frame it was.
    """

    def __init__(
        self, triggers: Mapping[str, Queue], latest: Mapping[str, LatestQueue],
        name: str, number: CounterBlock,
    ) -> None:  # fmt: skip
        """Take messages from `triggers`, with the newest of `latest`, for the operator `name`.

        `number` holds the number of its next frame.
        """
        self._turns = deque(triggers.items())
        self._latest = list(latest.items())
        self._name = name
        self._number = number
        self.queues = [*triggers.values(), *latest.values()]

    def ready(self) -> bool:
        """Whether an input has a message."""
        return any(queue.items for _, queue in self._turns)

    def pop(self) -> Call:
        """Take a message from the input that has waited longest for its turn."""
        while not self._turns[0][1].items:
            self._turns.rotate(-1)
        port, queue = self._turns[0]
        self._turns.rotate(-1)
        message = queue.pop()
        arrived = message.header
        origin = {"source": arrived.source, "sequence": arrived.sequence}
        metadata = {**arrived.metadata, "from": origin}
        header = Header(self._number[0], arrived.timestamp, self._name, metadata)
        self._number[0] += 1
        return _call(port, queue, message, header, self._latest)

    def ended(self) -> bool:
        """Whether all inputs have ended."""
        return all(queue.ended() for _, queue in self._turns)

    def passed(self) -> int:
        """Return how many frames of its own the operator has had."""
        return self._number[0]

    def acknowledge(self) -> None:
        """Note that everything that was taken has been processed."""
        for queue in self.queues:
            queue.acknowledge()

    def release(self, cause: Cause) -> None:
        """Do nothing: messages are taken only for a call."""

    def failed(self, call: Call, cause: Cause = "error") -> None:
        """Count the message of `call` as dropped by `cause`."""
        queue, message = call.parts[0]
        queue.count_dropped(cause, message)

    def waits_for(self) -> str:
        """Return the names of the inputs that may still bring something."""
        return ", ".join(
            f"{q.awaited} ({q.counters[SENT]} sent)" for _, q in self._turns if not q.closed
        )


def _call(
    port: str, queue: Queue, message: Message, header: Header,
    latest: list[tuple[str, LatestQueue]],
) -> Call:  # fmt: skip
    """Return the call for one message, with the newest of `latest`."""
    arguments: dict[str, Any] = {port: message.payload}
    parts: list[Part] = [(queue, message)]
    take_newest(latest, arguments, parts)
    return Call(arguments, header, parts)
