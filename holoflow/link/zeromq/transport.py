"""The zeromq transport: all zeromq links of one process."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from holoflow.core.errors import HoloflowError
from holoflow.core.listener import Refusals
from holoflow.link.ends import Buffer, Consumer, LinkedFlow, Notifier, Producer
from holoflow.link.zeromq.connection import Connection
from holoflow.link.zeromq.dispatcher import Dispatcher
from holoflow.link.zeromq.frames import message
from holoflow.link.zeromq.listener import FlowListener
from holoflow.link.zeromq.loop import Loop
from holoflow.link.zeromq.receiver import StartBarrier, ZeroMQInlet
from holoflow.link.zeromq.security import Authenticator
from holoflow.link.zeromq.sender_state import SenderState
from holoflow.link.zeromq.settings import MOST, AppIdentity, PeerAddress, Timing
from holoflow.stats.counters import CLOSED, WANTS_ROOM

if TYPE_CHECKING:
    from holoflow.link.keys import KeyStore


class ZeroMQOutlet:
    """The `Outlet` of zeromq links: one connection for each flow."""

    def __init__(self, connections: Sequence[Connection]) -> None:
        """Send on these connections, in the order of the numbers passed to `send`."""
        self._connections = connections

    def send(self, numbers: Sequence[int], head: bytes, buffers: Sequence[Buffer]) -> None:
        """Send a message, as in `Outlet.send`; its large buffers must not be changed any more."""
        for number, connection in zip(numbers, self._connections, strict=True):
            if number:
                connection.send(message(number, head, buffers))

    def mark(self) -> None:
        """Send the watermark to the receivers, after what has been sent."""
        for connection in self._connections:
            connection.mark()

    def flush(self) -> None:
        """Send what is held back to be sent with later messages."""
        for connection in self._connections:
            connection.flush()

    def allocate(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """Return an array in ordinary memory: zeromq links have no memory of their own."""
        return np.empty(shape, dtype)

    def wants_room(self, notifier: Notifier | None = None) -> None:
        """Have the producer woken when there is room."""
        for connection in self._connections:
            connection.flush()
            connection.sending.counters[WANTS_ROOM] = 1
            if notifier is not None:
                connection.wait_at(notifier)

    def close(self) -> None:
        """End the stream after what has been sent."""
        for connection in self._connections:
            connection.sending.counters[CLOSED] = 1
            connection.close()

    def suspend(self) -> None:
        """Send what was passed to `send`, then nothing more."""
        for connection in self._connections:
            connection.leave()


_log = logging.getLogger("holoflow.link")

_GOOD_BYE: Final = 1000
"""Milliseconds in which the final counters can reach a sender."""
_LOOK: Final = 0.02
"""Seconds between checks whether everything that was sent has arrived."""


class ZeroMQ:
    """The `Transport` of zeromq links."""

    def __init__(
        self,
        fragment: str,
        app: AppIdentity,
        binds: Sequence[PeerAddress] = (),
        peers: Mapping[str, PeerAddress] | None = None,
        *,
        keys: KeyStore | None = None,
        timing: Timing | None = None,
        most: int = MOST,
    ) -> None:
        """Start listening, and prepare to connect to other fragments.

        Connections with a `server_key` are encrypted, and only allowed hosts can connect.

        Args:
            fragment: The fragment of this process.
            app: Identity of the app.
            binds: Where to listen.
            peers: Addresses of fragments, to connect to when there are flows to them.
            keys: Keys for encrypted connections.
            timing: Intervals; None: the defaults.
            most: Largest part of a message in bytes.

        Raises:
            HoloflowError: Keys are missing, or it is not possible to listen.
        """
        self._app = app
        self._peers = dict(peers or {})
        self._distant = any(address.endpoint.startswith("tcp://") for address in binds)
        """Whether senders on other hosts connect to this process."""
        self._timing = timing or Timing()
        self._most = most
        secured = any(a.server_key is not None for a in (*binds, *self._peers.values()))
        if secured and keys is None:
            raise HoloflowError(
                "an encrypted link needs keys", "create them with: holoflow keys new"
            )
        self._own = keys.own() if secured and keys is not None else None
        self._generation = time.monotonic_ns()
        self._barrier = StartBarrier()
        self._connections: list[Connection] = []
        self._inlets: dict[int, ZeroMQInlet] = {}
        self._asked: float | None = None
        """When the run was asked to end."""
        self._deadline: float | None = None
        self._loop = Loop(fragment)
        self._refusals = Refusals(_log)
        self._dispatcher = Dispatcher(app, self._timing, self._refusals)
        self._authenticator: Authenticator | None = None
        try:
            self._listen(binds, keys)
        except BaseException:
            self._loop.call(self._end)
            self._loop.start()
            self._loop.join()
            raise
        self._loop.every(self._poll)
        self._loop.start()

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Endpoints that it listens on, with the ports that the system has chosen."""
        return tuple(listener.endpoint for listener in self._dispatcher.listeners)

    @property
    def refusals(self) -> Mapping[str, int]:
        """Number of refused requests, by cause (`Refusals`)."""
        return self._refusals.counts

    def outlet(self, flows: Sequence[LinkedFlow], producer: Producer) -> ZeroMQOutlet:
        """Open the sending end of `flows`.

        Raises:
            HoloflowError: The address of a fragment is not known.
        """
        connections = [self._connect(linked, producer) for linked in flows]
        self._loop.call(self._loop.hurry)
        return ZeroMQOutlet(connections)

    def inlet(self, flow: LinkedFlow, consumer: Consumer) -> ZeroMQInlet:
        """Open the receiving end of `flow`."""
        made = ZeroMQInlet(
            self._loop,
            self._dispatcher,
            flow,
            consumer,
            self._app.counters,
            self._timing,
            self._barrier,
        )
        self._loop.call(lambda: self._dispatcher.add(made))
        self._inlets[flow.number] = made
        return made

    def notifier(self, operator: str) -> None:
        """Return None: no other process notifies a stage, as this one reads the sockets."""

    def accept(self) -> None:
        """Welcome senders from now on: the fragment's operators have been started."""
        self._loop.call(self._dispatcher.accept)

    def shift(self, flow: LinkedFlow) -> tuple[int, int]:
        """Return (offset, uncertainty) in nanoseconds of the clock of the sender of `flow`.

        (0, 0) on one host; an uncertainty of 2**62 if nothing is known yet.
        """
        return self._inlets[flow.number].shift()

    def waits_for(self) -> str:
        """Return in words which peers are not connected; empty if all are."""
        lacking = [connection.lacks for connection in self._connections]
        lacking += [inlet.lacks for inlet in self._inlets.values()]
        return "; ".join(filter(None, lacking))

    def drain(self) -> None:
        """Wait for hosts that are away temporarily: the run was asked to end."""
        self._loop.call(self._drain)

    def close(self, patience: float) -> None:
        """Release everything; what was sent has `patience` seconds to arrive."""
        deadline = time.monotonic() + patience
        self._loop.call(lambda: self._close(deadline))
        self._loop.join()

    def _listen(self, binds: Sequence[PeerAddress], keys: KeyStore | None) -> None:
        if any(address.server_key is not None for address in binds):
            assert keys is not None  # noqa: S101 - checked by the caller
            self._authenticator = Authenticator(self._loop.context, keys, self._refusals)
            self._loop.watch(self._authenticator.socket, self._authenticator.answer)
        for address in binds:
            listener = FlowListener(
                self._loop, address, self._own, self._most, self._refusals, self._dispatcher.receive
            )
            self._dispatcher.listeners.append(listener)

    def _connect(self, linked: LinkedFlow, producer: Producer) -> Connection:
        address = self._peers.get(linked.target)
        if address is None:
            raise HoloflowError(f"the address of the fragment {linked.target!r} is not known")
        sending = SenderState(linked, self._app, self._generation)
        connection = Connection(
            self._loop, linked, sending, producer, address, self._own, self._timing, self._most,
            self._met,
        )  # fmt: skip
        if sending.fresh and address.endpoint.startswith("tcp://"):
            self._barrier.wait_for(connection)
        self._connections.append(connection)
        return connection

    # -- with the loop's lock

    def _met(self, connection: Connection) -> None:
        if self._barrier.met(connection):
            for inlet in self._inlets.values():
                inlet.wake()

    def _poll(self, now: float) -> float:
        due = min(
            [
                self._dispatcher.heartbeat(now),
                *(connection.poll(now) for connection in self._connections),
            ]
        )
        if self._asked is not None:
            inlets = self._inlets.values() if self._distant else ()
            for end in (*self._connections, *inlets):
                end.end_by(self._asked, now)
            due = min(due, now + self._timing.heartbeat)
        if self._deadline is None:
            return due
        awaited = [connection for connection in self._connections if connection.sending.awaited]
        if not awaited or now >= self._deadline:
            self._end(awaited)
        return min(due, now + _LOOK)

    def _drain(self) -> None:
        self._asked = self._asked or time.monotonic()
        self._loop.hurry()

    def _close(self, deadline: float) -> None:
        self._deadline = deadline
        self._loop.hurry()

    def _end(self, unheard: Sequence[Connection] = ()) -> None:
        try:
            for connection in unheard:
                _log.warning("%s", connection.unheard)
            self._dispatcher.leave()
            for connection in self._connections:
                connection.hang_up()
            for listener in self._dispatcher.listeners:
                listener.close(_GOOD_BYE)
            if self._authenticator is not None:
                self._loop.forget(self._authenticator.socket)
                self._authenticator.socket.close(0)
        finally:
            self._loop.stop()
