"""A listening socket of which strangers get only so much, and how refusals are counted and told."""

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

MOST: Final = 320
"""Connections that may be open at once, if the process may have that many files."""
EACH: Final = 16
"""Strangers of one address."""
PATIENCE: Final = 20.0
"""Seconds for which a stranger may stay."""
_WAITING: Final = 1024
"""Connections that may wait to be accepted."""
FULL: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""Errors that say that the process, or the machine, can open no more."""
_PAUSE: Final = 0.5
"""Seconds after such an error in which it is not tried again."""

_Peer: TypeAlias = "tuple[str, int]"


class Listener(socket.socket):
    """A listening socket that leaves the process its descriptors, whoever comes.

    A connection that was accepted is a stranger's until `welcome` says otherwise. Strangers have
    a fifth of the room, and so many of one address; where there are more, the oldest gives way,
    so that somebody who asks at once gets an answer. Who has stayed for `PATIENCE` seconds is
    cut off by `expire`, to be called now and then. Nobody cuts off who is welcome; when all the
    room is taken by these, newcomers are turned away.

    At most a third of the files that the process may open are connections.
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
        self._strangers: dict[_Peer, float] = {}  # the oldest first, with the time of its coming
        self._failed = -_PAUSE

    def listen(self, _backlog: int = 0) -> None:
        """Let many wait; asyncio would have no more wait than it accepts at a time."""
        super().listen(_WAITING)

    def accept(self) -> tuple[socket.socket, Any]:
        """Return the next connection and its address.

        Raises ConnectionAbortedError where there is no room for it, and OSError where the
        process can open no more files; to whoever asks at once again BlockingIOError.
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
        """Let the connection of `peer` (host, port) stay; return whether there is room for it."""
        with self._lock:
            if peer not in self._strangers:
                return peer in self._open
            if len(self._open) - len(self._strangers) >= self._most - self._most_strangers:
                self._refusals.add("room", f"a viewer at {peer[0]}: there are too many")
                return False
            del self._strangers[peer]
            return True

    def renew(self, peer: _Peer) -> None:
        """Give the connection of `peer`, who may ask, as long again as it had at first."""
        with self._lock:
            if self._strangers.pop(peer, None) is not None:
                self._strangers[peer] = self._clock()

    def expire(self) -> None:
        """Cut off the strangers who have been here for too long."""
        with self._lock:
            for peer, came in list(self._strangers.items()):
                if self._clock() - came < PATIENCE:
                    return
                self._cut_off(peer, f"was not done in {PATIENCE:g} s")

    def left(self, peer: _Peer, connection: _Connection) -> None:
        """Forget `connection`, which is closed."""
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
        """End it for whoever reads or writes in another thread, and will close it."""
        with contextlib.suppress(OSError):  # it has gone by itself
            self.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close it, and make room for another."""
        super().close()
        self._listener.left(self._peer, self)


_REPORT_EVERY: Final = 10.0
"""Seconds between two lines of the log on the same cause."""

_Clock: TypeAlias = Callable[[], float]


class Refusals:
    """How often what was refused, by cause. One at a time adds; any may read `counts`."""

    def __init__(self, log: logging.Logger, clock: _Clock = time.monotonic) -> None:
        """Nothing was refused yet; what is refused is told to `log`."""
        self.counts: Counter[str] = Counter()
        self._log = log
        self._limit = _Limit(clock)

    def add(self, cause: str, detail: str) -> None:
        """Count a refusal, and log it unless one of the cause was logged just now."""
        self.counts[cause] += 1
        more = self._limit.pass_on(cause)
        if more is not None:
            self._log.warning("refused: %s%s", detail, _and_more(more))


class Seldom(logging.Filter):
    """Lets each message of a library pass now and then, however often strangers cause it."""

    def __init__(self, clock: _Clock = time.monotonic) -> None:
        """Nothing was logged yet."""
        super().__init__()
        self._limit = _Limit(clock)

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to log `record`; it then says how many like it were not."""
        more = self._limit.pass_on(str(record.msg))
        if more:
            record.msg, record.args = record.getMessage().rstrip() + _and_more(more), ()
        return more is not None


class _Limit:
    def __init__(self, clock: _Clock) -> None:
        self._clock = clock
        self._passed: dict[str, float] = {}
        self._kept: Counter[str] = Counter()

    def pass_on(self, kind: str) -> int | None:
        """Return how many of `kind` were kept back before this one; None to keep it back, too."""
        now = self._clock()
        if now - self._passed.get(kind, -_REPORT_EVERY) < _REPORT_EVERY:
            self._kept[kind] += 1
            return None
        self._passed[kind] = now
        return self._kept.pop(kind, 0)


def _and_more(count: int) -> str:
    return f" (and {count} more before)" if count else ""
