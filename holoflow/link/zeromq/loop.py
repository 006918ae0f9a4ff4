"""The one thread of a process that touches the sockets of its zeromq links."""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import zmq

_log = logging.getLogger("holoflow.link")

_LEAST: Final = 0.002
"""Seconds between two looks at the clock by those who wait for it."""


class Loop:
    """Calls functions in its thread: when asked to, when a socket has something, as time goes."""

    def __init__(self, name: str) -> None:
        """Make the thread; `start` starts it."""
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context(io_threads=2)
        self._calls: deque[Callable[[], None]] = deque()
        self._handlers: dict[Any, Callable[[], None]] = {}
        self._timers: list[Callable[[float], float]] = []
        self._poller = zmq.Poller()
        self._alarm = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._poller.register(self._alarm, zmq.POLLIN)
        self._asleep = False
        self._running = True
        self._due = 0.0
        self._failed = float("-inf")
        self._thread = threading.Thread(target=self._run, name=f"zeromq-{name}", daemon=True)

    def start(self) -> None:
        """Begin; what was asked for before is done first."""
        self._thread.start()

    def call(self, function: Callable[[], None]) -> None:
        """Have `function` called soon, in order. From any thread."""
        self._calls.append(function)
        if self._asleep:
            self._asleep = False
            os.eventfd_write(self._alarm, 1)

    def join(self) -> None:
        """Wait until `stop` was called in the thread, and free all."""
        self._thread.join()
        self.context.destroy(linger=0)
        os.close(self._alarm)

    # -- in the thread, and before it has started

    def watch(self, socket: Any, handler: Callable[[], None]) -> None:
        """Call `handler` whenever `socket` has something; it is to take all there is."""
        self._handlers[socket] = handler
        self._poller.register(socket, zmq.POLLIN)

    def forget(self, socket: Any) -> None:
        """Do not look at `socket` any more."""
        del self._handlers[socket]
        self._poller.unregister(socket)

    def every(self, timer: Callable[[float], float]) -> None:
        """Call `timer` with the time; it returns when it wants to be called again."""
        self._timers.append(timer)

    def hurry(self) -> None:
        """Call all timers again: one of them wants it sooner than it has said."""
        self._due = 0.0

    def stop(self) -> None:
        """End the thread behind what is done now."""
        self._running = False

    def _run(self) -> None:
        while self._running:
            for _ in range(len(self._calls)):
                self._safely(self._calls.popleft())
            now = time.monotonic()
            if now >= self._due:
                wanted = min(map(self._look, self._timers), default=now + 1.0)
                self._due = max(now + _LEAST, wanted)
            if self._running:
                self._wait(self._due - now)

    def _wait(self, seconds: float) -> None:
        self._asleep = True
        # A call may have come before that was said; after it the alarm wakes us.
        ready = self._poller.poll(0 if self._calls else max(0, math.ceil(seconds * 1000)))
        self._asleep = False
        for socket, _ in ready:
            if socket == self._alarm:
                os.eventfd_read(self._alarm)
            elif (handler := self._handlers.get(socket)) is not None:
                self._safely(handler)

    def _look(self, timer: Callable[[float], float]) -> float:
        now = time.monotonic()
        try:
            return timer(now)
        except Exception:
            self._report()
            return now + 1.0

    def _safely(self, function: Callable[[], None]) -> None:
        """Call `function`: nothing that a peer does may end the thread."""
        try:
            function()
        except Exception:
            self._report()

    def _report(self) -> None:
        now = time.monotonic()
        if now - self._failed > 1.0:
            _log.exception("a zeromq link failed within holoflow; it goes on")
        self._failed = now
        time.sleep(0.01)
