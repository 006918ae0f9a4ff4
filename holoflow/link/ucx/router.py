"""The control connections of a process, and the thread that serves them."""

from __future__ import annotations

import contextlib
import logging
import os
import selectors
import socket
import threading
import time
from collections.abc import Callable
from typing import Final

from holoflow.link.ucx.control import (
    RETRY,
    Frame,
    Frames,
    LineLostError,
    UcxHello,
    UcxProgress,
    listen,
    notice_silence,
    reach,
    write,
)
from holoflow.link.ucx.frame import Place
from holoflow.link.ucx.receiver import UcxReceiver
from holoflow.link.ucx.sender import UcxSender

_ENOUGH: Final = 1 << 16
_log = logging.getLogger("holoflow.link")


class ControlConnection:
    """The control connection between the two ends of a flow."""

    def __init__(
        self, end: UcxSender | UcxReceiver, at: Place, run: str, wake: Callable[[], None]
    ) -> None:
        """Serve `end`, whose flow comes to `at`."""
        self.end = end
        self.at = at
        self.port = at.port
        """Where UCX listens; known on the sending side once the line is up."""
        self.up = False
        self.socket: socket.socket | None = None
        self._run = run
        self._wake = wake
        self._frames = Frames()
        self._out = bytearray()
        self._newest: UcxProgress | None = None
        self._lock = threading.Lock()
        end.say = self.say

    @property
    def name(self) -> str:
        """Name of the flow."""
        return f"{self.end.flow.flow.source} -> {self.end.flow.flow.target}"

    def open(self, connection: socket.socket) -> None:
        """Begin on `connection`."""
        connection.setblocking(False)
        if connection.family == socket.AF_INET:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            notice_silence(connection)
        self._frames = Frames()
        self._out.clear()
        self.socket = connection
        receives = isinstance(self.end, UcxReceiver)
        self._send(UcxHello(self.end.flow.number, self.port if receives else 0, self._run))

    def say(self, frame: Frame) -> None:
        """Send `frame`, from any thread; of unsent progress only the newest."""
        if self.up:
            self._send(frame)

    def _send(self, frame: Frame) -> None:
        with self._lock:
            if self._out and isinstance(frame, UcxProgress):
                self._newest = frame
                return
            self._out += write(frame)
            self._push()
        if self._out:
            self._wake()

    def flush(self) -> bool:
        """Send what is left; whether all has gone."""
        with self._lock:
            self._push()
            if not self._out and self._newest is not None:
                self._out += write(self._newest)
                self._newest = None
                self._push()
            return not self._out

    def _push(self) -> None:
        if self.socket is not None and self._out:
            # Where the peer has gone, reading will tell.
            with contextlib.suppress(OSError):
                del self._out[: self.socket.send(self._out)]

    def read(self) -> bool:
        """Read what has arrived; return False if the peer has gone. May raise LineLostError."""
        assert self.socket is not None  # noqa: S101 - for the type checker
        try:
            data = self.socket.recv(_ENOUGH)
        except BlockingIOError:
            return True
        except OSError:
            return False
        for frame in self._frames.feed(data):
            if isinstance(frame, UcxHello):
                self._greet(frame)
            elif not self.up:
                raise LineLostError("a peer does not say who it is")
            else:
                self.end.heard(frame)
        return bool(data)

    def _greet(self, hello: UcxHello) -> None:
        if hello.number != self.end.flow.number or hello.run != self._run:
            raise LineLostError(f"{self.name}: the peer belongs to another run")
        if isinstance(self.end, UcxSender):
            self.port = hello.port
        self.up = True
        if isinstance(self.end, UcxReceiver):
            self.end.tell()

    def shut(self) -> None:
        """Close the connection."""
        self.up = False
        if self.socket is not None:
            self.socket.close()
            self.socket = None


