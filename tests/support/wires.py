"""A flow over a zeromq link without sockets: its two ends, and a wire between them that breaks."""

from __future__ import annotations

from collections import deque
from typing import Any

from holoflow.app.graph import Endpoint
from holoflow.link.ends import LinkedFlow
from holoflow.link.zeromq.frames import FlowMessage, ReceiverProgress, SenderProgress
from holoflow.link.zeromq.handshake import FlowHello, Welcome
from holoflow.link.zeromq.receiver_state import ReceiverState
from holoflow.link.zeromq.sender_state import SenderState
from holoflow.link.zeromq.settings import AppIdentity
from holoflow.plan.plan import PlannedFlow
from holoflow.stats.counters import (
    RETURNED,
    SENT,
    SETTLED,
    TAKEN,
    CounterBlock,
    Counters,
    consumer_died,
    drop,
    dropped,
    lost,
    producer_died,
    waiting,
)


def planned(queue: int = 2, when_full: Any = "block", **fields: Any) -> PlannedFlow:
    """Return a flow between two fragments."""
    values = {"fused": False, "latest": False, "back_edge": False, "link": "zeromq"} | fields
    return PlannedFlow(
        Endpoint("camera", "out"), Endpoint("view", "image"), queue, when_full, **values
    )


def linked(
    block: CounterBlock, queue: int = 2, when_full: Any = "block", **fields: Any
) -> LinkedFlow:
    """Return that flow as links see it, with its counts in `block`."""
    return LinkedFlow(0, planned(queue, when_full, **fields), "edge", "screen", block)


