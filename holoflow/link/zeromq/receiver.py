"""The receiving end of a flow, between the sockets and the stage."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from holoflow.link.clock import ClockOffset
from holoflow.link.ends import Consumer, LinkedFlow, Notifier
from holoflow.link.zeromq import frames, handshake
from holoflow.link.zeromq.frames import FlowMessage, SenderProgress
from holoflow.link.zeromq.handshake import FlowHello
from holoflow.link.zeromq.listener import FlowListener
from holoflow.link.zeromq.loop import Loop
from holoflow.link.zeromq.receiver_state import ReceiverState
from holoflow.link.zeromq.settings import Timing
from holoflow.stats.counters import ARRIVED, CLOSED, WANTS_ROOM, finished

if TYPE_CHECKING:
    from holoflow.link.zeromq.dispatcher import Dispatcher


class StartBarrier:
    """Keeps a fragment from processing until its connections know their numbers.

    A fragment on a host with new counters may join an app that has been running for long. Its
    messages have to continue the numbering that their receivers know, and the receivers tell it
    in the handshake. Until then it must not send, and it does not as long as it receives nothing.
    """

    def __init__(self) -> None:
        self._waiting: set[object] = set()
        self.open = True

    def wait_for(self, who: object) -> None:
        """Stay closed until `met` has been called for `who`."""
        self._waiting.add(who)
        self.open = False

    def met(self, who: object) -> bool:
        """Record that `who` has connected; return whether that has opened the barrier."""
        self._waiting.discard(who)
        was, self.open = self.open, not self._waiting
        return self.open and not was


_log = logging.getLogger("holoflow.link")

_UNKNOWN: Final = 1 << 62
"""Uncertainty of a clock of which nothing is known, in nanoseconds."""
_OFTEN: Final = 0.001
"""Seconds within which the counters are sent only once unless half the queue has been taken:
sending them, and waking the sender, can cost more than processing a message."""


@dataclass(frozen=True)
class Peer:
    """A connected sender."""

    listener: FlowListener
    name: bytes

    def send(self, part: bytes) -> bool:
        """Send to it; return whether it is still connected."""
        return self.listener.send(self.name, part)


class ZeroMQInlet:
    """The `Inlet` of zeromq links."""

    def __init__(
        self,
        loop: Loop,
        dispatcher: Dispatcher,
        linked: LinkedFlow,
        consumer: Consumer,
        counters: str,
        timing: Timing,
        barrier: StartBarrier,
    ) -> None:
        """Wait for a sender; nothing is delivered before the barrier is open."""
        self.linked = linked
        self.receiving = ReceiverState(linked, counters, time.monotonic())
        self.peer: Peer | None = None
        self.suspended = False
        self.notifier: Notifier | None = None
        """Where the receiving stage waits, if it has a notifier of its own."""
        self._loop = loop
        self._dispatcher = dispatcher
        self._consumer = consumer
        self._timing = timing
        self._barrier = barrier
        self._clock = ClockOffset()
        self._sleeping = False
        self._watermark = 0
        self._marked = False
        """Whether the watermark has changed since the last poll."""
        self._half = max(1, linked.flow.queue // 2)
        self._taken = 0
        """Messages taken since the counters were last sent."""
        self._reported = 0.0
        self._reported_count = 0
        self._answered = False
        """Whether the peer has received the welcome, and with it the progress of this end."""
        self._awaited = False
        """Whether it was logged that the end of the run waits for the sender."""
        self._flow = f"{linked.flow.source} -> {linked.flow.target}"

    # -- from the stage's thread

    def poll(self) -> None:
        """Deliver what has arrived."""
        self._sleeping = self._marked = False
        receiving = self.receiving
        if not receiving.backlog:
            with self._loop.lock:
                self._loop.safely(self._dispatcher.read)
        if self._barrier.open and receiving.backlog:
            receiving.deliver(self._consumer)
            if not receiving.blocks:
                self.took()

    def about_to_sleep(self, notifier: Notifier | None = None) -> bool:
        """Have the stage woken by later messages; return False if something is there already."""
        with self._loop.lock:
            if self._owes():
                self._loop.safely(self._send_counts)
            self.notifier = notifier
            self._loop.safely(self._dispatcher.lead)
            self._loop.safely(self._dispatcher.read)
            self._sleeping = not (self._barrier.open and (self.receiving.backlog or self._marked))
        return self._sleeping

    def took(self) -> None:
        """Send the counters, unless the sender is awake and shares them."""
        receiving = self.receiving
        sees = receiving.shared and receiving.blocks and not receiving.ended
        if sees and not receiving.counters[WANTS_ROOM]:
            return
        self._taken += 1
        soon = self._taken >= self._half or receiving.ended
        if soon or time.monotonic() - self._reported > _OFTEN:
            self._from_stage(self._send_counts)

    def _owes(self) -> bool:
        """Whether the sender must get the counters now, as nothing may be taken for long."""
        receiving = self.receiving
        if not receiving.blocks:
            return self._taken > 0
        done = finished(receiving.counters)
        new = done - self._reported_count
        # If nothing waits here, the sender has room for at least half a queue.
        return new >= self._half or (new > 0 and receiving.counters[ARRIVED] > done)

    def suspend(self) -> None:
        """Receive nothing more in this process."""
        self.suspended = True

    def abandon(self) -> None:
        """Tell the sender that nothing more will be received."""
        self._from_stage(self._send_counts)

    def _from_stage(self, function: Callable[[], None]) -> None:
        with self._loop.lock:
            self._loop.safely(function)
            self._loop.safely(self._dispatcher.read)  # sending may have consumed a signal of input

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
        """Wake the stage, if it sleeps."""
        if self._sleeping:
            self._sleeping = False
            self._consumer.wake()

    @property
    def lacks(self) -> str:
        """In words, that the sender is missing; empty if it is not, or not needed any more."""
        if (self.peer is not None and self._answered) or self.receiving.ended:
            return ""
        return f"no link from {self.linked.source} for {self._flow}: it has not connected yet"

    # -- with the loop's lock

    def welcome(self, peer: Peer, hello: FlowHello) -> None:
        """Receive from `peer` from now on."""
        before = self.receiving.sender
        if before is None or before.counters != hello.counters:
            self._clock = ClockOffset()
        self.peer, self._answered = peer, False
        answer = self.receiving.greet(hello, time.monotonic(), time.monotonic_ns())
        peer.send(handshake.welcome(answer))
        _log.info("%s: linked to %s", self._flow, self.linked.source)

    def take(self, message: FlowMessage) -> str:
        """Accept a message of the peer; return why not, or an empty text."""
        why = self.receiving.take(message, time.monotonic())
        if self._barrier.open:
            self.wake()
        return why

    def learn(self, state: SenderProgress, arrived: int) -> None:
        """Update from the peer's progress, which it first sends when it has been welcomed."""
        self._answered = True
        if state.asked:
            self._clock.add(state.asked, state.arrived, state.replied, arrived)
        self.receiving.learn(state, time.monotonic())
        if state.watermark != self._watermark:
            self._watermark, self._marked = state.watermark, True
        if (self.receiving.backlog or self._marked) and self._barrier.open:
            self.wake()
        elif self.receiving.ended:
            self._send_counts()

    def heartbeat(self, now: float, *, asleep: bool) -> None:
        """Send a heartbeat, and check that of the sender.

        `asleep`: this process itself was asleep, so one may have arrived and not been read yet.
        """
        if asleep:
            self.receiving.seen = now
        self._send_counts(time.monotonic_ns())
        self.receiving.poll(now, self._timing, alone=self.peer is None)
        if self.receiving.backlog and self._barrier.open:
            self.wake()

    def end_by(self, asked: float, now: float) -> None:
        """Give up on a host that stays away for a while after the run was `asked` to end."""
        receiving = self.receiving
        if receiving.ended or receiving.shared or self.alive(now):
            return
        source = self.linked.source
        if now < max(asked, receiving.seen) + self._timing.away:
            if not self._awaited:
                self._awaited = True
                _log.warning("waiting for %s: nothing is heard from it", source)
            return
        _log.warning("%s: %s is still away and is no longer waited for", self._flow, source)
        receiving.counters[CLOSED] = 1
        receiving.give_up()
        self.wake()

    def alive(self, now: float) -> bool:
        """Whether the sender has been heard from recently."""
        return self.peer is not None and now - self.receiving.seen <= self._timing.silence

    def leave(self) -> None:
        """Send the final counters."""
        self._send_counts()

    def _send_counts(self, asked: int = 0) -> None:
        self._taken, self._reported = 0, time.monotonic()
        self._reported_count = finished(self.receiving.counters)
        if self.peer is None:
            return
        if not self.peer.send(frames.counts(self.receiving.counts(asked))):
            self.peer = None
            if not self.receiving.ended:
                _log.warning("%s: the link from %s is broken", self._flow, self.linked.source)
