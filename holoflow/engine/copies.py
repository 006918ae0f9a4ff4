"""Copies: an operator without state works on several frames at once, in threads of its own."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from holoflow.app.graph import Node
from holoflow.core.operator import Operator
from holoflow.engine.inputs import Call

MOST = 4
"""Copies that an operator has unless the app says a number: more frames under way at once have
seldom been worth their latency."""


class PendingCall:
    """A call that a copy makes."""

    __slots__ = ("call", "cpu", "done", "end", "error", "result", "start")

    def __init__(self, call: Call) -> None:
        """Make `call`, some time."""
        self.call = call
        self.start = self.end = 0
        """When it began and ended (ns); 0 before."""
        self.cpu = 0
        """CPU time that it took (ns)."""
        self.result: Any = None
        self.error: BaseException | None = None
        self.done = False
        """Set last."""


class Copies:
    """The calls of one operator, several at once; they are given back in their order.

    All but `count` and the calls themselves is used by one thread at a time: the stage's.
    """

    def __init__(self, name: str, count: int, work: Callable[[PendingCall], None]) -> None:
        """Do `work` for jobs of the operator `name` in `count` threads."""
        self.count = count
        self.jobs: deque[PendingCall] = deque()
        """Jobs under way, in order: those that are done wait for the ones before them."""
        self._work = work
        self._orders: SimpleQueue[PendingCall | None] = SimpleQueue()
        self._threads = [
            threading.Thread(target=self._run, name=f"{name} {number + 1}", daemon=True)
            for number in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def _run(self) -> None:
        while (job := self._orders.get()) is not None:
            self._work(job)
            del job  # its frame may be over

    def begin(self, call: Call) -> None:
        """Have `call` made."""
        job = PendingCall(call)
        self.jobs.append(job)
        self._orders.put(job)

    def take(self) -> PendingCall | None:
        """Return the first job if it is done."""
        return self.jobs.popleft() if self.jobs and self.jobs[0].done else None

    def stop(self, patience: float) -> None:
        """Wait up to `patience` seconds for the threads to end."""
        for _ in self._threads:
            self._orders.put(None)
        until = time.monotonic() + patience
        for thread in self._threads:
            thread.join(max(until - time.monotonic(), 0))


def copies_of(node: Node, cores: int) -> int:
    """Return how many frames an operator may work on at once, in a process with `cores`."""
    if not (issubclass(node.cls, Operator) and node.cls.stateless):
        return 1
    ports = node.cls.ports()
    if ports.source or ports.generator:
        return 1
    if node.copies != "auto":
        return node.copies
    return min(cores, MOST) if node.cls.heavy else 1


def threads_of(node: Node, cores: int) -> int:
    """Return how many CPU threads one call of an operator with copies may use; 0: it has none."""
    copies = copies_of(node, cores)
    return max(1, cores // copies) if copies > 1 else 0