class World:
    """Two processes and a wire; each method is one thing that happens.

    The blocks are in memory that outlives the processes, one for both or, without `shared`, one
    for each host.
    """

    def __init__(self, *, queue: int, when_full: str, shared: bool, latest: bool = False) -> None:
        self.queue, self.shared = queue, shared
        self.flow = {"queue": queue, "when_full": when_full, "latest": latest}
        self.blocks = when_full == "block" and not latest
        self.hosts = 0
        self.generations = 0
        self.theirs = self.ours = self._counters()
        self.names = ["one", "one"]
        if not shared:
            self.theirs = self._counters()
            self.names = ["one", "two"]
        self.to_receiver: deque[Any] = deque()
        self.to_sender: deque[Any] = deque()
        self.connected = False
        self.waiting: deque[int] = deque()
        """The receiver's queue."""
        self.taken: list[int] = []
        self.in_hand: list[int] = []
        self.died: set[int] = set()
        """Numbers that a sender which died was not known to have been processed."""
        self.settled: set[int] = set()
        self.ends = 0
        """How often the receiver's process was told that the stream has ended."""
        self.closed = False
        self.past: list[FlowMessage] = []
        self.restarted_hosts = 0
        self.start_sender()
        self.start_receiver()

    def _counters(self) -> CounterBlock:
        return Counters(1).blocks[0]

    # -- processes

    def start_sender(self) -> None:
        self.generations += 1
        app = AppIdentity("app", "digest", self.names[0])
        self.sender: Any = SenderState(
            linked(self.ours, **self.flow), app, self.generations, window=0
        )

    def start_receiver(self) -> None:
        self.receiver: Any = ReceiverState(linked(self.theirs, **self.flow), self.names[1], 0.0)

    def kill_sender(self) -> None:
        kept = {message.number for message in (*self.sender._unsent, *self.sender._flying)}
        self.died |= kept
        self.cut()
        producer_died(self.ours)
        self.start_sender()

    def kill_receiver(self) -> None:
        self.cut()
        consumer_died(self.theirs, resent=self.blocks)
        self.died |= set(self.in_hand)
        self.in_hand.clear()
        if not self.blocks:
            self.died |= set(self.waiting)
        self.waiting.clear()
        self.ends = 0
        self.start_receiver()

    def lose_receivers_host(self) -> None:
        if not self.shared:
            self.kill_receiver()
            self.hosts += 1
            self.theirs, self.names[1] = self._counters(), f"host {self.hosts}"
            self.start_receiver()

    def lose_senders_host(self) -> None:
        if not self.shared and not self.closed:
            self.kill_sender()
            self.died |= set(range(1, self.ours[SENT] + 1)) - set(self.taken)
            self.hosts += 1
            self.ours, self.names[0] = self._counters(), f"host {self.hosts}"
            self.start_sender()
            self.settle_connection()

    # -- the engine's part

    def send(self) -> None:
        if self.closed or (self.blocks and waiting(self.ours) >= self.queue):
            return
        self.ours[SENT] += 1
        self.sender.push(FlowMessage(self.ours[SENT], b"", (), 1))

    def send_and_die(self) -> None:
        if not self.closed and not (self.blocks and waiting(self.ours) >= self.queue):
            self.ours[SENT] += 1
            self.died.add(self.ours[SENT])
            self.kill_sender()

    def poll(self) -> None:
        self.receiver.deliver(self)

    def deliver(self, number: int, head: Any, buffers: Any) -> None:
        if len(self.waiting) < self.queue:
            self.waiting.append(number)
        else:
            assert not self.blocks, "more came than there is room for"
            drop(self.theirs, "full")

    def close(self) -> None:
        self.ends += 1

    def take(self) -> None:
        if self.waiting:
            self.theirs[TAKEN] += 1
            self.in_hand.append(self.waiting.popleft())

    def settle(self) -> None:
        self.theirs[SETTLED] = self.theirs[TAKEN]
        self.taken += self.in_hand
        self.in_hand.clear()

    def end(self) -> None:
        self.closed = True
        self.sender.close()

    # -- the wire

    def connect(self) -> None:
        if not self.connected:
            self.connected = True
            self.to_receiver.append(self.sender.hello())

    def cut(self) -> None:
        self.connected = False
        self.to_receiver.clear()
        self.to_sender.clear()
        self.sender.lost()

    def pump(self) -> None:
        while (message := self.sender.next()) is not None:
            self.past.append(message)
            self.to_receiver.append(message)
        if self.sender.due():
            self.to_receiver.append(self.sender.state())

    def receive(self) -> None:
        if not self.to_receiver:
            return
        what = self.to_receiver.popleft()
        if isinstance(what, FlowHello):
            assert self.receiver.conflict(what, alive=False) == ""
            self.to_sender.append(self.receiver.greet(what, 0.0))
        elif isinstance(what, FlowMessage):
            assert self.receiver.take(what, 0.0) in {"", "duplicate"}
        else:
            assert isinstance(what, SenderProgress)
            self.receiver.learn(what, 0.0)

    def replay(self) -> None:
        if self.past and self.receiver.sender is not None:
            number = self.past[-1].number
            if number <= self.receiver._received:
                assert self.receiver.take(self.past[-1], 0.0) == "duplicate"

    def tell(self) -> None:
        if self.connected and self.receiver.sender is not None and not self.greeting():
            self.to_sender.append(self.receiver.counts())

    def greeting(self) -> bool:
        return any(isinstance(what, FlowHello) for what in self.to_receiver)

    def answer(self) -> None:
        if not self.to_sender:
            return
        what = self.to_sender.popleft()
        if isinstance(what, Welcome):
            self.sender.welcomed(what)
            self.to_receiver.append(self.sender.state())
        elif isinstance(what, ReceiverProgress) and self.sender.joined:
            self.sender.counted(what)

    # -- all is well again

    def settle_connection(self) -> None:
        self.connect()
        for _ in range(3):
            while self.to_receiver:
                self.receive()
            while self.to_sender:
                self.answer()

    def heal(self) -> None:
        """Let everything happen that can, until nothing does."""
        self.connect()
        quiet, before = 0, None
        while quiet < 3:
            quiet = quiet + 1 if before == (before := self.state()) else 0
            self.pump()
            while self.to_receiver:
                self.receive()
            self.poll()
            while self.waiting:
                self.take()
            self.settle()
            self.tell()
            while self.to_sender:
                self.answer()

    def state(self) -> object:
        return list(self.ours), list(self.theirs), self.ends, self.sender.kept, len(self.taken)

    def stats(self) -> dict[str, int]:
        """Check that they add up, and return what was dropped."""
        block = self.theirs
        assert waiting(block) == 0, (list(block), list(self.ours))
        assert block[SENT] == block[TAKEN] - block[RETURNED] + lost(block)
        return dropped(block)
