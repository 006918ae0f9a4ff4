"""A listening socket that limits unknown peers, and how refusals are counted and logged."""

from __future__ import annotations

import contextlib
import errno
import logging
import resource
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from holoflow.core.text import duration

MOST: Final = 320
"""Connections that may be open at once, if the process may open that many files."""
EACH: Final = 16
"""Strangers allowed per address."""
PATIENCE: Final = 20.0
"""Seconds for which a stranger may stay."""
_WAITING: Final = 1024
"""Connections that may wait to be accepted."""
FULL: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""Errors that mean that the process or the machine can open no more files."""
_PAUSE: Final = 0.5
"""Seconds to wait after such an error before the next attempt."""

_Peer: TypeAlias = "tuple[str, int]"


class Listener(socket.socket):
    """A listening socket that cannot exhaust the process's file descriptors.

    An accepted connection is a stranger until `welcome` is called for it. Strangers may hold a
    fifth of the connections, and `EACH` per address; beyond that the oldest is cut off, so that
    a peer that sends its request at once gets an answer. `expire`, to be called regularly, cuts
    off strangers older than `PATIENCE` seconds. Welcome peers are never cut off; when they hold
    all connections, newcomers are refused.

    Connections use at most a third of the files that the process may open.
    """

    def __init__(
        self, listener: socket.socket, refusals: Refusals,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        """Take over `listener`."""
        super().__init__(fileno=listener.detach())
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._most = MOST if files == resource.RLIM_INFINITY else max(2, min(MOST, files // 3))
        self._refusals = refusals
        self._clock = clock
        self._lock = threading.Lock()
        self._open: dict[_Peer, _Connection] = {}
        self._strangers: dict[_Peer, float] = {}  # arrival times, oldest first
        self._failed = -_PAUSE

    def listen(self, _backlog: int = 0) -> None:
        """Listen with a long backlog; asyncio's own is only what it accepts at a time."""
        super().listen(_WAITING)

    def accept(self) -> tuple[socket.socket, Any]:
        """Return the next connection and its address.

        Raises:
            ConnectionAbortedError: There are too many connections.
            OSError: The process can open no more files.
            BlockingIOError: Called again too soon after such an OSError.
        """
        if self._clock() - self._failed < _PAUSE:
            raise BlockingIOError
        try:
            accepted, address = super().accept()
        except OSError as error:
            if error.errno in FULL:
                self._failed = self._clock()
                with self._lock:
                    self._refusals.add("files", f"connections: {error.strerror}")
            raise
        peer = address[:2]
        with self._lock:
            if len(self._open) >= self._most:
                accepted.close()
                self._refusals.add("room", f"a connection of {peer[0]}: there are too many")
                raise ConnectionAbortedError
            connection = _Connection(self, peer, accepted)
            self._open[peer] = connection
            self._strangers[peer] = self._clock()
            self._make_room(peer[0])
        return connection, address

    def welcome(self, peer: _Peer) -> bool:
        """Let the connection of `peer` (address, port) stay; return whether there is room."""
        with self._lock:
            if peer not in self._strangers:
                return peer in self._open
            if len(self._open) - len(self._strangers) >= self._most - self._most_strangers:
                self._refusals.add("room", f"a viewer at {peer[0]}: there are too many")
                return False
            del self._strangers[peer]
            return True

    def renew(self, peer: _Peer) -> None:
        """Restart the time allowed to the connection of `peer`, which has authenticated."""
        with self._lock:
            if self._strangers.pop(peer, None) is not None:
                self._strangers[peer] = self._clock()

    def expire(self) -> None:
        """Cut off strangers that have stayed too long."""
        with self._lock:
            for peer, came in list(self._strangers.items()):
                if self._clock() - came < PATIENCE:
                    return
                self._cut_off(peer, f"was not done in {duration(PATIENCE)}")

    def left(self, peer: _Peer, connection: _Connection) -> None:
        """Forget `connection`, which has been closed."""
        with self._lock:
            if self._open.get(peer) is connection:
                del self._open[peer]
                self._strangers.pop(peer, None)

    @property
    def _most_strangers(self) -> int:
        return max(1, self._most // 5)

    def _make_room(self, newcomer: str) -> None:
        hosts = Counter(host for host, _ in self._strangers)
        if hosts[newcomer] > EACH:
            host = newcomer
        elif len(self._strangers) > self._most_strangers:
            host = hosts.most_common(1)[0][0]
        else:
            return
        oldest = next(peer for peer in self._strangers if peer[0] == host)
        self._cut_off(oldest, "has given way to a newer one")

    def _cut_off(self, peer: _Peer, why: str) -> None:
        del self._strangers[peer]
        self._open[peer].cut_off()
        self._refusals.add("stranger", f"a connection of {peer[0]} {why}")


class _Connection(socket.socket):
    def __init__(self, listener: Listener, peer: _Peer, accepted: socket.socket) -> None:
        super().__init__(fileno=accepted.detach())
        self._listener = listener
        self._peer = peer

    def cut_off(self) -> None:
        """Shut it down, so that the thread that reads or writes it ends and closes it."""
        with contextlib.suppress(OSError):  # the peer has already disconnected
            self.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close it and free its place."""
        super().close()
        self._listener.left(self._peer, self)


_REPORT_EVERY: Final = 10.0
"""Seconds between two log records of the same cause."""

_Clock: TypeAlias = Callable[[], float]


class Refusals:
    """Counts of refusals by cause. `add` is called by one thread at a time; any may read."""

    def __init__(self, log: logging.Logger, clock: _Clock = time.monotonic) -> None:
        """Start with no refusals; later ones are logged to `log`."""
        self.counts: Counter[str] = Counter()
        self._log = log
        self._limit = _Limit(clock)

    def add(self, cause: str, detail: str) -> None:
        """Count a refusal, and log it unless one with the same cause was logged just before."""
        self.counts[cause] += 1
        more = self._limit.pass_on(cause)
        if more is not None:
            self._log.warning("refused: %s%s", detail, _and_more(more))


class Seldom(logging.Filter):
    """Limits how often each message of a library is logged, however often peers cause it."""

    def __init__(self, clock: _Clock = time.monotonic) -> None:
        super().__init__()
        self._limit = _Limit(clock)

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to log `record`; it then also says how many like it were suppressed."""
        more = self._limit.pass_on(str(record.msg))
        if more:
            record.msg, record.args = record.getMessage().rstrip() + _and_more(more), ()
        return more is not None


class _Limit:
    def __init__(self, clock: _Clock) -> None:
        self._clock = clock
        self._passed: dict[str, float] = {}
        self._suppressed: Counter[str] = Counter()

    def pass_on(self, kind: str) -> int | None:
        """Return how many of `kind` were suppressed before this one; None to suppress it too."""
        now = self._clock()
        if now - self._passed.get(kind, -_REPORT_EVERY) < _REPORT_EVERY:
            self._suppressed[kind] += 1
            return None
        self._passed[kind] = now
        return self._suppressed.pop(kind, 0)


def _and_more(count: int) -> str:
    return f" (and {count} more before)" if count else ""
