"""The sending end of a flow at its socket: it connects, sends, and comes again."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from itertools import islice
from typing import Final

import zmq

from holoflow.core.errors import HoloflowError
from holoflow.link.ends import LinkedFlow, Notifier, Producer
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
"""Messages that are sent, or heard, before others get their turn."""
_DEAF: Final = 500_000
"""Nanoseconds in which one who sends looks once whether something has come."""
_GATHER: Final = 300_000
"""Nanoseconds after messages were sent in which small ones wait for others to travel with them."""
_GATHERED: Final = 64
"""Small messages that wait for no more."""


class Connection:
    """A connection for one flow, made again whenever it breaks.

    It belongs to who holds the loop's lock: mostly the stage that sends, else the loop.
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
        """Do nothing yet; the loop is to call `poll`. `met` is called at each welcome."""
        self.sending = sending
        self.trouble = "it was not reached yet"
        """Why the receiver is not there; empty while it is."""
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
        """When the receiver was last there."""
        self._awaited = False
        """Whether it was said that the end of the run waits for the receiver."""
        self._pause = timing.retry
        self._failures = 0
        self._logged = ""
        self._gathering = False
        """Whether small messages wait for others."""
        self._gathered = 0
        self._most_gathered = min(_GATHERED, max(1, linked.flow.queue // 2))
        self._sent_at = self._listened = 0
        self._left = False
        """Whether it is the stage that looks whether something has come."""

    # -- from the stage's thread

    def send(self, message: FlowMessage) -> None:
        """Send `message` if it may go, a small one maybe a little later, with others."""
        with self._loop.lock:
            self.sending.push(message)
            self._gathered += 1
            if (
                message.packed is None
                or self._gathered >= self._most_gathered
                or time.monotonic_ns() - self._sent_at > _GATHER
            ):
                self._loop.safely(self._pump)
            elif not self._gathering:
                self._gathering = True
                self._loop.later(self._flush)

    def mark(self) -> None:
        """Tell the receiver the row's watermark, maybe a little later."""
        with self._loop.lock:
            self.sending.marked = True
            if time.monotonic_ns() - self._sent_at > _GATHER:
                self._loop.safely(self._pump)
            elif not self._gathering:
                self._gathering = True
                self._loop.later(self._flush)

    def flush(self) -> None:
        """Have nothing wait for others any more: the stage has nothing to send for now."""
        if self._gathering or self._left:
            with self._loop.lock:
                self._loop.safely(self._rest)

    def wait_at(self, notifier: Notifier) -> None:
        """Have who waits at `notifier` woken by what the receiver says."""
        with self._loop.lock:
            if self._socket is not None:
                self._left = True
                self._loop.leave(self._socket, notifier)
                self._loop.safely(self._read)

    def close(self) -> None:
        """End the stream behind what was sent."""
        with self._loop.lock:
            self.sending.close()
            self._loop.safely(self._rest)

    def leave(self) -> None:
        """Send what was given, and then no more."""
        with self._loop.lock:
            self.sending.leave()
            self._loop.safely(self._rest)

    # -- from any thread

    @property
    def lacks(self) -> str:
        """Say that the receiver is not there; empty where it is, or is not needed any more."""
        if not self.trouble or self._over:
            return ""
        return f"no link to {self._who} for {self._flow}: {self.trouble}"

    @property
    def _over(self) -> bool:
        """Whether the receiver needs nothing more, as far as is known."""
        return self.sending.ended or self.sending.row[GONE] != 0

    @property
    def unheard(self) -> str:
        """Say what is not known to have arrived."""
        return (
            f"{self._flow}: {self._who} has not confirmed what was sent to it"
            f" ({self.trouble or 'it takes too long'})"
        )

    # -- the connection, with the loop's lock

    def poll(self, now: float) -> float:
        """Do what is due; return when there will be something again."""
        late, self._looked = now - self._looked, now
        if self.sending.joined or late > self._timing.silence / 2:  # we were not there ourselves
            self._joined = now
        self._moved()  # the row may have been changed by someone else: the launcher
        if self._socket is None:
            if now < self._again:
                return self._again
            if self._over and not self.sending.awaited:
                return now + self._timing.heartbeat
            self._open()
        elif self._greeted:
            if late > self._timing.silence / 2:
                self._seen = now  # we were not there ourselves
            if now - self._seen > self._timing.silence:
                self._drop(f"no sign of life for {self._timing.silence:g} s")
                return self._again
        return now + self._timing.heartbeat / 2

    def end_by(self, asked: float, now: float) -> None:
        """Do without a host that is away, a while after the run was `asked` to end."""
        if self.sending.joined or self._over or not self._address.endpoint.startswith("tcp://"):
            return
        if now < max(asked, self._joined) + self._timing.away:
            if not self._awaited:
                self._awaited = True
                _log.warning("waiting for %s: %s", self._who, self.trouble)
            return
        row = self.sending.row
        left = row[SENT] - row[ARRIVED]
        _log.warning(
            "%s: %s is still away (%s) and is waited for no longer; of what was sent to it %d "
            "messages are not known to have arrived", self._flow, self._who, self.trouble, left,
        )  # fmt: skip
        row[GONE] = gone("crash")
        self.hang_up()
        self._moved()

    def hang_up(self) -> None:
        """Go away."""
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
        """Give the connection up, and try again after a while."""
        if self.sending.joined and not self._over:
            _log.warning("%s: the link to %s is broken: %s", self._flow, self._who, trouble)
        self.trouble = trouble
        self.hang_up()
        self._again = time.monotonic() + (self._pause if pause is None else pause)
        self._pause = min(2 * self._pause, self._timing.heartbeat)
        self._loop.hurry()

    def _refuse(self, trouble: str) -> None:
        """Give up for longer: only a person can help."""
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
            elif event == Event.HANDSHAKE_FAILED_AUTH:
                self._refuse(
                    "it does not allow the key of this host; allow it there with the line that "
                    "`holoflow keys show` prints here"
                )
            elif event == Event.HANDSHAKE_FAILED_PROTOCOL:
                self._refuse(
                    "one end encrypts and the other does not, or it is no link of holoflow; "
                    "start both from the same app"
                )
            elif event == Event.HANDSHAKE_FAILED_NO_DETAIL:
                self._failures += 1
                self.trouble = "it breaks off"
                if self._failures == 3 and self._address.server_key is not None:
                    _log.warning(
                        "%s: %s breaks off each time; if it goes on, its key is not the one "
                        "that is allowed here: compare `holoflow keys show` there with "
                        "`holoflow keys list` here", self._flow, self._who,
                    )  # fmt: skip
            elif event == Event.DISCONNECTED and self._greeted:
                self._read()  # first what it has said: that it takes nothing more, for instance
                if self._greeted:
                    self._drop("the connection broke")
            if self._monitor is None:
                return

    def _greet(self) -> None:
        self._seen = time.monotonic()
        self._greeted = True
        self.trouble = "it has not answered yet"
        self._send(handshake.hello(self.sending.hello()))

    # -- what comes

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
                self._hear(part)
            except frames.Malformed as error:
                self._drop(f"it sends what none of ours would: {error}", self._timing.refused)
        self._loop.call(self._read)

    def _hear(self, part: bytes) -> None:
        heard = time.monotonic_ns()
        self._seen = time.monotonic()
        kind = part[0] if part else 0
        if kind == frames.COUNTS and self.sending.joined:
            told = frames.read_counts(part)
            moved = self.sending.counted(told)
            if told.asked:
                self._tell(told.asked, heard)
            if moved:
                self._moved()
            self._flush()
        elif kind == frames.WELCOME and self._greeted:
            welcome = handshake.read_welcome(part)
            self.sending.welcomed(welcome)
            self.trouble = self._logged = ""
            self._pause, self._failures = self._timing.retry, 0
            _log.info("%s: linked to %s", self._flow, self._who)
            self._tell(welcome.asked, heard)
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
        row = self.sending.row
        if row[WANTS_ROOM] or row[GONE]:
            row[WANTS_ROOM] = 0
            self._producer.wake()

    # -- what goes

    def _pump(self) -> None:
        """Send what may be sent, and hear what that may have hidden from the loop."""
        self._flush()
        if self._socket is None:
            return
        # To look is a system call, and to be woken is worse, for who sends one after the other.
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
        """Send what waits, and let the loop look for what comes."""
        self._flush()
        self._left = False
        if self._socket is not None:
            self._loop.take_back(self._socket)
            self._read()

    def _flush(self) -> None:
        """Send what may be sent, some of it at a time."""
        self._gathering, self._gathered = False, 0
        if not self.sending.joined:
            return
        self._sent_at = time.monotonic_ns()
        going = list(islice(iter(self.sending.next, None), _BURST))
        small: list[bytes] = []
        size = 0
        for message in going:
            if message.packed is not None:
                small.append(message.packed)
                size += len(message.packed)
            if small and (message.packed is None or size > frames.PACKED):
                self._send(frames.pack(small))
                small, size = [], 0
            if message.packed is None:
                self._send_bulk(message)
        if small:
            self._send(frames.pack(small))
        if len(going) == _BURST:
            self._loop.call(self._flush)
        elif self.sending.due():
            self._tell()

    def _tell(self, asked: int = 0, heard: int = 0) -> None:
        self._send(frames.state(self.sending.state(asked, heard, time.monotonic_ns())))

    def _send(self, part: bytes) -> None:
        if self._socket is not None:
            self._socket.send(part, sockets.LAST)

    def _send_bulk(self, message: FlowMessage) -> None:
        if self._socket is None:
            return
        last = len(message.buffers)
        self._socket.send(frames.bulk(message), sockets.MORE if last else sockets.LAST)
        for at, part in enumerate(message.buffers, 1):
            flags = sockets.MORE if at < last else sockets.LAST
            self._socket.send(part, flags, copy=len(part) < sockets.BULKY)
