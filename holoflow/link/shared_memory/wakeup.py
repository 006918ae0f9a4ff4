"""Wake-up sockets: how a process wakes an end of a link that sleeps in another process.

Each process has a socket in the run's folder and a thread that reads it. A process sends a wake-up
only if the flag in the counter block is set, so that none is sent while there is work; and it reads
the flag right after changing what the sleeper waits for. The sleeper sets the flag before it checks
for work, so one of the two sees the other's change. Processors may still reorder the write and the
read; and a socket may be full, or missing for a moment. Therefore the thread regularly checks
whether an end in its process sleeps although there is work for it.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import socket
import struct
import threading
import time
from pathlib import Path
from typing import Final, Protocol

from holoflow.link.ends import LOOK, WAIT

MORE: Final = b"m"
"""A message has been sent, or the stream has ended."""
ROOM: Final = b"r"
"""There is room."""
DIRECT: Final = 2
"""Value of `WANTS_MORE` of a stage that waits at its own notifier."""

_WAKE_UP = struct.Struct("<cq")
_LONGEST = 100
"""Longest path of a socket in bytes; the system allows 107."""

_log = logging.getLogger("holoflow.link")


class SleepingEnd(Protocol):
    """An end of a link that may sleep."""

    def wake(self) -> None:
        """Check again, from any thread."""

    def missed(self) -> bool:
        """Whether it sleeps although there is something for it to do."""


class WakeUpSocket:
    """The wake-up socket of this process, and connections to those of others."""

    def __init__(self, folder: Path, fragment: str) -> None:
        """Listen for `fragment`, replacing a socket left by its previous process."""
        self._folder = folder
        self._ends: dict[tuple[bytes, int], SleepingEnd] = {}
        self._path = wakeup_path(folder, fragment)
        self._sockets: dict[str, socket.socket] = {}
        """Connected sockets by receiver: looking up a path would take longer than sending."""
        self._lock = threading.Lock()
        self._closed = False
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            with contextlib.suppress(FileNotFoundError):
                self._path.unlink()
            self._listening.bind(str(self._path))
        except OSError:
            self._listening.close()
            raise
        # Not settimeout, which would cost another system call per receive.
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, WAIT)
        self._thread = threading.Thread(target=self._listen, name="wake-ups", daemon=True)
        self._thread.start()

    def register(self, what: bytes, flow: int, end: SleepingEnd) -> None:
        """Wake `end` when the wake-up `what` for `flow` is received."""
        self._ends[what, flow] = end

    def notify(self, fragment: str, what: bytes, flow: int) -> None:
        """Wake the end of `flow` in `fragment`; does nothing if no process listens there."""
        self._send(fragment, _WAKE_UP.pack(what, flow))

    def notify_stage(self, fragment: str, operator: str) -> None:
        """Wake the stage of `operator`, which waits at its own notifier."""
        self._send(f"{fragment}@{operator}", b"")

    def _send(self, whom: str, message: bytes) -> None:
        sender = self._sockets.get(whom) or self._socket_to(whom)
        try:
            sender.send(message)
        except BlockingIOError:
            pass  # full: wake-ups are pending already
        except OSError:  # not connected (any more): another process may be listening there now
            with contextlib.suppress(OSError):
                sender.connect(str(wakeup_path(self._folder, whom)))
                sender.send(message)

    def _socket_to(self, whom: str) -> socket.socket:
        with self._lock:
            if whom not in self._sockets:
                sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                sender.setblocking(False)
                self._sockets[whom] = sender
            return self._sockets[whom]

    def close(self) -> None:
        """Stop listening."""
        if self._closed:
            return
        self._closed = True
        own = self._socket_to("")
        with contextlib.suppress(OSError):
            own.sendto(b"", str(self._path))
        if self._thread is not threading.current_thread():
            self._thread.join()
        self._listening.close()
        for sender in self._sockets.values():
            sender.close()
        with contextlib.suppress(OSError):
            self._path.unlink()

    def _listen(self) -> None:
        poll = time.monotonic() + LOOK
        while not self._closed:
            try:
                received = self._listening.recv(64)
            except BlockingIOError:
                received = b""
            except OSError:
                return
            if len(received) == _WAKE_UP.size:
                end = self._ends.get(_WAKE_UP.unpack(received))
                if end is not None and not self._closed:
                    _wake(end)
            if time.monotonic() >= poll:
                self._poll()
                poll = time.monotonic() + LOOK

    def _poll(self) -> None:
        for end in list(self._ends.values()):
            if not self._closed and end.missed():
                _wake(end)


def wakeup_path(folder: Path, whom: str) -> Path:
    """Return the path of the socket of `FRAGMENT` or of the stage `FRAGMENT@OPERATOR`.

    A name that is too long for a socket is shortened.
    """
    path = folder / f"{whom}.wake"
    if len(str(path).encode()) <= _LONGEST:
        return path
    return folder / f"{hashlib.blake2s(whom.encode()).hexdigest()[:12]}.wake"


def _wake(end: SleepingEnd) -> None:
    try:
        end.wake()
    except Exception:  # an error in one stage must not end the thread that wakes all others
        _log.exception("a stage cannot be woken")
