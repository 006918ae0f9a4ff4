"""Joins: how the messages at the inputs of an operator become the arguments of one call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol, TypeAlias

from holoflow.core.message import Header
from holoflow.engine.queue import LatestQueue, Message, Queue
from holoflow.stats.causes import Cause
from holoflow.stats.counters import SENT

Part: TypeAlias = tuple[Queue, Message]
"""A message that a call uses for the first time, and the queue that it came from."""


class Call:
    """The arguments of one call, and the messages that they come from."""

    __slots__ = ("arguments", "complete", "header", "parts")

    def __init__(self, arguments: dict[str, Any], header: Header, parts: list[Part]) -> None:
        """Make a call with `header` from `parts`, the first of which leads."""
        self.arguments = arguments
        self.header = header
        self.parts = parts
        self.complete = 0
        """When the batch that it belongs to was complete (ns); 0 without a batch."""

    def release(self) -> None:
        """Let go of the tickets of its frames: the call is over.

        The call itself may live on, as whoever keeps an exception keeps the stack with it.
        """
        for _, message in self.parts:
            message.ticket = None


class Inputs(Protocol):
    """Where the calls of a stage's first operator come from."""

    queues: list[Queue]
    """All queues, including those of `Latest` inputs."""

    def ready(self) -> bool:
        """Whether `pop` has a call; may drop messages that can no longer be part of one."""

    def pop(self) -> Call:
        """Return the next call."""

    def ended(self) -> bool:
        """Whether no further call will come."""

    def passed(self) -> int:
        """Return for how many frames of the origin, from the first, no further call will come.

        Used only if a join behind needs to know.
        """

    def acknowledge(self) -> None:
        """Note that the messages of all calls so far have been processed."""

    def release(self, cause: Cause) -> None:
        """Count messages that were taken from the queues for no call as dropped by `cause`."""

    def failed(self, call: Call, cause: Cause = "error") -> None:
        """Count the messages of a call that was taken as dropped by `cause`."""

    def waits_for(self) -> str:
        """Return what is missing for the next call, as text for users."""


def merge_headers(leader: Header, others: list[Header]) -> Header:
    """Return the leader's header, extended by metadata that only the others have."""
    extra: dict[str, Any] = {}
    for other in others:
        if other.metadata and other.metadata is not leader.metadata:
            extra.update(other.metadata)
    if not extra:
        return leader
    return replace(leader, metadata={**extra, **leader.metadata})


def take_newest(
    latest: list[tuple[str, LatestQueue]], arguments: dict[str, Any], parts: list[Part]
) -> None:
    """Add the newest message of every `Latest` input to `arguments`, and to `parts` if unused."""
    for name, queue in latest:
        arguments[name], message = queue.newest()
        if message is not None:
            parts.append((queue, message))


class Arrival:
    """Joins messages in the order in which they arrive: the n-th of each input.

    A back edge is one call behind: it gives None to the first.
    """

    def __init__(
        self, triggers: Mapping[str, Queue], back_edges: Mapping[str, Queue],
        latest: Mapping[str, LatestQueue],
    ) -> None:  # fmt: skip
        """Join `triggers`, whose first leads, with `back_edges` and the newest of `latest`."""
        self._triggers = list(triggers.items())
        self._back_edges = list(back_edges.items())
        self._latest = list(latest.items())
        self._first = True
        self.queues = [q for _, q in (*self._triggers, *self._back_edges, *self._latest)]

    def ready(self) -> bool:
        """Whether every triggering input has a message."""
        for _, queue in self._triggers:
            if not queue.items:
                return False
        return self._first or all(queue.items for _, queue in self._back_edges)

    def pop(self) -> Call:
        """Take one message from each input."""
        name, queue = self._triggers[0]
        leader = queue.pop()
        arguments = {name: leader.payload}
        header = leader.header
        parts = [(queue, leader)]
        if len(self.queues) > 1:
            others = self._triggers[1:]
            if not self._first:
                others = [*others, *self._back_edges]
            else:
                arguments.update((name, None) for name, _ in self._back_edges)
            for name, queue in others:
                message = queue.pop()
                arguments[name] = message.payload
                parts.append((queue, message))
            header = merge_headers(header, [message.header for _, message in parts[1:]])
            take_newest(self._latest, arguments, parts)
        self._first = False
        return Call(arguments, header, parts)

    def ended(self) -> bool:
        """Whether an input that the next call needs has ended."""
        return any(queue.ended() for _, queue in self._triggers) or (
            not self._first and any(queue.ended() for _, queue in self._back_edges)
        )

    def passed(self) -> int:
        """Return for how many frames the leading input brings nothing more."""
        return self._triggers[0][1].passed()

    def acknowledge(self) -> None:
        """Note that nothing that was taken is in hand."""
        for queue in self.queues:
            queue.acknowledge()

    def release(self, cause: Cause) -> None:
        """Do nothing: messages are taken only for a call."""

    def failed(self, call: Call, cause: Cause = "error") -> None:
        """Count the message of each triggering input as dropped by `cause`."""
        for queue, message in call.parts[: len(self._triggers)]:
            queue.count_dropped(cause, message)

    def waits_for(self) -> str:
        """Return the names of the inputs that have no message."""
        missing = [q for _, q in self._triggers if not q.items]
        if not self._first:
            missing += [q for _, q in self._back_edges if not q.items]
        return ", ".join(f"{q.awaited} ({q.counters[SENT]} sent)" for q in missing)
