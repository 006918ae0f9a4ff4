"""Doorbells: how a process wakes an end of a link that sleeps in another one.

Each process has a socket in the run's folder and a thread that reads it. Only who finds the flag
in the ledger set rings, so that nothing is rung for while there is work; and who rings looks at
the flag right after it has changed what the sleeper waits for. Processors may still reorder the
two; and a bell may be full, or missing for a moment. So the thread looks, now and then, whether
an end of its process sleeps although there is work for it.
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
"""Something has come, or the stream has ended."""
ROOM: Final = b"r"
"""There is room."""
DIRECT: Final = 2
"""Value of `WANTS_MORE` of a stage that waits at its own doorbell."""

_RING = struct.Struct("<cq")
_LONGEST = 100
"""Bytes of a socket's path; the system takes 107."""

_log = logging.getLogger("holoflow.link")


class SleepingEnd(Protocol):
    """An end of a link that may sleep."""

    def wake(self) -> None:
        """Look again, from any thread."""

    def missed(self) -> bool:
        """Whether it sleeps although there is something for it to do."""


class WakeUpSocket:
    """The bell of this process, and the way to those of others."""

    def __init__(self, folder: Path, fragment: str) -> None:
        """Listen for `fragment`; a socket that its former process has left is replaced."""
        self._folder = folder
        self._ends: dict[tuple[bytes, int], SleepingEnd] = {}
        self._path = bell_path(folder, fragment)
        self._ringing: dict[str, socket.socket] = {}
        """By who is rung for, and connected: to look for a path takes longer than to ring."""
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
        # Not settimeout: that would cost a system call more each time.
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, WAIT)
        self._thread = threading.Thread(target=self._listen, name="bell", daemon=True)
        self._thread.start()

    def answer(self, what: bytes, flow: int, end: SleepingEnd) -> None:
        """Have `end` woken when `what` is rung for `flow`."""
        self._ends[what, flow] = end

    def ring(self, fragment: str, what: bytes, flow: int) -> None:
        """Wake the end of `flow` in `fragment`; nothing happens where nobody listens."""
        self._ring(fragment, _RING.pack(what, flow))

    def call(self, fragment: str, operator: str) -> None:
        """Wake the stage of `operator`, which waits at a doorbell of its own."""
        self._ring(f"{fragment}@{operator}", b"")

    def _ring(self, whom: str, message: bytes) -> None:
        ringing = self._ringing.get(whom) or self._made(whom)
        try:
            ringing.send(message)
        except BlockingIOError:
            pass  # full: it is going to be heard anyway
        except OSError:  # not connected yet, or no more: another process may listen there by now
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
    """Return where `FRAGMENT` or the stage `FRAGMENT@OPERATOR` listens.

    A name that is too long for a socket is shortened.
    """
    path = folder / f"{whom}.bell"
    if len(str(path).encode()) <= _LONGEST:
        return path
    return folder / f"{hashlib.blake2s(whom.encode()).hexdigest()[:12]}.bell"


def _wake(end: SleepingEnd) -> None:
    try:
        end.wake()
    except Exception:  # no stage may take the bell of all others with it
        _log.exception("a stage cannot be woken")
