"""Admits senders to the flows of a fragment, and passes their messages on."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from holoflow.core.listener import Refusals
from holoflow.link.zeromq import frames, handshake
from holoflow.link.zeromq.handshake import FlowHello
from holoflow.link.zeromq.listener import FlowListener
from holoflow.link.zeromq.receiver import Peer, ZeroMQInlet
from holoflow.link.zeromq.settings import AppIdentity, Timing

_MOST: Final = 1000
"""Peers that are remembered although they may not send, or not yet send."""


class Dispatcher:
    """Handles everything received by the listeners of a fragment.

    It may be used by the thread that holds the loop's lock.
    """

    def __init__(self, app: AppIdentity, timing: Timing, refusals: Refusals) -> None:
        """Admit no sender before `accept`."""
        self.inlets: dict[int, ZeroMQInlet] = {}
        self.listeners: list[FlowListener] = []
        self._app = app
        self._timing = timing
        self._refusals = refusals
        self._accepting = False
        self._known: dict[Peer, ZeroMQInlet] = {}
        self._waiting: dict[Peer, FlowHello] = {}
        self._former: dict[Peer, None] = {}
        self._next = time.monotonic()

    def add(self, inlet: ZeroMQInlet) -> None:
        """Pass messages of its flow to `inlet`."""
        self.inlets[inlet.linked.number] = inlet

    def read(self) -> None:
        """Read what the listeners have received."""
        for listener in self.listeners:
            listener.read()

    def lead(self) -> None:
        """Let input wake the stage directly, if all flows lead to one stage with a notifier."""
        leaders = {inlet.notifier for inlet in self.inlets.values()}
        leader = leaders.pop() if len(leaders) == 1 else None
        for listener in self.listeners:
            listener.lead_to(leader)

    def accept(self) -> None:
        """Admit the senders that wait, and those that come later."""
        self._accepting = True
        waiting, self._waiting = self._waiting, {}
        for peer, hello in waiting.items():
            self._judge(peer, hello)

    def heartbeat(self, now: float) -> float:
        """Send heartbeats if they are due; return when the next are due."""
        if now >= self._next:
            asleep = now - self._next > self._timing.silence / 2  # this process itself was asleep
            self._next = now + self._timing.heartbeat
            # The reply measures the clock offset: it must not wait for a stage that is busy.
            for listener in self.listeners:
                listener.lead_to(None)
            for inlet in self.inlets.values():
                inlet.heartbeat(now, asleep=asleep)
            for peer in [p for p in self._waiting if not p.send(bytes([frames.WAIT]))]:
                del self._waiting[peer]
        return self._next

    def leave(self) -> None:
        """Send the final counters to all senders."""
        for inlet in self.inlets.values():
            inlet.leave()

    def receive(
        self, listener: FlowListener, name: bytes, part: bytes, rest: Sequence[memoryview]
    ) -> None:
        """Handle a message; count it as refused if it is invalid."""
        arrived = time.monotonic_ns()
        peer = Peer(listener, name)
        kind = part[0] if part else 0
        inlet = self._known.get(peer)
        try:
            if kind == frames.HELLO:
                self._greet(peer, part)
            elif inlet is None:
                if peer not in self._former:
                    self._refusals.add(
                        "unknown",
                        f"a message to {listener.endpoint} from a peer without a greeting",
                    )
            elif kind == frames.BULK:
                self._take(inlet, frames.read_bulk(part, rest))
            elif kind == frames.PACK:
                for message in frames.unpack(part):
                    self._take(inlet, message)
            elif kind == frames.STATE:
                inlet.learn(frames.read_state(part), arrived)
            else:
                raise frames.Malformed(f"a message of kind {kind}")
        except frames.Malformed as error:
            self._refusals.add("malformed", f"{error}, received at {listener.endpoint}")

    def _greet(self, peer: Peer, part: bytes) -> None:
        said = handshake.read_hello(part)
        cause, reason = handshake.stranger(said, self._app)
        if cause or isinstance(said, int):
            self._refuse(peer, cause, reason)
        elif self._accepting:
            self._judge(peer, said)
        elif len(self._waiting) < _MOST:
            self._waiting[peer] = said
            peer.send(bytes([frames.WAIT]))

    def _judge(self, peer: Peer, hello: FlowHello) -> None:
        """Admit a sender of this app, if the flow has none."""
        inlet = self.inlets.get(hello.flow)
        if inlet is None or not handshake.names(hello, inlet.linked):
            reason = (
                f"no flow {hello.source} -> {hello.target} with the number {hello.flow} "
                "leads to this fragment"
            )
            self._refuse(peer, "flow", reason)
            return
        if inlet.suspended:
            self._waiting[peer] = hello
            peer.send(bytes([frames.WAIT]))
            return
        conflict = inlet.receiving.conflict(hello, alive=inlet.alive(time.monotonic()))
        if conflict:
            self._refuse(peer, "second", conflict)
            return
        for former in [p for p, known in self._known.items() if known is inlet]:
            del self._known[former]
            self._forget(former)
        self._former.pop(peer, None)
        self._known[peer] = inlet
        inlet.welcome(peer, hello)

    def _refuse(self, peer: Peer, cause: str, reason: str) -> None:
        self._refusals.add(cause, f"a sender at {peer.listener.endpoint}: {reason}")
        self._forget(peer)
        peer.send(handshake.refused(reason))

    def _forget(self, peer: Peer) -> None:
        """Remember `peer`, so that messages still arriving from it are not counted as refused."""
        while len(self._former) >= _MOST:
            del self._former[next(iter(self._former))]
        self._former[peer] = None

    def _take(self, inlet: ZeroMQInlet, message: frames.FlowMessage) -> None:
        why = inlet.take(message)
        if why == "duplicate":
            self._refusals.counts["duplicate"] += 1
        elif why:
            self._refusals.add("excess", f"a message of {inlet.linked.source} {why}")
