"""The sockets of a process's zeromq links: which thread may use them, and which serves them."""

from __future__ import annotations

import logging
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import zmq

from holoflow.link.ends import Notifier
from holoflow.link.zeromq import sockets

_log = logging.getLogger("holoflow.link")

_LEAST: Final = 0.002
"""Shortest interval of timers in seconds."""
_LATER: Final = 0.001
"""Seconds after which deferred calls are made; at most twice that."""
_LEFT: Final = 0.05
"""Seconds between checks of sockets that are left to stages."""


class Loop:
    """Serves sockets in a thread of its own, unless stages do so themselves.

    A zeromq socket may be used by one thread at a time: the one that holds `lock`. A stage that
    sends and receives by itself need not wait for another thread. Nothing that takes long may be
    done while holding the lock.

    zeromq signals input of a socket through a file descriptor, edge-triggered: any use of the
    socket may consume the signal. Therefore a thread that has used a socket must, before it
    releases the lock, check for input (`sockets.has_input`) and read it. Otherwise the loop,
    which waits for the descriptor, would not wake up.
    """

    def __init__(self, name: str) -> None:
        """Create the thread; `start` starts it."""
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context(io_threads=2)
        self.lock = threading.Lock()
        """Held by the thread that uses sockets, or anything else that belongs to the loop."""
        self._calls: deque[Callable[[], None]] = deque()
        self._late: list[Callable[[], None]] = []
        self._late_due = 0.0
        self._hot = False
        """Whether the thread will check soon by itself for deferred calls."""
        self._handlers: dict[Any, Callable[[], None]] = {}
        self._left: dict[Any, Notifier | None] = {}
        self._timers: list[Callable[[float], float]] = []
        self._files = select.epoll()
        self._alarm = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._files.register(self._alarm, select.EPOLLIN)
        self._asleep = False
        self._running = True
        self._due = 0.0
        self._failed = float("-inf")
        self._thread = threading.Thread(target=self._run, name=f"zeromq-{name}", daemon=True)

    def start(self) -> None:
        """Start the thread; earlier calls are made first."""
        self._thread.start()

    def call(self, function: Callable[[], None]) -> None:
        """Have `function` called soon in the thread, in order. From any thread.

        The call is queued before `_asleep` is read, and the thread sets `_asleep` before it
        checks the queue, so a call is never left waiting.
        """
        self._calls.append(function)
        if self._asleep:
            self._asleep = False
            os.eventfd_write(self._alarm, 1)

    def join(self) -> None:
        """Wait until `stop` has been called in the thread, and release everything."""
        self._thread.join()
        self.context.destroy(linger=0)
        self._files.close()
        os.close(self._alarm)

    # -- with the lock held

    def watch(self, socket: Any, handler: Callable[[], None]) -> None:
        """Call `handler` whenever `socket` has input, of which it need not read everything."""
        self._handlers[socket] = handler
        self._files.register(socket.get(zmq.FD), select.EPOLLIN)

    def forget(self, socket: Any) -> None:
        """Stop watching `socket`."""
        self.take_back(socket)
        del self._handlers[socket]
        self._files.unregister(socket.get(zmq.FD))

    def leave(self, socket: Any, notifier: Notifier | None = None) -> None:
        """Leave the input of `socket` to a stage, which checks, or waits for it at `notifier`.

        The loop still checks it regularly: the stage may be busy for long, or have ended.
        """
        if socket in self._left:
            if notifier is self._left[socket]:
                return
            self.take_back(socket)
        self._left[socket] = notifier
        file = socket.get(zmq.FD)
        self._files.modify(file, 0)
        if notifier is not None:
            notifier.watch(file)

    def take_back(self, socket: Any) -> None:
        """Wake up for input of `socket` again; the caller checks for what is there already."""
        if socket in self._left:
            notifier = self._left.pop(socket)
            file = socket.get(zmq.FD)
            self._files.modify(file, select.EPOLLIN)
            if notifier is not None:
                notifier.forget(file)

    def every(self, timer: Callable[[float], float]) -> None:
        """Call `timer` with the time in seconds; it returns when it is to be called again."""
        self._timers.append(timer)

    def hurry(self) -> None:
        """Call all timers again now: one of them is due sooner than it has said."""
        self._due = 0.0

    def later(self, function: Callable[[], None]) -> None:
        """Have `function` called in one or two milliseconds, at little cost."""
        if not self._late:
            self._late_due = time.monotonic() + _LATER
        self._late.append(function)
        if not self._hot:
            self._hot = True
            self.call(_nothing)

    def stop(self) -> None:
        """End the thread after its current turn."""
        self._running = False

    def safely(self, function: Callable[[], None]) -> None:
        """Call `function` and log its errors: nothing that a peer does may end a thread."""
        try:
            function()
        except Exception:
            self._report()

    # -- in the thread

    def _run(self) -> None:
        while self._running:
            with self.lock:
                seconds = self._turn()
            if self._running:
                self._wait(seconds)

    def _turn(self) -> float:
        """Do what is due; return for how many seconds nothing will be due."""
        for _ in range(len(self._calls)):
            self.safely(self._calls.popleft())
        now = time.monotonic()
        if self._late and now >= self._late_due:
            late, self._late = self._late, []
            for function in late:
                self.safely(function)
            self._late_due = now + _LATER
        elif not self._late and now >= self._late_due:
            self._hot = False
        if now >= self._due:
            wanted = min(map(self._poll, self._timers), default=now + 1.0)
            self._due = max(now + _LEAST, wanted)
        if self._read():
            return 0.0  # there may be more, and sending may have consumed a signal of input
        most = _LEFT if self._left else self._due - now
        return min(most, self._due - now, _LATER if self._hot else most)

    def _read(self) -> bool:
        """Call the handlers of all sockets with input; return whether there were any."""
        found = False
        for socket, handler in list(self._handlers.items()):
            # One handler may have closed the socket of another.
            if socket in self._handlers and sockets.has_input(socket):
                found = True
                self.safely(handler)
        return found

    def _wait(self, seconds: float) -> None:
        self._asleep = True
        # A call queued before `_asleep` was set is found here; a later one triggers the alarm.
        ready = self._files.poll(0 if self._calls else max(0.0, seconds))
        self._asleep = False
        if any(file == self._alarm for file, _ in ready):
            os.eventfd_read(self._alarm)

    def _poll(self, timer: Callable[[float], float]) -> float:
        now = time.monotonic()
        try:
            return timer(now)
        except Exception:
            self._report()
            return now + 1.0

    def _report(self) -> None:
        now = time.monotonic()
        if now - self._failed > 1.0:
            _log.exception("a zeromq link failed within holoflow; it continues")
        self._failed = now
        time.sleep(0.01)


def _nothing() -> None:
    """Do nothing: the call wakes the thread, which then checks everything."""
