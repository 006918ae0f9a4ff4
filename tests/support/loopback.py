"""A link within the test's process, which joins parts of an app that run in threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from holoflow.link.ends import Consumer, LinkedFlow, Notifier, Producer
from holoflow.stats.counters import ARRIVED, CLOSED, SENT, waiting


class Loopback:
    """What joins the parts: one for all of them."""

    def __init__(self) -> None:
        self.cables: dict[int, Cable] = {}

    def cable(self, number: int) -> Cable:
        return self.cables.setdefault(number, Cable())

    def outlet(self, flows: Sequence[LinkedFlow], producer: Producer) -> LoopbackOutlet:
        return LoopbackOutlet([(f, self.cable(f.number)) for f in flows], producer)

    def inlet(self, flow: LinkedFlow, consumer: Consumer) -> LoopbackInlet:
        return LoopbackInlet(flow, self.cable(flow.number), consumer)

    def notifier(self, operator: str) -> None: ...

    refusals: ClassVar[dict[str, int]] = {}

    def accept(self) -> None: ...

    def shift(self, flow: LinkedFlow) -> tuple[int, int]:
        return 0, 0

    def waits_for(self) -> str:
        return ""

    def close(self, patience: float) -> None: ...


class Cable:
    """The messages of a flow under way."""

    def __init__(self) -> None:
        self.items: deque[tuple[int, bytes, list[bytes]]] = deque()
        self.producer: Any = None
        self.consumer: Any = None
        self.suspended: list[str] = []

    def wake(self, end: str) -> None:
        waker = getattr(self, end)
        if waker is not None:
            waker.wake()


class LoopbackOutlet:
    def __init__(self, flows: Sequence[tuple[LinkedFlow, Cable]], producer: Producer) -> None:
        self._flows = flows
        for _, cable in flows:
            cable.producer = producer

    def send(self, numbers: Sequence[int], head: bytes, buffers: Sequence[Any]) -> None:
        copied = [bytes(buffer) for buffer in buffers]
        for number, (linked, cable) in zip(numbers, self._flows, strict=True):
            if number:
                blocks = linked.flow.when_full == "block" and not linked.flow.latest
                assert not blocks or waiting(linked.counters) <= linked.flow.queue, (
                    "sent without room"
                )
                cable.items.append((number, bytes(head), copied))
                cable.wake("consumer")

    def allocate(self, shape: tuple[int, ...], dtype: Any) -> Any:
        return np.empty(shape, dtype)

    def flush(self) -> None: ...

    def mark(self) -> None:
        for _, cable in self._flows:
            cable.wake("consumer")

    def wants_room(self, notifier: Notifier | None = None) -> None: ...

    def close(self) -> None:
        for _, cable in self._flows:
            cable.wake("consumer")

    def suspend(self) -> None:
        for _, cable in self._flows:
            cable.suspended.append("outlet")


class LoopbackInlet:
    def __init__(self, linked: LinkedFlow, cable: Cable, consumer: Consumer) -> None:
        self._linked, self._cable, self._consumer = linked, cable, consumer
        cable.consumer = consumer

    def poll(self) -> None:
        block = self._linked.counters
        while self._cable.items:
            number, head, buffers = self._cable.items.popleft()
            assert number == block[ARRIVED] + 1
            block[ARRIVED] = number
            self._consumer.deliver(number, head, buffers)
        if block[CLOSED] and block[ARRIVED] == block[SENT]:
            self._consumer.close()

    def about_to_sleep(self, notifier: Notifier | None = None) -> bool:
        block = self._linked.counters
        return not (self._cable.items or (block[CLOSED] and block[ARRIVED] == block[SENT]))

    def took(self) -> None:
        self._cable.wake("producer")

    def suspend(self) -> None:
        self._cable.suspended.append("inlet")

    def abandon(self) -> None:
        self._cable.wake("producer")
