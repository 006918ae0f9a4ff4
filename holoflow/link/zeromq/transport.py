"""Links over zeromq in one process."""

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
    """An `Outlet`: one connection for each flow."""

    def __init__(self, dials: Sequence[Connection]) -> None:
        """Send by `dials`, in the order of the numbers that `send` is given."""
        self._dials = dials

    def send(self, numbers: Sequence[int], head: bytes, buffers: Sequence[Buffer]) -> None:
        """Send a message; nobody may write to its large buffers any more."""
        for number, dial in zip(numbers, self._dials, strict=True):
            if number:
                dial.send(message(number, head, buffers))

    def mark(self) -> None:
        """Tell the receivers how many frames are through, behind what has been sent."""
        for dial in self._dials:
            dial.mark()

    def flush(self) -> None:
        """Send what waits for others to travel with."""
        for dial in self._dials:
            dial.flush()

    def allocate(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """Return an array: the network has no memory of its own."""
        return np.empty(shape, dtype)

    def wants_room(self, notifier: Notifier | None = None) -> None:
        """Have the producer woken when there is room."""
        for dial in self._dials:
            dial.flush()
            dial.sending.row[WANTS_ROOM] = 1
            if notifier is not None:
                dial.wait_at(notifier)

    def close(self) -> None:
        """End the stream behind what has been sent."""
        for dial in self._dials:
            dial.sending.row[CLOSED] = 1
            dial.close()

    def suspend(self) -> None:
        """Send what was given, and then no more."""
        for dial in self._dials:
            dial.leave()


_log = logging.getLogger("holoflow.link")

_GOOD_BYE: Final = 1000
"""Milliseconds that the last counts get to reach a sender."""
_LOOK: Final = 0.02
"""Seconds between two looks at whether all that was sent has arrived."""


class ZeroMQ:
    """A `Transport`."""

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
        """Listen at `binds`; connect to fragments at `peers`, when there are flows to them.

        With a `server_key` a connection is encrypted by the keys in `keys`, and only hosts that
        are allowed there get through. Parts of messages may have `most` bytes. Raises
        HoloflowError where keys are missing, or one cannot listen.
        """
        self._app = app
        self._peers = dict(peers or {})
        self._distant = any(address.endpoint.startswith("tcp://") for address in binds)
        """Whether senders on other hosts come here."""
        self._timing = timing or Timing()
        self._most = most
        secured = any(a.server_key is not None for a in (*binds, *self._peers.values()))
        if secured and keys is None:
            raise HoloflowError("an encrypted link needs keys; make them with: holoflow keys new")
        self._own = keys.own() if secured and keys is not None else None
        self._generation = time.monotonic_ns()
        self._gate = StartBarrier()
        self._dials: list[Connection] = []
        self._inlets: dict[int, ZeroMQInlet] = {}
        self._asked: float | None = None
        """When the run was asked to end."""
        self._deadline: float | None = None
        self._loop = Loop(fragment)
        self._refusals = Refusals(_log)
        self._reception = Dispatcher(app, self._timing, self._refusals)
        self._gatekeeper: Authenticator | None = None
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
        """Where it listens, with the ports that the system has chosen."""
        return tuple(door.endpoint for door in self._reception.doors)

    @property
    def refusals(self) -> Mapping[str, int]:
        """How often what was refused, by cause (`Refusals`)."""
        return self._refusals.counts

    def outlet(self, flows: Sequence[LinkedFlow], producer: Producer) -> ZeroMQOutlet:
        """Make the sending end of `flows`.

        Raises HoloflowError where it is not known how to reach a fragment.
        """
        dials = [self._dial(linked, producer) for linked in flows]
        self._loop.call(self._loop.hurry)
        return ZeroMQOutlet(dials)

    def inlet(self, flow: LinkedFlow, consumer: Consumer) -> ZeroMQInlet:
        """Make the receiving end of `flow`."""
        made = ZeroMQInlet(
            self._loop,
            self._reception,
            flow,
            consumer,
            self._app.counters,
            self._timing,
            self._gate,
        )
        self._loop.call(lambda: self._reception.add(made))
        self._inlets[flow.number] = made
        return made

    def notifier(self, operator: str) -> None:
        """Nobody rings: what comes is read here."""

    def accept(self) -> None:
        """Welcome senders from now on: the fragment's operators have been started."""
        self._loop.call(self._reception.accept)

    def shift(self, flow: LinkedFlow) -> tuple[int, int]:
        """Return (offset, uncertainty) in nanoseconds of the clock of the sender of `flow`.

        (0, 0) on one host; an uncertainty of 2**62 where nothing is known yet.
        """
        return self._inlets[flow.number].shift()

    def waits_for(self) -> str:
        """Say which peers are not there; empty where all are."""
        lacking = [dial.lacks for dial in self._dials]
        lacking += [inlet.lacks for inlet in self._inlets.values()]
        return "; ".join(filter(None, lacking))

    def drain(self) -> None:
        """Wait for hosts that are away for a while only: the run was asked to end."""
        self._loop.call(self._drain)

    def close(self, patience: float) -> None:
        """Let go of everything; what was sent gets `patience` seconds to arrive."""
        deadline = time.monotonic() + patience
        self._loop.call(lambda: self._close(deadline))
        self._loop.join()

    def _listen(self, binds: Sequence[PeerAddress], keys: KeyStore | None) -> None:
        if any(address.server_key is not None for address in binds):
            assert keys is not None  # noqa: S101 - looked at above
            self._gatekeeper = Authenticator(self._loop.context, keys, self._refusals)
            self._loop.watch(self._gatekeeper.socket, self._gatekeeper.answer)
        for address in binds:
            door = FlowListener(
                self._loop, address, self._own, self._most, self._refusals, self._reception.hear
            )
            self._reception.doors.append(door)

    def _dial(self, linked: LinkedFlow, producer: Producer) -> Connection:
        address = self._peers.get(linked.target)
        if address is None:
            raise HoloflowError(f"it is not known where the fragment {linked.target!r} is reached")
        sending = SenderState(linked, self._app, self._generation)
        dial = Connection(
            self._loop, linked, sending, producer, address, self._own, self._timing, self._most,
            self._met,
        )  # fmt: skip
        if sending.fresh and address.endpoint.startswith("tcp://"):
            self._gate.wait_for(dial)
        self._dials.append(dial)
        return dial

    # -- with the loop's lock

    def _met(self, dial: Connection) -> None:
        if self._gate.met(dial):
            for inlet in self._inlets.values():
                inlet.wake()

    def _poll(self, now: float) -> float:
        due = min([self._reception.heartbeat(now), *(dial.poll(now) for dial in self._dials)])
        if self._asked is not None:
            inlets = self._inlets.values() if self._distant else ()
            for end in (*self._dials, *inlets):
                end.end_by(self._asked, now)
            due = min(due, now + self._timing.heartbeat)
        if self._deadline is None:
            return due
        awaited = [dial for dial in self._dials if dial.sending.awaited]
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
            for dial in unheard:
                _log.warning("%s", dial.unheard)
            self._reception.leave()
            for dial in self._dials:
                dial.hang_up()
            for door in self._reception.doors:
                door.close(_GOOD_BYE)
            if self._gatekeeper is not None:
                self._loop.forget(self._gatekeeper.socket)
                self._gatekeeper.socket.close(0)
        finally:
            self._loop.stop()
