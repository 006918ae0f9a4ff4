"""The socket at which a fragment is reached, and the connections of its peers."""

from __future__ import annotations

import resource
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import zmq

from holoflow.core.listener import Refusals
from holoflow.link.ends import Notifier
from holoflow.link.keys import OwnKeys
from holoflow.link.wire import BUFFERS
from holoflow.link.zeromq import security, sockets
from holoflow.link.zeromq.loop import Loop
from holoflow.link.zeromq.settings import PeerAddress
from holoflow.link.zeromq.sockets import Event

_BURST: Final = 64
"""Messages that are read before other sockets get their turn."""

_FILES: Final = 65536
"""Files that the process may have open, so that unknown peers cannot use them up."""

Receive: TypeAlias = "Callable[[FlowListener, bytes, bytes, Sequence[memoryview]], None]"


class FlowListener:
    """A ROUTER socket: many peers, each with a name that zeromq assigns to its connection.

    It may be used by the thread that holds the loop's lock.
    """

    def __init__(
        self,
        loop: Loop,
        address: PeerAddress,
        own: OwnKeys | None,
        most: int,
        refusals: Refusals,
        receive: Receive,
    ) -> None:
        """Listen on `address`.

        Args:
            loop: Watches the socket.
            address: Where to listen.
            own: Keys of this host, if the connection is encrypted.
            most: Largest part of a message, in bytes.
            refusals: Counts broken connections.
            receive: Called for each message with (listener, peer, first part, rest).

        Raises:
            HoloflowError: It is not possible to listen there.
        """
        self._receive = receive
        self._refusals = refusals
        self._loop = loop
        self._opened: dict[int, int] = {}
        self._succeeded = 0
        self._failed = False
        self._socket = sockets.make(loop.context, zmq.ROUTER, most)
        self._socket.router_mandatory = True
        self._socket.sndhwm = 1000  # to a peer that does not read
        self._monitor = sockets.watched(self._socket)
        if address.server_key is not None and own is not None:
            security.serve(self._socket, own)
        try:
            self.endpoint = sockets.bind(self._socket, address.endpoint)
        except BaseException:
            sockets.close(self._socket, self._monitor)
            raise
        if address.endpoint.startswith("tcp://"):
            _more_files()
        loop.watch(self._socket, self.read)
        loop.watch(self._monitor, self._notice)

    def send(self, peer: bytes, part: bytes) -> bool:
        """Send to `peer`; return whether it is still there."""
        try:
            self._socket.send(peer, sockets.MORE)  # if this fails, nothing is sent
            self._socket.send(part, sockets.LAST)
        except zmq.Again:
            pass  # the peer does not read; it will get the next one
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            return False
        return True

    def lead_to(self, notifier: Notifier | None) -> None:
        """Let input wake the thread waiting at `notifier`; None: the loop's thread."""
        if notifier is None:
            self._loop.take_back(self._socket)
        else:
            self._loop.leave(self._socket, notifier)

    def close(self, linger: int) -> None:
        """Stop listening; what was sent has `linger` milliseconds to be delivered."""
        self._loop.forget(self._socket)
        self._loop.forget(self._monitor)
        sockets.close(self._socket, self._monitor, linger)

    def read(self) -> None:
        """Pass on what has been received, in portions."""
        socket = self._socket
        for _ in range(_BURST):
            try:
                peer = socket.recv(zmq.NOBLOCK)
            except zmq.Again:
                return
            first = socket.recv() if sockets.more(socket) else b""
            rest: list[memoryview] = []
            while sockets.more(socket):
                frame = socket.recv(copy=False)
                if len(rest) <= BUFFERS + 1:
                    rest.append(frame.buffer.toreadonly())
            self._receive(self, peer, first, rest)
        self._loop.call(self.read)

    def _notice(self) -> None:
        for event, value in sockets.events(self._monitor):
            if event == Event.ACCEPTED:
                self._opened[value] = self._succeeded
            elif event == Event.HANDSHAKE_SUCCEEDED:
                self._succeeded += 1
            elif event == Event.DISCONNECTED:
                # Events do not say which connection succeeded; if the count has not changed since
                # this one was opened, none did.
                unknown = self._failed or self._opened.get(value) == self._succeeded
                # A socket file on this host is private: there it is only a process that ends early.
                if unknown and not self.endpoint.startswith("ipc://"):
                    self._refusals.add(
                        "connection",
                        f"a connection to {self.endpoint} broke off before its peer was known: "
                        "a stranger, or a fragment with another key",
                    )
                self._opened.pop(value, None)
                self._failed = False
            else:
                self._failed = True


def _more_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
