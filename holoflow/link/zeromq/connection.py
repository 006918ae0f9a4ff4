"""The connection of a flow's sending end: it connects, sends, and reconnects."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Final

import zmq

from holoflow.core.errors import HoloflowError
from holoflow.core.text import duration
from holoflow.link.ends import Buffer, LinkedFlow, Notifier, Producer
from holoflow.link.keys import OwnKeys
from holoflow.link.zeromq import frames, handshake, security, sockets
from holoflow.link.zeromq.frames import FlowMessage
from holoflow.link.zeromq.loop import Loop
from holoflow.link.zeromq.sender_state import SenderState
from holoflow.link.zeromq.settings import PeerAddress, Timing
from holoflow.link.zeromq.sockets import Event
from holoflow.stats.counters import ARRIVED, GONE, SENT, WANTS_ROOM, gone

_log = logging.getLogger("holoflow.link")

_BURST: Final = 500
"""Messages that are sent, or received, before other sockets get their turn."""
_DEAF: Final = 500_000
"""Nanoseconds within which a sender checks for input only once."""
_GATHER: Final = 300_000
"""Nanoseconds after sending during which small messages are held back to be sent together."""
_GATHERED: Final = 64
"""Number of small messages that are sent without waiting for more."""
_REFUSALS: Final[Mapping[int, str]] = {
    Event.HANDSHAKE_FAILED_AUTH: "it does not allow the key of this host; allow it there with the "
    "command that `holoflow keys show` prints here",
    Event.HANDSHAKE_FAILED_PROTOCOL: "one end encrypts and the other does not, or it is not a "
    "holoflow link; start both from the same app",
}
"""Failures of the handshake that only a person can fix."""


class Connection:
    """A connection for one flow, re-established whenever it breaks.

    It may be used by the thread that holds the loop's lock: usually that of the sending stage,
    otherwise the loop's.
    """

    def __init__(
        self,
        loop: Loop,
        linked: LinkedFlow,
        sending: SenderState,
        producer: Producer,
        address: PeerAddress,
        own: OwnKeys | None,
        timing: Timing,
        most: int,
        met: Callable[[Connection], None],
    ) -> None:
        """Prepare the connection; the loop opens it by calling `poll`.

        `met` is called with the connection each time that the receiver welcomes it.
        """
        self.sending = sending
        self.trouble = "it was not reached yet"
        """Why the receiver is not connected; empty while it is."""
        self._loop = loop
        self._linked = linked
        self._producer = producer
        self._address = address
        self._own = own
        self._timing = timing
        self._most = most
        self._met = met
        self._who = f"{linked.target} ({address.endpoint})"
        self._flow = f"{linked.flow.source} -> {linked.flow.target}"
        self._socket: zmq.Socket[bytes] | None = None
        self._monitor: zmq.Socket[bytes] | None = None
        self._greeted = False
        self._seen = self._looked = self._again = 0.0
        self._joined = time.monotonic()
        """When the receiver was last connected."""
        self._awaited = False
        """Whether it was logged that the end of the run waits for the receiver."""
        self._pause = timing.retry
        self._failures = 0
        self._logged = ""
        self._gathering = False
        """Whether small messages are held back."""
        self._gathered = 0
        self._most_gathered = min(_GATHERED, max(1, linked.flow.queue // 2))
        self._sent_at = self._listened = 0
        self._left = False
        """Whether the stage, and not the loop, checks for input."""

    # -- from the stage's thread

    def send(self, message: FlowMessage) -> None:
        """Send `message` if it may be sent; a small one perhaps a little later, with others."""
        with self._loop.lock:
            self.sending.push(message)
            self._gathered += 1
            if (
                message.packed is None
                or self._gathered >= self._most_gathered
                or time.monotonic_ns() - self._sent_at > _GATHER
            ):
                self._loop.safely(self._pump)
            else:
                self._hold_back()

    def mark(self) -> None:
        """Send the watermark to the receiver, perhaps a little later."""
        with self._loop.lock:
            self.sending.marked = True
            if time.monotonic_ns() - self._sent_at > _GATHER:
                self._loop.safely(self._pump)
            else:
                self._hold_back()

    def _hold_back(self) -> None:
        if not self._gathering:
            self._gathering = True
            self._loop.later(self._flush)

    def flush(self) -> None:
        """Send what is held back: the stage has nothing more to send for now."""
        if self._gathering or self._left:
            with self._loop.lock:
                self._loop.safely(self._rest)

    def wait_at(self, notifier: Notifier) -> None:
        """Wake the thread waiting at `notifier` when the receiver sends something."""
        with self._loop.lock:
            if self._socket is not None:
                self._left = True
                self._loop.leave(self._socket, notifier)
                self._loop.safely(self._read)

    def close(self) -> None:
        """End the stream after what was sent."""
        with self._loop.lock:
            self.sending.close()
            self._loop.safely(self._rest)

    def leave(self) -> None:
        """Send what was pushed, then nothing more from this process."""
        with self._loop.lock:
            self.sending.leave()
            self._loop.safely(self._rest)

    # -- from any thread

    @property
    def lacks(self) -> str:
        """In words, that the receiver is missing; empty if it is not, or not needed any more."""
        if not self.trouble or self._over:
            return ""
        return f"no link to {self._who} for {self._flow}: {self.trouble}"

    @property
    def _over(self) -> bool:
        """Whether the receiver is known to need nothing more."""
        return self.sending.ended or self.sending.counters[GONE] != 0

    @property
    def unheard(self) -> str:
        """In words, what is not known to have arrived."""
        return (
            f"{self._flow}: {self._who} has not confirmed what was sent to it"
            f" ({self.trouble or 'it takes too long'})"
        )

    # -- the connection, with the loop's lock

    def poll(self, now: float) -> float:
        """Do what is due, and return when something will be due again."""
        late, self._looked = now - self._looked, now
        if self.sending.joined or late > self._timing.silence / 2:  # this process itself was asleep
            self._joined = now
        self._moved()  # the launcher may have changed the counters
        if self._socket is None:
            if now < self._again:
                return self._again
            if self._over and not self.sending.awaited:
                return now + self._timing.heartbeat
            self._open()
        elif self._greeted:
            if late > self._timing.silence / 2:
                self._seen = now  # this process itself was asleep
            if now - self._seen > self._timing.silence:
                self._drop(f"no sign of life for {duration(self._timing.silence)}")
                return self._again
        return now + self._timing.heartbeat / 2

    def end_by(self, asked: float, now: float) -> None:
        """Give up on a host that stays away for a while after the run was `asked` to end."""
        if self.sending.joined or self._over or not self._address.endpoint.startswith("tcp://"):
            return
        if now < max(asked, self._joined) + self._timing.away:
            if not self._awaited:
                self._awaited = True
                _log.warning("waiting for %s: %s", self._who, self.trouble)
            return
        block = self.sending.counters
        left = block[SENT] - block[ARRIVED]
        _log.warning(
            "%s: %s is still away (%s) and is no longer waited for; %d messages sent to it are "
            "not known to have arrived", self._flow, self._who, self.trouble, left,
        )  # fmt: skip
        block[GONE] = gone("crash")
        self.hang_up()
        self._moved()

    def hang_up(self) -> None:
        """Close the connection."""
        socket, monitor = self._socket, self._monitor
        self._socket = self._monitor = None
        self._greeted = self._left = False
        self.sending.lost()
        if socket is not None and monitor is not None:
            self._loop.forget(socket)
            self._loop.forget(monitor)
            sockets.close(socket, monitor)

    def _open(self) -> None:
        socket = sockets.make(self._loop.context, zmq.DEALER, self._most)
        socket.reconnect_ivl = max(1, round(self._timing.retry * 1000))
        socket.reconnect_ivl_max = round(self._timing.heartbeat * 1000)
        if self._address.server_key is not None and self._own is not None:
            security.join(socket, self._own, self._address.server_key)
        self._socket, self._monitor = socket, sockets.watched(socket)
        self._loop.watch(socket, self._read)
        self._loop.watch(self._monitor, self._notice)
        try:
            sockets.connect(socket, self._address.endpoint)
        except HoloflowError as error:
            self._refuse(str(error))

    def _drop(self, trouble: str, pause: float | None = None) -> None:
        """Close the connection, and try again after a while."""
        if self.sending.joined and not self._over:
            _log.warning("%s: the link to %s is broken: %s", self._flow, self._who, trouble)
        self.trouble = trouble
        self.hang_up()
        self._again = time.monotonic() + (self._pause if pause is None else pause)
        self._pause = min(2 * self._pause, self._timing.heartbeat)
        self._loop.hurry()

    def _refuse(self, trouble: str) -> None:
        """Close the connection for longer: only a person can fix the problem."""
        if trouble != self._logged:
            _log.error("%s: no link to %s: %s", self._flow, self._who, trouble)
            self._logged = trouble
        self._drop(trouble, self._timing.refused)

    def _notice(self) -> None:
        if self._monitor is None:
            return
        for event, _ in sockets.events(self._monitor):
            if event == Event.HANDSHAKE_SUCCEEDED:
                self._greet()
            elif event in _REFUSALS:
                self._refuse(_REFUSALS[event])
            elif event == Event.HANDSHAKE_FAILED_NO_DETAIL:
                self._failures += 1
                self.trouble = "the handshake breaks off"
                if self._failures == 3 and self._address.server_key is not None:
                    _log.warning(
                        "%s: the handshake of %s breaks off each time; if that continues, its key "
                        "is not the one allowed here: compare `holoflow keys show` there with "
                        "`holoflow keys list` here", self._flow, self._who,
                    )  # fmt: skip
            elif event == Event.DISCONNECTED and self._greeted:
                self._read()  # first what it has sent: it may have ended the flow, for instance
                if self._greeted:
                    self._drop("the connection broke")
            if self._monitor is None:
                return

    def _greet(self) -> None:
        self._seen = time.monotonic()
        self._greeted = True
        self.trouble = "it has not answered yet"
        self._send(handshake.hello(self.sending.hello()))

    # -- receiving

    def _read(self) -> None:
        for _ in range(_BURST):
            if self._socket is None:
                return
            try:
                part = self._socket.recv(zmq.NOBLOCK)
            except zmq.Again:
                return
            while sockets.more(self._socket):
                self._socket.recv(copy=False)
            try:
                self._receive(part)
            except frames.Malformed as error:
                self._drop(f"it sends invalid messages: {error}", self._timing.refused)
        self._loop.call(self._read)

    def _receive(self, part: bytes) -> None:
        arrived = time.monotonic_ns()
        self._seen = time.monotonic()
        kind = part[0] if part else 0
        if kind == frames.COUNTS and self.sending.joined:
            progress = frames.read_counts(part)
            moved = self.sending.counted(progress)
            if progress.asked:
                self._send_state(progress.asked, arrived)
            if moved:
                self._moved()
            self._flush()
        elif kind == frames.WELCOME and self._greeted:
            welcome = handshake.read_welcome(part)
            self.sending.welcomed(welcome)
            self.trouble = self._logged = ""
            self._pause, self._failures = self._timing.retry, 0
            _log.info("%s: linked to %s", self._flow, self._who)
            self._send_state(welcome.asked, arrived)
            self._flush()
            self._moved()
            self._met(self)
        elif kind == frames.REFUSED:
            self._refuse(f"it refuses: {handshake.read_refused(part)}")
        elif kind == frames.WAIT:
            self.trouble = "it is not ready yet"
        elif kind != frames.COUNTS:
            raise frames.Malformed(f"a message of kind {kind}")

    def _moved(self) -> None:
        block = self.sending.counters
        if block[WANTS_ROOM] or block[GONE]:
            block[WANTS_ROOM] = 0
            self._producer.wake()

    # -- sending

    def _pump(self) -> None:
        """Send what may be sent, and receive what that may have hidden from the loop.

        zeromq signals input once, to the thread that next uses the socket: after sending, this
        thread must check for input itself, or leave a socket that the stage checks to the stage.
        """
        self._flush()
        if self._socket is None:
            return
        # A check costs a system call, and waking the loop costs more: while messages follow one
        # another closely, it is enough to check once every `_DEAF` nanoseconds.
        going = self.sending.joined and self.sending.blocks
        if going and self._sent_at - self._listened < _DEAF:
            if not self._left:
                self._left = True
                self._loop.leave(self._socket)
        else:
            self._listened = self._sent_at
            if sockets.has_input(self._socket):
                self._read()

    def _rest(self) -> None:
        """Send what is held back, and let the loop check for input again."""
        self._flush()
        self._left = False
        if self._socket is not None:
            self._loop.take_back(self._socket)
            self._read()

    def _flush(self) -> None:
        """Send what may be sent, in portions."""
        self._gathering, self._gathered = False, 0
        if not self.sending.joined:
            return
        self._sent_at = time.monotonic_ns()
        going = list(islice(iter(self.sending.next, None), _BURST))
        for first, buffers in frames.gathered(going):
            self._send(first, buffers)
        if len(going) == _BURST:
            self._loop.call(self._flush)
        elif self.sending.due():
            self._send_state()

    def _send_state(self, asked: int = 0, arrived: int = 0) -> None:
        self._send(frames.state(self.sending.state(asked, arrived, time.monotonic_ns())))

    def _send(self, first: bytes, buffers: Sequence[Buffer] = ()) -> None:
        if self._socket is not None:
            sockets.send(self._socket, first, buffers)
