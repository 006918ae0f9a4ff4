"""The sending end of a flow in the thread that owns the sockets: it connects, and comes again."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from itertools import islice
from typing import Final

import zmq

from holoflow.errors import HoloflowError
from holoflow.flow.ledger import GONE, WANTS_ROOM
from holoflow.link.ends import LinkedFlow, Producer
from holoflow.link.keys import OwnKeys
from holoflow.link.zeromq import curve, frames, handshake, sockets
from holoflow.link.zeromq.frames import Message
from holoflow.link.zeromq.loop import Loop
from holoflow.link.zeromq.sending import Sending
from holoflow.link.zeromq.settings import Address, Timing
from holoflow.link.zeromq.sockets import Event

_log = logging.getLogger("holoflow.link")

_BURST: Final = 500
"""Messages that are sent before others get their turn."""


class Dial:
    """A connection for one flow, made again whenever it breaks.

    `lock` guards `sending`, which the stage's thread uses too; all else belongs to the loop.
    """

    def __init__(
        self,
        loop: Loop,
        linked: LinkedFlow,
        sending: Sending,
        producer: Producer,
        address: Address,
        own: OwnKeys | None,
        timing: Timing,
        most: int,
        met: Callable[[Dial], None],
    ) -> None:
        """Do nothing yet; the loop is to call `look`. `met` is called at each welcome."""
        self.lock = threading.Lock()
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
        self._pause = timing.retry
        self._failures = 0
        self._logged = ""
        self._asked = False

    def soon(self) -> None:
        """Have what may be sent sent. From any thread."""
        if not self._asked:
            self._asked = True
            self._loop.call(self._flush)

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

    # -- the connection

    def look(self, now: float) -> float:
        """Do what is due; return when there will be something again."""
        late, self._looked = now - self._looked, now
        self._moved()  # the row may have been changed by someone else: the launcher
        if self._socket is None:
            if now < self._again:
                return self._again
            if self._over and not self.sending.awaited:
                return now + self._timing.beat
            self._open()
        elif self._greeted:
            if late > self._timing.silence / 2:
                self._seen = now  # we were not there ourselves
            if now - self._seen > self._timing.silence:
                self._drop(f"no sign of life for {self._timing.silence:g} s")
                return self._again
        return now + self._timing.beat / 2

    def close(self) -> None:
        """Go away."""
        socket, monitor = self._socket, self._monitor
        self._socket = self._monitor = None
        self._greeted = False
        with self.lock:
            self.sending.lost()
        if socket is not None and monitor is not None:
            self._loop.forget(socket)
            self._loop.forget(monitor)
            sockets.close(socket, monitor)

    def _open(self) -> None:
        socket = sockets.make(self._loop.context, zmq.DEALER, self._most)
        socket.reconnect_ivl = max(1, round(self._timing.retry * 1000))
        socket.reconnect_ivl_max = round(self._timing.beat * 1000)
        if self._address.server_key is not None and self._own is not None:
            curve.join(socket, self._own, self._address.server_key)
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
        self.close()
        self._again = time.monotonic() + (self._pause if pause is None else pause)
        self._pause = min(2 * self._pause, self._timing.beat)
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
        with self.lock:
            hello = self.sending.hello()
        self._send(handshake.hello(hello))

    # -- what comes

    def _read(self) -> None:
        while self._socket is not None:
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

    def _hear(self, part: bytes) -> None:
        heard = time.monotonic_ns()
        self._seen = time.monotonic()
        kind = part[0] if part else 0
        if kind == frames.COUNTS and self.sending.joined:
            told = frames.read_counts(part)
            with self.lock:
                moved = self.sending.counted(told)
            if told.asked:
                self._tell(told.asked, heard)
            if moved:
                self._moved()
            self._flush()
        elif kind == frames.WELCOME and self._greeted:
            welcome = handshake.read_welcome(part)
            with self.lock:
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

    def _flush(self) -> None:
        """Send what may be sent, some of it at a time."""
        self._asked = False
        if not self.sending.joined:
            return
        with self.lock:
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
            self.soon()
        elif self.sending.due():
            self._tell()

    def _tell(self, asked: int = 0, heard: int = 0) -> None:
        with self.lock:
            state = self.sending.state(asked, heard, time.monotonic_ns())
        self._send(frames.state(state))

    def _send(self, part: bytes) -> None:
        if self._socket is not None:
            self._socket.send(part, zmq.NOBLOCK)

    def _send_bulk(self, message: Message) -> None:
        if self._socket is None:
            return
        self._socket.send(frames.bulk(message), zmq.NOBLOCK | zmq.SNDMORE)
        parts = (message.head, *message.buffers)
        for at, part in enumerate(parts, 1):
            more = zmq.SNDMORE if at < len(parts) else 0
            self._socket.send(part, zmq.NOBLOCK | more, copy=len(part) < sockets.BULKY)
