"""Doorbells: where a stage waits by itself, so that who calls it wakes one thread and no other."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
from pathlib import Path
from typing import Final

LOOK: Final = 0.05
"""Seconds after which who waits looks again by itself: a call may have been lost."""
WAIT: Final = struct.pack("@ll", 0, int(LOOK * 1e6))
"""The same as sockets take it."""


class Doorbell:
    """A socket that one thread waits at and others ring; with a path, those of other processes."""

    def __init__(self, path: Path | None = None) -> None:
        """Make it; what a former process has left at `path` is replaced. Raises OSError."""
        self._path = path
        self._files: select.epoll | None = None
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._ringing = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._ringing.setblocking(False)
        try:
            if path is not None:
                path.unlink(missing_ok=True)
            self._listening.bind("" if path is None else str(path))
            self._ringing.connect(self._listening.getsockname())
        except OSError:
            self.close()
            raise
        # Not settimeout: that would cost a system call more each time.
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, WAIT)

    def wait(self) -> None:
        """Wait until somebody rings, for `LOOK` seconds at most."""
        flags = 0
        if self._files is not None:
            own = self._listening.fileno()
            if all(file != own for file, _ in self._files.poll(LOOK)):
                return
            flags = socket.MSG_DONTWAIT
        try:  # noqa: SIM105 - suppress is slow, and this is on every frame's way
            self._listening.recv(64, flags)
        except OSError:
            pass

    def watch(self, file: int) -> None:
        """Have waits end also when `file` can be read, as long as it can. From any thread."""
        if self._files is None:
            files = select.epoll()
            files.register(self._listening, select.EPOLLIN)
            self._files = files
        self._files.register(file, select.EPOLLIN)

    def forget(self, file: int) -> None:
        """Have waits not end by what `watch` was told of. From any thread."""
        if self._files is not None:
            self._files.unregister(file)

    def ring(self) -> None:
        """Wake who waits, or have the next wait end at once."""
        with contextlib.suppress(OSError):  # full: it is going to be heard anyway
            self._ringing.send(b"")

    def close(self) -> None:
        """Let go of the socket; nobody may be waiting."""
        if self._files is not None:
            self._files.close()
        self._listening.close()
        self._ringing.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)
