"""Stages at the two ends of a link that count as the engine does, without an engine."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from holoflow.link.ends import Buffer, LinkedFlow, Notifier, Transport
from holoflow.stats.counters import CLOSED, GONE, SENT, SETTLED, TAKEN, drop, gone, waiting

PATIENCE = 300.0
"""Seconds in which everything has to happen, on however busy a machine."""


def eventually(condition: Callable[[], Any], what: str = "") -> None:
    """Wait until `condition` holds; fail where it does not in good time."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, what or "it did not happen"
        time.sleep(0.002)


class Sender:
    """The producer of a flow, which sends from the thread that calls it.

    It waits at `notifier`, where it has one.
    """

    def __init__(
        self, transport: Transport, linked: LinkedFlow, notifier: Notifier | None = None
    ) -> None:
        linked.counters[CLOSED] = 0
        self.counters, self.flow = linked.counters, linked.flow
        self.blocks = self.flow.lossless
        self.woken = threading.Event()
        self.notifier = notifier
        self.outlet = transport.outlet([linked], self)

    def wake(self) -> None:
        self.woken.set()
        if self.notifier is not None:
            self.notifier.notify()

    def room(self) -> bool:
        return waiting(self.counters) < self.flow.queue

    def wait(self) -> bool:
        """Wait for room; whether there is some, and not nobody any more."""
        deadline = time.monotonic() + PATIENCE
        while not self.counters[GONE] and not self.room():
            self.woken.clear()
            self.outlet.wants_room(self.notifier)
            if not self.room() and not self.counters[GONE]:
                self._sleep(deadline)
        return not self.counters[GONE]

    def _sleep(self, deadline: float) -> None:
        if self.notifier is None:
            assert self.woken.wait(max(0.0, deadline - time.monotonic())), "never woken"
        else:
            assert time.monotonic() < deadline, "never woken"
            self.notifier.wait()

    def send(self, head: bytes, *buffers: Buffer) -> bool:
        """Send a message, as soon as there is room if the flow blocks; whether it was sent."""
        if self.blocks and not self.wait():
            return False
        self.counters[SENT] += 1
        self.outlet.send([self.counters[SENT]], head, buffers)
        return True


class Receiver:
    """The consumer of a flow: a thread with a queue, as long as the flow says.

    It waits at `notifier`, where it has one.
    """

    def __init__(
        self,
        transport: Transport,
        linked: LinkedFlow,
        work: Callable[[int, bytes, list[Buffer]], None],
        notifier: Notifier | None = None,
    ) -> None:
        linked.counters[GONE] = 0
        self.counters, self.flow = linked.counters, linked.flow
        self.blocks = self.flow.lossless
        self.queue: deque[tuple[int, bytes, list[Buffer]]] = deque()
        self.work = work
        self.ended = threading.Event()
        """Set once all that came before the end of the stream has been worked off."""
        self.going = True
        self._closed = False
        self.notifier = notifier
        self._woken = threading.Event()
        self.inlet = transport.inlet(linked, self)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def deliver(self, number: int, head: Buffer, buffers: Any) -> None:
        if len(self.queue) < self.flow.queue:
            self.queue.append((number, bytes(head), list(buffers)))
        elif self.flow.when_full == "drop_newest":
            drop(self.counters, "full")
        else:
            assert not self.blocks, "more has come than there is room for"
            self.queue.popleft()
            drop(self.counters, "full")
            self.queue.append((number, bytes(head), list(buffers)))

    def close(self) -> None:
        self._closed = True

    def wake(self) -> None:
        self._woken.set()
        if self.notifier is not None:
            self.notifier.notify()

    def poll(self) -> None:
        """Have the thread look whether there is something, and wait until it has."""
        self.wake()
        eventually(lambda: not self._woken.is_set())

    def stop(self) -> None:
        """Take nothing more."""
        self.going = False
        self.wake()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    def abandon(self, cause: str = "stopped") -> None:
        """Take nothing more, and say so."""
        self.stop()
        self.counters[GONE] = gone(cause)
        self.inlet.abandon()

    def _run(self) -> None:
        while self.going:
            self.inlet.poll()
            if self.queue:
                message = self.queue.popleft()
                self.counters[TAKEN] += 1
                self.inlet.took()
                self.work(*message)
                self.counters[SETTLED] = self.counters[TAKEN]
            elif self._closed and not self.ended.is_set():
                self.ended.set()
            elif self._sleeps():
                if self.notifier is None:
                    self._woken.wait(PATIENCE)
                else:
                    self.notifier.wait()

    def _sleeps(self) -> bool:
        self._woken.clear()
        return self.inlet.about_to_sleep(self.notifier) and self.going
