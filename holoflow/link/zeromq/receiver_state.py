"""State of a flow's receiving end: what is new or lost, and when it ends. No sockets or threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple, TypeAlias

from holoflow.link.ends import Consumer, LinkedFlow
from holoflow.link.zeromq.frames import FlowMessage, ReceiverProgress, SenderProgress
from holoflow.link.zeromq.handshake import FlowHello, Welcome
from holoflow.link.zeromq.settings import Timing
from holoflow.stats.causes import Cause
from holoflow.stats.counters import (
    ARRIVED,
    CLOSED,
    GONE,
    PASSED,
    RETURNED,
    SENT,
    SETTLED,
    TAKEN,
    WATERMARK,
    CounterBlock,
    consumer_counters,
    drop,
    finished,
    mirror,
)

_OVERHEAD: Final = 512
"""Bytes that a message occupies in addition to its own."""
_BACKLOG: Final = 64 << 20


class Lost(NamedTuple):
    """Messages up to a number that have not arrived will not arrive any more."""

    number: int
    cause: Cause


class EndOfFlow:
    """Nothing more will come."""


Item: TypeAlias = "FlowMessage | Lost | EndOfFlow"


class ReceiverState:
    """A flow at its receiver.

    `greet`, `take`, `learn` and `poll` are called with the loop's lock held; the stage calls
    `deliver` without it. They share only the backlog, a deque, whose `append` and `popleft` are
    atomic; `_put` is written on one side and `_fetched` on the other.
    """

    def __init__(self, linked: LinkedFlow, counters_name: str, now: float) -> None:
        """Continue from where the counters say that an earlier process was."""
        self.counters = linked.counters
        self.blocks = linked.flow.lossless
        self.backlog: deque[Item] = deque()
        """What the stage has not received yet."""
        self.ended = False
        """Whether it is known that nothing more will come."""
        self.shared = False
        """Whether the sender uses the same counter block."""
        self.sender: FlowHello | None = None
        self.seen = now
        """When the sender was last heard from."""
        self._queue = linked.flow.queue
        self._counters_name = counters_name
        self._begun = 0
        self._put = self._fetched = 0
        rejoin(self.counters, blocks=self.blocks)
        self._received = self.counters[ARRIVED]

    # -- with the loop's lock

    def conflict(self, hello: FlowHello, *, alive: bool) -> str:
        """Return why `hello` cannot be the sender; empty if it can.

        `alive`: whether the current sender is connected.
        """
        now = self.sender
        if now is None or (now.counters, now.generation) == (hello.counters, hello.generation):
            return ""
        if self.ended:
            return f"the stream {hello.source} -> {hello.target} has ended"
        if now.counters == hello.counters and now.generation > hello.generation:
            return "another process has taken its place"
        if now.counters != hello.counters and alive:
            return f"another sender of {hello.source} -> {hello.target} is connected"
        return ""

    def greet(self, hello: FlowHello, now: float, asked: int = 0) -> Welcome:
        """Accept `hello` as the sender; return the reply."""
        self.sender, self.seen = hello, now
        self.shared = hello.counters == self._counters_name
        if not self.shared:
            if not any(self.counters[ARRIVED:]) and not self._put:
                adopt(self.counters, hello.consumer)
                rejoin(self.counters, blocks=self.blocks)
                self._received = self.counters[ARRIVED]
            self.counters[SENT] = max(self.counters[SENT], hello.sent)
        return Welcome(
            counters=self._counters_name,
            received=self._received,
            sent=max(self.counters[SENT], self._received),
            watermark=self.counters[WATERMARK],
            consumer=consumer_counters(self.counters),
            ended=self.ended,
            asked=asked,
        )

    def take(self, message: FlowMessage, now: float) -> str:
        """Put `message` into the backlog; return why not, or an empty text."""
        self.seen = now
        if message.number <= self._received:
            return "duplicate"
        if self.ended:
            return "after the end"
        size = self._put - self._fetched
        if size > _BACKLOG and len(self.backlog) > 2 * self._queue:
            return "without room"  # a holoflow sender never sends that much
        if not self.shared:
            self.counters[SENT] = max(self.counters[SENT], message.number)
        self._lose(message.number - 1)
        self._received = message.number
        self._put += message.size + _OVERHEAD
        self.backlog.append(message)
        return ""

    def learn(self, state: SenderProgress, now: float) -> None:
        """Update from the sender's progress."""
        self.seen = now
        self._begun = state.begun
        if self.ended:
            return
        if not self.shared:
            self.counters[SENT] = max(self.counters[SENT], state.sent)
            self.counters[CLOSED] = int(state.closed)
            # After SENT, in the order in which the sender itself writes them.
            self.counters[WATERMARK] = max(self.counters[WATERMARK], state.watermark)
        self._lose(state.floor)
        if state.closed:
            self._end()

    def poll(self, now: float, timing: Timing, *, alone: bool) -> None:
        """End a stream that was closed and whose sender is gone for good.

        `alone`: whether no sender is connected, so that everything sent has been read.
        """
        if self.ended or not self.counters[CLOSED]:
            return
        if alone and self.counters[PASSED] >= self.counters[SENT] > 0:
            patience = 0.0  # the launcher has recorded that the sender has died
        elif self._received >= self.counters[SENT]:
            patience = timing.silence
        else:
            patience = timing.orphaned
        if now - self.seen > patience:
            self.give_up()

    def give_up(self) -> None:
        """End the stream: its sender is gone, and what has not arrived by now will not."""
        self._begun = self.counters[SENT]
        self._lose(self._begun)
        self._end()

    def counts(self, asked: int = 0) -> ReceiverProgress:
        """Return the progress of this end."""
        return ReceiverProgress(consumer_counters(self.counters), self.ended, asked)

    def _lose(self, upto: int) -> None:
        """Have messages up to `upto` that have not arrived counted as dropped."""
        crashed = upto if self.blocks else min(upto, self._begun)
        causes: dict[Cause, int] = {"crash": crashed, "full": upto}
        for cause, number in causes.items():
            if number > self._received:
                self._received = number
                self.backlog.append(Lost(number, cause))

    def _end(self) -> None:
        self.ended = True
        self.backlog.append(EndOfFlow())

    # -- the stage's thread

    def deliver(self, consumer: Consumer) -> None:
        """Deliver what has arrived."""
        for _ in range(len(self.backlog)):
            item = self.backlog.popleft()
            if isinstance(item, FlowMessage):
                self._fetched += item.size + _OVERHEAD
                self.counters[ARRIVED] = item.number
                consumer.deliver(item.number, item.head, item.buffers)
            elif isinstance(item, Lost):
                # In this order, so that crash accounting can correct a death in between.
                missing = item.number - self.counters[ARRIVED]
                self.counters[ARRIVED] = item.number
                drop(self.counters, item.cause, missing)
            else:
                consumer.close()


def adopt(block: CounterBlock, counts: Sequence[int]) -> None:
    """Continue with the consumer's counters of a host that is gone.

    Messages that it was processing are counted as dropped by `crash`.
    """
    mirror(block, counts)
    block[GONE] = 0
    held = block[TAKEN] - block[SETTLED]
    if held > 0:
        block[RETURNED] += held
        drop(block, "crash", held)
        block[SETTLED] = block[TAKEN]


def rejoin(block: CounterBlock, *, blocks: bool) -> None:
    """Start with an empty queue: the messages in that of the previous process are gone.

    They will be sent again if the flow blocks, and are counted as dropped otherwise.
    """
    done = finished(block)
    if not blocks and block[ARRIVED] > done:
        drop(block, "crash", block[ARRIVED] - done)
    else:
        block[ARRIVED] = done
