"""Ends of links in shared memory, with stages that tests play."""

from __future__ import annotations

import secrets
import shutil
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from holoflow.app.format import WhenFull
from holoflow.app.graph import Endpoint
from holoflow.link.ends import LinkedFlow
from holoflow.link.shared_memory import remove_leftovers
from holoflow.link.shared_memory.memory import MEMORY, prefix
from holoflow.link.shared_memory.services import buffered
from holoflow.plan.plan import PlannedFlow
from holoflow.stats.counters import RETURNED, SENT, SETTLED, TAKEN, CounterBlock, Counters, drop

DEADLINE = 300.0
"""Seconds after which something that should have happened is given up."""


def eventually(condition: Callable[[], Any], what: str = "") -> None:
    until = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < until, f"never came: {what}"
        time.sleep(0.001)


class Run:
    """A run's folder, counters and name."""

    def __init__(self, folder: Path, run: str, flows: int) -> None:
        self.folder, self.run, self.flows = folder, run, flows
        self.counters = Counters(flows, file=folder / "counters")

    def flow(
        self,
        number: int = 0,
        *,
        queue: int = 4,
        when_full: WhenFull = "block",
        latest: bool = False,
    ) -> LinkedFlow:
        planned = PlannedFlow(
            source=Endpoint("camera", "image"),
            target=Endpoint(f"view{number}", "image"),
            queue=queue,
            when_full=when_full,
            fused=False,
            latest=latest,
            back_edge=False,
            link="shared_memory",
        )
        return LinkedFlow(number, planned, "edge", f"view{number}", self.counters.blocks[number])

    def in_memory(self) -> list[str]:
        return [f.name for f in MEMORY.iterdir() if f.name.startswith(prefix(self.run))]


@contextmanager
def new_run(flows: int = 1) -> Iterator[Run]:
    """A run that leaves nothing behind."""
    run = secrets.token_hex(4)
    folder = Path(tempfile.mkdtemp(prefix="holoflow-test-", dir=MEMORY))
    made = Run(folder, run, flows)
    try:
        yield made
    finally:
        made.counters.close()
        remove_leftovers(run)
        shutil.rmtree(folder)


class Stage:
    """A producer or a consumer: a queue, and an event that wakes the test."""

    def __init__(self, linked: LinkedFlow | None = None) -> None:
        self.linked = linked
        self.queue: deque[tuple[int, bytes, list[Any]]] = deque()
        self.ended = False
        self.woken = threading.Event()

    @property
    def counters(self) -> CounterBlock:
        assert self.linked is not None
        return self.linked.counters

    def wake(self) -> None:
        self.woken.set()

    def close(self) -> None:
        assert not self.ended
        self.ended = True

    def deliver(self, number: int, head: Any, buffers: Any) -> None:
        assert self.linked is not None
        self.queue.append((number, bytes(head), list(buffers)))
        flow = self.linked.flow
        if flow.when_full == "block" and not flow.latest:
            assert len(self.queue) <= flow.queue, "more than there was room for"
            return
        while len(self.queue) > flow.queue:
            if flow.when_full == "drop_newest" and not flow.latest:
                self.queue.pop()
            else:
                self.queue.popleft()
            drop(self.counters, "replaced" if flow.latest else "full")

    def take(self, inlet: Any) -> tuple[int, bytes, list[Any]]:
        message = self.queue.popleft()
        self.counters[TAKEN] += 1
        inlet.took()
        return message

    def fail(self) -> None:
        """The message that was taken last did not go well."""
        self.counters[RETURNED] += 1
        drop(self.counters, "error")

    def settle(self) -> None:
        self.counters[SETTLED] = self.counters[TAKEN]


def send(outlet: Any, flows: list[LinkedFlow], head: bytes, *buffers: Any) -> None:
    """What the engine does for a message."""
    numbers = []
    for linked in flows:
        linked.counters[SENT] += 1
        numbers.append(linked.counters[SENT])
    outlet.send(numbers, head, buffers)


def content(number: int, size: int) -> Any:
    """Bytes that tell which message they are of."""
    return np.resize(np.arange(number, number + 251).astype(np.uint8), size)


__all__ = ["DEADLINE", "Run", "Stage", "buffered", "content", "eventually", "new_run", "send"]