class Router:
    """All control connections of a process."""

    def __init__(self, run: str) -> None:
        """Serve the connections of the run of that name."""
        self.lines: list[ControlConnection] = []
        self.failure: LineLostError | None = None
        """Which peer has gone, if one has."""
        self.changed = threading.Condition()
        """Notified when a line is up or lost."""
        self._run = run
        self._doors: dict[ControlConnection, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._inner, self._outer = socket.socketpair()
        self._inner.setblocking(False)
        self._outer.setblocking(False)
        self._selector.register(self._inner, selectors.EVENT_READ, None)
        self._ended = False
        self._thread: threading.Thread | None = None

    def add(self, end: UcxSender | UcxReceiver, at: Place) -> ControlConnection:
        """Make the line of `end`."""
        line = ControlConnection(end, at, self._run, self._wake)
        self.lines.append(line)
        return line

    def start(self) -> None:
        """Have the lines come up. Raises OSError where this end cannot listen."""
        for line in self.lines:
            if isinstance(line.end, UcxReceiver):
                self._doors[line] = door = listen(line.at.line)
                self._selector.register(door, selectors.EVENT_READ, line)
        self._thread = threading.Thread(target=self._serve, name="ucx lines", daemon=True)
        self._thread.start()

    def missing(self) -> list[ControlConnection]:
        """Return the lines that are not up."""
        return [line for line in self.lines if not line.up and not line.end.done]

    def close(self) -> None:
        """Let go of all lines."""
        self._ended = True
        self._wake()
        if self._thread is not None:
            self._thread.join()
        for line in self.lines:
            line.shut()
        for line, door in self._doors.items():
            door.close()
            if isinstance(line.at.line, str):
                with contextlib.suppress(OSError):
                    os.unlink(line.at.line)
        self._selector.close()
        self._inner.close()
        self._outer.close()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):
            self._outer.send(b"\0")

    # -- the thread ----------------------------------------------------------------------------

    def _serve(self) -> None:
        while not self._ended:
            self._connect()
            for key, _ in self._selector.select(self._patience()):
                if key.fileobj is self._inner:
                    with contextlib.suppress(BlockingIOError):
                        self._inner.recv(_ENOUGH)
                elif self._doors.get(key.data) is key.fileobj:
                    self._let_in(key.data)
                else:
                    self._attend(key.data)
            for line in self.lines:
                self._watch_writing(line)

    def _patience(self) -> float | None:
        absent = any(isinstance(ln.end, UcxSender) and ln.socket is None for ln in self.missing())
        return RETRY if absent and self.failure is None else None

    def _connect(self) -> None:
        for line in self.lines:
            if not isinstance(line.end, UcxSender) or line.socket is not None or line.end.done:
                continue
            if self.failure is not None:
                return
            connection = reach(line.at.line)
            if connection is not None:
                line.open(connection)
                self._selector.register(connection, selectors.EVENT_READ, line)

    def _let_in(self, line: ControlConnection) -> None:
        try:
            connection, _ = self._doors[line].accept()
        except OSError:
            return
        if line.up:
            connection.close()
            return
        if line.socket is not None:  # a peer that has not identified itself
            self._selector.unregister(line.socket)
            line.shut()
        line.open(connection)
        self._selector.register(connection, selectors.EVENT_READ, line)

    def _attend(self, line: ControlConnection) -> None:
        was_up = line.up
        line.flush()
        reason = None
        try:
            there = line.read()
        except LineLostError as error:
            there, reason = False, error
        if not there:
            self._lose(line, was_up, reason)
        elif line.up and not was_up:
            with self.changed:
                self.changed.notify_all()

    def _lose(self, line: ControlConnection, was_up: bool, reason: LineLostError | None) -> None:
        assert line.socket is not None  # noqa: S101 - for the type checker
        self._selector.unregister(line.socket)
        line.shut()
        if line.end.done or self._ended:
            return
        if not was_up and isinstance(line.end, UcxReceiver):
            _log.warning("%s: somebody else was at the line: %s", line.name, reason or "it hung up")
            return
        if not was_up and not reason:
            time.sleep(RETRY)  # it was about to end, or is a stranger: tried again
            return
        with self.changed:
            self.failure = (
                self.failure
                or reason
                or LineLostError(
                    f"{line.name}: fragment {line.end.peer} has gone", "ucx cannot go on without it"
                )
            )
            self.changed.notify_all()

    def _watch_writing(self, line: ControlConnection) -> None:
        if line.socket is None:
            return
        wanted = selectors.EVENT_READ
        if not line.flush():
            wanted |= selectors.EVENT_WRITE
        if self._selector.get_key(line.socket).events != wanted:
            self._selector.modify(line.socket, wanted, line)
