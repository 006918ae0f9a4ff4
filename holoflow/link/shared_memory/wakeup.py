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

_RING = struct.Struct("<cq")
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
        self._path = bell_path(folder, fragment)
        self._ringing: dict[str, socket.socket] = {}
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
        self._thread = threading.Thread(target=self._listen, name="bell", daemon=True)
        self._thread.start()

    def answer(self, what: bytes, flow: int, end: SleepingEnd) -> None:
        """Wake `end` when the wake-up `what` for `flow` is received."""
        self._ends[what, flow] = end

    def ring(self, fragment: str, what: bytes, flow: int) -> None:
        """Wake the end of `flow` in `fragment`; does nothing if no process listens there."""
        self._ring(fragment, _RING.pack(what, flow))

    def call(self, fragment: str, operator: str) -> None:
        """Wake the stage of `operator`, which waits at its own notifier."""
        self._ring(f"{fragment}@{operator}", b"")

    def _ring(self, whom: str, message: bytes) -> None:
        ringing = self._ringing.get(whom) or self._made(whom)
        try:
            ringing.send(message)
        except BlockingIOError:
            pass  # full: wake-ups are pending already
        except OSError:  # not connected (any more): another process may be listening there now
            with contextlib.suppress(OSError):
                ringing.connect(str(bell_path(self._folder, whom)))
                ringing.send(message)

    def _made(self, whom: str) -> socket.socket:
        with self._lock:
            if whom not in self._ringing:
                ringing = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                ringing.setblocking(False)
                self._ringing[whom] = ringing
            return self._ringing[whom]

    def close(self) -> None:
        """Stop listening."""
        if self._closed:
            return
        self._closed = True
        own = self._made("")
        with contextlib.suppress(OSError):
            own.sendto(b"", str(self._path))
        if self._thread is not threading.current_thread():
            self._thread.join()
        self._listening.close()
        for ringing in self._ringing.values():
            ringing.close()
        with contextlib.suppress(OSError):
            self._path.unlink()

    def _listen(self) -> None:
        poll = time.monotonic() + LOOK
        while not self._closed:
            try:
                rung = self._listening.recv(64)
            except BlockingIOError:
                rung = b""
            except OSError:
                return
            if len(rung) == _RING.size:
                end = self._ends.get(_RING.unpack(rung))
                if end is not None and not self._closed:
                    _wake(end)
            if time.monotonic() >= poll:
                self._poll()
                poll = time.monotonic() + LOOK

    def _poll(self) -> None:
        for end in list(self._ends.values()):
            if not self._closed and end.missed():
                _wake(end)


def bell_path(folder: Path, whom: str) -> Path:
    """Return the path of the socket of `FRAGMENT` or of the stage `FRAGMENT@OPERATOR`.

    A name that is too long for a socket is shortened.
    """
    path = folder / f"{whom}.bell"
    if len(str(path).encode()) <= _LONGEST:
        return path
    return folder / f"{hashlib.blake2s(whom.encode()).hexdigest()[:12]}.bell"


def _wake(end: SleepingEnd) -> None:
    try:
        end.wake()
    except Exception:  # an error in one stage must not end the thread that wakes all others
        _log.exception("a stage cannot be woken")
