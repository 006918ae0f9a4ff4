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
    ConnectionLostError,
    ControlFrame,
    Frames,
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
        """Make the connection of `end`.

        Args:
            end: The end of the flow in this process.
            at: Where the receiving end of the flow is.
            run: Identifies the run.
            wake: Called when the thread must wait until there is room for more bytes.
        """
        self.end = end
        self.at = at
        self.port = at.port
        """Port at which UCX listens; the sender knows it once the connection is up."""
        self.up = False
        self.socket: socket.socket | None = None
        self._run = run
        self._wake = wake
        self._frames = Frames()
        self._out = bytearray()
        self._newest: UcxProgress | None = None
        self._lock = threading.Lock()
        end.send_frame = self.send

    @property
    def name(self) -> str:
        """Name of the flow."""
        return f"{self.end.flow.flow.source} -> {self.end.flow.flow.target}"

    def open(self, sock: socket.socket) -> None:
        """Start the handshake on `sock`."""
        sock.setblocking(False)
        if sock.family == socket.AF_INET:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            notice_silence(sock)
        self._frames = Frames()
        self._out.clear()
        self.socket = sock
        receives = isinstance(self.end, UcxReceiver)
        self._send(UcxHello(self.end.flow.number, self.port if receives else 0, self._run))

    def send(self, frame: ControlFrame) -> None:
        """Send `frame`, from any thread; progress that is not sent yet is replaced by newer one."""
        if self.up:
            self._send(frame)

    def _send(self, frame: ControlFrame) -> None:
        with self._lock:
            if self._out and isinstance(frame, UcxProgress):
                self._newest = frame
                return
            self._out += write(frame)
            self._push()
        if self._out:
            self._wake()

    def flush(self) -> bool:
        """Send what is left; return whether everything has been sent."""
        with self._lock:
            self._push()
            if not self._out and self._newest is not None:
                self._out += write(self._newest)
                self._newest = None
                self._push()
            return not self._out

    def _push(self) -> None:
        if self.socket is not None and self._out:
            # If the peer has gone, `read` notices.
            with contextlib.suppress(OSError):
                del self._out[: self.socket.send(self._out)]

    def read(self) -> bool:
        """Read what has arrived; return False if the peer has gone.

        Raises:
            ConnectionLostError: The peer sends something invalid, or belongs to another run.
        """
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
                raise ConnectionLostError("the peer does not identify itself")
            else:
                self.end.receive(frame)
        return bool(data)

    def _greet(self, hello: UcxHello) -> None:
        if hello.number != self.end.flow.number or hello.run != self._run:
            raise ConnectionLostError(f"{self.name}: the peer belongs to another run")
        if isinstance(self.end, UcxSender):
            self.port = hello.port
        self.up = True
        if isinstance(self.end, UcxReceiver):
            self.end.report()

    def shut(self) -> None:
        """Close the connection."""
        self.up = False
        if self.socket is not None:
            self.socket.close()
            self.socket = None


class Router:
    """All control connections of a process."""

    def __init__(self, run: str) -> None:
        """Serve the connections of `run`."""
        self.connections: list[ControlConnection] = []
        self.failure: ConnectionLostError | None = None
        """Why the run cannot continue, if a connection was lost."""
        self.changed = threading.Condition()
        """Notified when a connection is up or lost."""
        self._run = run
        self._listeners: dict[ControlConnection, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._inner, self._outer = socket.socketpair()
        self._inner.setblocking(False)
        self._outer.setblocking(False)
        self._selector.register(self._inner, selectors.EVENT_READ, None)
        self._ended = False
        self._thread: threading.Thread | None = None

    def add(self, end: UcxSender | UcxReceiver, at: Place) -> ControlConnection:
        """Make the connection of `end`, whose flow leads to `at`."""
        connection = ControlConnection(end, at, self._run, self._wake)
        self.connections.append(connection)
        return connection

    def start(self) -> None:
        """Start to listen and to connect.

        Raises:
            OSError: This end cannot listen.
        """
        for connection in self.connections:
            if isinstance(connection.end, UcxReceiver):
                self._listeners[connection] = listener = listen(connection.at.address)
                self._selector.register(listener, selectors.EVENT_READ, connection)
        self._thread = threading.Thread(target=self._serve, name="ucx connections", daemon=True)
        self._thread.start()

    def missing(self) -> list[ControlConnection]:
        """Return the connections that are not up."""
        return [
            connection
            for connection in self.connections
            if not connection.up and not connection.end.done
        ]

    def close(self) -> None:
        """Close all connections and wait for the thread to end."""
        self._ended = True
        self._wake()
        if self._thread is not None:
            self._thread.join()
        for connection in self.connections:
            connection.shut()
        for connection, listener in self._listeners.items():
            listener.close()
            if isinstance(connection.at.address, str):
                with contextlib.suppress(OSError):
                    os.unlink(connection.at.address)
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
                elif self._listeners.get(key.data) is key.fileobj:
                    self._accept(key.data)
                else:
                    self._read(key.data)
            for connection in self.connections:
                self._update_events(connection)

    def _patience(self) -> float | None:
        absent = any(isinstance(c.end, UcxSender) and c.socket is None for c in self.missing())
        return RETRY if absent and self.failure is None else None

    def _connect(self) -> None:
        for connection in self.connections:
            if (
                not isinstance(connection.end, UcxSender)
                or connection.socket is not None
                or connection.end.done
            ):
                continue
            if self.failure is not None:
                return
            sock = reach(connection.at.address)
            if sock is not None:
                connection.open(sock)
                self._selector.register(sock, selectors.EVENT_READ, connection)

    def _accept(self, connection: ControlConnection) -> None:
        try:
            sock, _ = self._listeners[connection].accept()
        except OSError:
            return
        if connection.up:
            sock.close()
            return
        if connection.socket is not None:  # a peer that has not identified itself
            self._selector.unregister(connection.socket)
            connection.shut()
        connection.open(sock)
        self._selector.register(sock, selectors.EVENT_READ, connection)

    def _read(self, connection: ControlConnection) -> None:
        was_up = connection.up
        connection.flush()
        reason = None
        try:
            there = connection.read()
        except ConnectionLostError as error:
            there, reason = False, error
        if not there:
            self._lose(connection, was_up, reason)
        elif connection.up and not was_up:
            with self.changed:
                self.changed.notify_all()

    def _lose(
        self, connection: ControlConnection, was_up: bool, reason: ConnectionLostError | None
    ) -> None:
        assert connection.socket is not None  # noqa: S101 - for the type checker
        self._selector.unregister(connection.socket)
        connection.shut()
        if connection.end.done or self._ended:
            return
        if not was_up and isinstance(connection.end, UcxReceiver):
            _log.warning(
                "%s: a stranger connected: %s", connection.name, reason or "it disconnected"
            )
            return
        if not was_up and not reason:
            time.sleep(RETRY)  # it was about to end, or is a stranger: try again
            return
        with self.changed:
            self.failure = (
                self.failure
                or reason
                or ConnectionLostError(
                    f"{connection.name}: fragment {connection.end.peer} has disappeared",
                    "ucx cannot continue without it",
                )
            )
            self.changed.notify_all()

    def _update_events(self, connection: ControlConnection) -> None:
        if connection.socket is None:
            return
        wanted = selectors.EVENT_READ
        if not connection.flush():
            wanted |= selectors.EVENT_WRITE
        if self._selector.get_key(connection.socket).events != wanted:
            self._selector.modify(connection.socket, wanted, connection)
