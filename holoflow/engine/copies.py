"""Copies: an operator without state works on several frames at once, in threads of its own.

Those of an operator that keeps the interpreter's lock while it works each wait for a process
(`copy_process.py`).
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from queue import SimpleQueue
from typing import Any, Protocol

from holoflow.app.graph import Node
from holoflow.core.message import Header
from holoflow.core.operator import Operator
from holoflow.engine.inputs import Call
from holoflow.engine.runner import OperatorRunner

MOST = 4
"""Copies that an operator has unless the app says a number: more frames under way at once have
seldom been worth their latency."""
KILLING = 5.0
"""Seconds that a call has to end once its process is killed."""


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


class Copy(Protocol):
    """Makes calls of the operator, one at a time, always in the same thread."""

    def call_with(self, arguments: Mapping[str, Any], header: Header) -> Any:
        """Call `process` with the payloads of all inputs, by port."""

    def cpu(self) -> int:
        """Return the CPU time of all calls so far (ns), as a difference to another time."""

    def kill(self) -> bool:
        """End the call that goes on; false if that is impossible."""


class ThreadCopy:
    """Makes the calls itself."""

    def __init__(self, runner: OperatorRunner) -> None:
        """Call the operator of `runner`."""
        self.call_with = runner.call_with

    def cpu(self) -> int:
        """Return the CPU time of the thread (ns)."""
        return time.thread_time_ns()

    def kill(self) -> bool:
        """Return false: a thread cannot be ended by another."""
        return False


class Copies:
    """The calls of one operator, several at once; they are given back in their order.

    All but `count` and the calls themselves is used by one thread at a time: the stage's.
    """

    def __init__(
        self, name: str, copies: Sequence[Copy], work: Callable[[PendingCall, Copy], None]
    ) -> None:
        """Do `work` for jobs of the operator `name`, in a thread for each of `copies`."""
        self.count = len(copies)
        self.jobs: deque[PendingCall] = deque()
        """Jobs under way, in order: those that are done wait for the ones before them."""
        self.apart = not all(isinstance(copy, ThreadCopy) for copy in copies)
        """Whether the calls are made in other processes."""
        self._work = work
        self._orders: SimpleQueue[PendingCall | None] = SimpleQueue()
        self._threads = [
            threading.Thread(target=self._run, args=(copy,), name=f"{name} {number}", daemon=True)
            for number, copy in enumerate(copies, 1)
        ]
        self._copies = copies
        for thread in self._threads:
            thread.start()

    def _run(self, copy: Copy) -> None:
        while (job := self._orders.get()) is not None:
            self._work(job, copy)
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
        """Wait up to `patience` seconds for the calls to end, then end those that can be."""
        for _ in self._threads:
            self._orders.put(None)
        until = time.monotonic() + patience
        for thread in self._threads:
            thread.join(max(until - time.monotonic(), 0))
        for thread, copy in zip(self._threads, self._copies, strict=True):
            if thread.is_alive() and copy.kill():
                thread.join(KILLING)


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
