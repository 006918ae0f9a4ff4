"""The receiving end of a flow: between the sockets and the stage."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from holoflow.link.clock import ClockOffset
from holoflow.link.ends import Consumer, LinkedFlow, Notifier
from holoflow.link.zeromq import frames, handshake
from holoflow.link.zeromq.counts import worked_off
from holoflow.link.zeromq.frames import FlowMessage, SenderProgress
from holoflow.link.zeromq.handshake import FlowHello
from holoflow.link.zeromq.listener import FlowListener
from holoflow.link.zeromq.loop import Loop
from holoflow.link.zeromq.receiver_state import ReceiverState
from holoflow.link.zeromq.settings import Timing
from holoflow.stats.counters import ARRIVED, CLOSED, WANTS_ROOM

if TYPE_CHECKING:
    from holoflow.link.zeromq.dispatcher import Dispatcher


class StartBarrier:
    """Open once all have met whom they wait for.

    A fragment on a host whose ledger is new may join an app that has run for long. What it sends
    has to go on with the numbers that its receivers know. They tell it when they meet; so until
    then it must not send, and it does not as long as it is given nothing.
    """

    def __init__(self) -> None:
        """Wait for nobody."""
        self._waiting: set[object] = set()
        self.open = True

    def wait_for(self, who: object) -> None:
        """Stay shut until `met` has been called for `who`."""
        self._waiting.add(who)
        self.open = False

    def met(self, who: object) -> bool:
        """Note that `who` was met; return whether that has opened the gate."""
        self._waiting.discard(who)
        was, self.open = self.open, not self._waiting
        return self.open and not was


_log = logging.getLogger("holoflow.link")

_UNKNOWN: Final = 1 << 62
"""How far a clock may be off of which nothing is known."""
_OFTEN: Final = 0.001
"""Seconds within which a sender is told once of messages that were taken, until it is half the
queue: to tell it, and to wake it, takes longer than many a message."""


@dataclass(frozen=True)
class Peer:
    """A connection."""

    door: FlowListener
    name: bytes

    def send(self, part: bytes) -> bool:
        """Send to it; return whether it is still there."""
        return self.door.send(self.name, part)


class ZeroMQInlet:
    """An `Inlet`."""

    def __init__(
        self,
        loop: Loop,
        reception: Dispatcher,
        linked: LinkedFlow,
        consumer: Consumer,
        counters: str,
        timing: Timing,
        gate: StartBarrier,
    ) -> None:
        """Wait for a sender; nothing is delivered before `gate` is open."""
        self.linked = linked
        self.receiving = ReceiverState(linked, counters, time.monotonic())
        self.peer: Peer | None = None
        self.suspended = False
        self.notifier: Notifier | None = None
        """Where the stage waits that takes what comes, if it does."""
        self._loop = loop
        self._reception = reception
        self._consumer = consumer
        self._timing = timing
        self._gate = gate
        self._clock = ClockOffset()
        self._sleeping = False
        self._watermark = 0
        self._marked = False
        """Whether the watermark has moved since the stage looked."""
        self._half = max(1, linked.flow.queue // 2)
        self._taken = 0
        """Messages since the sender was told."""
        self._told = 0.0
        self._told_off = 0
        self._answered = False
        """Whether the peer has heard that it is welcome, and with that how far this end is."""
        self._awaited = False
        """Whether it was said that the end of the run waits for the sender."""
        self._flow = f"{linked.flow.source} -> {linked.flow.target}"

    # -- from the stage's thread

    def poll(self) -> None:
        """Deliver what has come."""
        self._sleeping = self._marked = False
        receiving = self.receiving
        if not receiving.backlog:
            with self._loop.lock:
                self._loop.safely(self._reception.read)
        if self._gate.open and receiving.backlog:
            receiving.deliver(self._consumer)
            if not receiving.blocks:
                self.took()

    def about_to_sleep(self, notifier: Notifier | None = None) -> bool:
        """Have the stage woken by what comes from now on; false where something is there."""
        with self._loop.lock:
            if self._owes():
                self._loop.safely(self._tell)
            self.notifier = notifier
            self._loop.safely(self._reception.lead)
            self._loop.safely(self._reception.read)
            self._sleeping = not (self._gate.open and (self.receiving.backlog or self._marked))
        return self._sleeping

    def took(self) -> None:
        """Tell the sender, where it does not see it by itself, or sleeps."""
        receiving = self.receiving
        sees = receiving.shared and receiving.blocks and not receiving.ended
        if sees and not receiving.row[WANTS_ROOM]:
            return
        self._taken += 1
        soon = self._taken >= self._half or receiving.ended
        if soon or time.monotonic() - self._told > _OFTEN:
            self._from_stage(self._tell)

    def _owes(self) -> bool:
        """Whether the sender must hear what it was not told yet: nothing may be taken for long."""
        receiving = self.receiving
        if not receiving.blocks:
            return self._taken > 0
        off = worked_off(receiving.row)
        new = off - self._told_off
        # Where nothing waits here, the sender has room for at least half a queue.
        return new >= self._half or (new > 0 and receiving.row[ARRIVED] > off)

    def suspend(self) -> None:
        """Receive nothing more in this process."""
        self.suspended = True

    def abandon(self) -> None:
        """Tell the sender that nothing more will be taken."""
        self._from_stage(self._tell)

    def _from_stage(self, function: Callable[[], None]) -> None:
        with self._loop.lock:
            self._loop.safely(function)
            self._loop.safely(self._reception.read)  # what that may have hidden from the loop

    # -- from any thread

    def shift(self) -> tuple[int, int]:
        """Return (offset, uncertainty) in nanoseconds of the sender's clock."""
        if self.receiving.shared:
            return 0, 0
        offset = self._clock.offset
        if offset is None:
            return 0, _UNKNOWN
        return offset, int(self._clock.uncertainty_at(time.monotonic_ns()))

    def wake(self) -> None:
        """Have the stage look, if it sleeps."""
        if self._sleeping:
            self._sleeping = False
            self._consumer.wake()

    @property
    def lacks(self) -> str:
        """Say that the sender is not there; empty where it is, or is not needed any more."""
        if (self.peer is not None and self._answered) or self.receiving.ended:
            return ""
        return f"no link from {self.linked.source} for {self._flow}: it has not come yet"

    # -- with the loop's lock

    def welcome(self, peer: Peer, hello: FlowHello) -> None:
        """Take what comes from `peer` from now on."""
        before = self.receiving.sender
        if before is None or before.counters != hello.counters:
            self._clock = ClockOffset()
        self.peer, self._answered = peer, False
        answer = self.receiving.greet(hello, time.monotonic(), time.monotonic_ns())
        peer.send(handshake.welcome(answer))
        _log.info("%s: linked to %s", self._flow, self.linked.source)

    def take(self, message: FlowMessage) -> str:
        """Take a message of the peer; return why not, if not."""
        why = self.receiving.take(message, time.monotonic())
        if self._gate.open:
            self.wake()
        return why

    def learn(self, state: SenderProgress, heard: int) -> None:
        """Take what the peer says of itself, which it does first when it has been welcomed."""
        self._answered = True
        if state.asked:
            self._clock.add(state.asked, state.heard, state.told, heard)
        self.receiving.learn(state, time.monotonic())
        if state.watermark != self._watermark:
            self._watermark, self._marked = state.watermark, True
        if (self.receiving.backlog or self._marked) and self._gate.open:
            self.wake()
        elif self.receiving.ended:
            self._tell()

    def heartbeat(self, now: float, *, asleep: bool) -> None:
        """Give and look for a sign of life; `asleep`: it may have come and not been read yet."""
        if asleep:
            self.receiving.seen = now
        self._tell(time.monotonic_ns())
        self.receiving.poll(now, self._timing, alone=self.peer is None)
        if self.receiving.backlog and self._gate.open:
            self.wake()

    def end_by(self, asked: float, now: float) -> None:
        """Do without a host that is away, a while after the run was `asked` to end."""
        receiving = self.receiving
        if receiving.ended or receiving.shared or self.alive(now):
            return
        source = self.linked.source
        if now < max(asked, receiving.seen) + self._timing.away:
            if not self._awaited:
                self._awaited = True
                _log.warning("waiting for %s: nothing is heard of it", source)
            return
        _log.warning("%s: %s is still away and is waited for no longer", self._flow, source)
        receiving.row[CLOSED] = 1
        receiving.give_up()
        self.wake()

    def alive(self, now: float) -> bool:
        """Whether the sender has been heard of lately."""
        return self.peer is not None and now - self.receiving.seen <= self._timing.silence

    def leave(self) -> None:
        """Say how far this end is for the last time."""
        self._tell()

    def _tell(self, asked: int = 0) -> None:
        self._taken, self._told = 0, time.monotonic()
        self._told_off = worked_off(self.receiving.row)
        if self.peer is None:
            return
        if not self.peer.send(frames.counts(self.receiving.counts(asked))):
            self.peer = None
            if not self.receiving.ended:
                _log.warning("%s: the link from %s is broken", self._flow, self.linked.source)
