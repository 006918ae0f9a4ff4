"""State of a flow's sending end: what to keep, send and send again. No sockets or threads."""

from __future__ import annotations

from collections import deque

from holoflow.link.ends import LinkedFlow
from holoflow.link.zeromq.frames import FlowMessage, ReceiverProgress, SenderProgress
from holoflow.link.zeromq.handshake import FlowHello, Welcome
from holoflow.link.zeromq.settings import WINDOW, AppIdentity
from holoflow.stats.counters import (
    ARRIVED,
    GONE,
    RETRIED,
    SENT,
    WATERMARK,
    consumer_counters,
    finished,
    mirror,
)


class SenderState:
    """A flow at its sender.

    Each message is kept until the receiver cannot need it again: in a blocking flow until it
    was taken or dropped, otherwise until it has arrived. Thus messages lost by a broken
    connection or a dead receiver can be sent again. The number kept is bounded: in a blocking
    flow by the engine, which sends only while there is room, otherwise here.
    """

    def __init__(
        self, linked: LinkedFlow, app: AppIdentity, generation: int, window: int = WINDOW
    ) -> None:
        """Continue after what earlier processes have sent."""
        self.counters = linked.counters
        self.blocks = linked.flow.lossless
        self._linked = linked
        self._app = app
        self._generation = generation
        self._queue = linked.flow.queue
        self._keeps_oldest = linked.flow.drops_newest
        self._window = window
        self.begun = self.last = self._newest = self.counters[SENT]
        self._unsent: deque[FlowMessage] = deque()
        self._flying: deque[FlowMessage] = deque()
        self._flying_size = 0
        self._covered = self.last
        self._pushed = False
        self._closing = self._leaving = False
        self._end_sent = False
        self.joined = False
        """Whether a receiver is connected."""
        self.marked = False
        """Whether the watermark is to be sent to the receiver."""
        self.fresh = self.begun == 0 and not self.counters[GONE]
        """Whether this end may still have to learn the progress of the flow."""
        self.shared = False
        """Whether the receiver uses the same counter block."""
        self.ended = False
        """Whether the receiver knows that the stream has ended."""

    # -- from the stage's thread

    def push(self, message: FlowMessage) -> None:
        """Queue `message`, to be sent as soon as it may be."""
        self._pushed = True
        self.last = message.number
        if message.packed is None or len(self._flying) >= self._queue:
            self._forget()
        if self.counters[GONE]:
            return
        if not self.blocks and len(self._unsent) >= self._queue:
            if self._keeps_oldest:
                return
            self._unsent.popleft()
        self._unsent.append(message)

    def close(self) -> None:
        """End the stream: nothing more will be pushed."""
        self._closing = True

    def leave(self) -> None:
        """Note that this process will push nothing more."""
        self._leaving = True

    # -- from the receiver

    def hello(self) -> FlowHello:
        """Return the greeting for a new connection."""
        flow = self._linked.flow
        return FlowHello(
            app=self._app.name,
            digest=self._app.digest,
            flow=self._linked.number,
            source=str(flow.source),
            target=str(flow.target),
            counters=self._app.counters,
            generation=self._generation,
            sent=self.last,
            consumer=consumer_counters(self.counters),
        )

    def welcomed(self, welcome: Welcome) -> None:
        """Continue from the receiver's progress."""
        self.joined, self.fresh = True, False
        self.shared = welcome.counters == self._app.counters
        self.ended, self._end_sent = welcome.ended, False
        if not self.shared:
            if not self._pushed and welcome.sent > self.last:
                # The counters of this host are new, but the flow is not.
                self.begun = self.last = self.counters[SENT] = welcome.sent
                self.counters[WATERMARK] = max(self.counters[WATERMARK], welcome.watermark)
            mirror(self.counters, welcome.consumer)
        while self._flying and self._flying[-1].number > welcome.received:
            self._unsent.appendleft(self._flying.pop())
        self._flying_size = sum(message.size for message in self._flying)
        self._covered = welcome.received
        if not self.blocks:
            while len(self._unsent) > self._queue:
                self._unsent.pop() if self._keeps_oldest else self._unsent.popleft()
        self._forget()

    def counted(self, counts: ReceiverProgress) -> bool:
        """Update from the receiver's progress; return whether the producer may have to know."""
        self.ended = self.ended or counts.ended
        moved = self.shared or mirror(self.counters, counts.counters)
        self._forget()
        return moved

    def lost(self) -> None:
        """Stop sending until a receiver welcomes this end again."""
        self.joined = False

    # -- to the receiver

    def next(self) -> FlowMessage | None:
        """Return the next message to send; None if there is none, or none may be sent yet."""
        if not self.joined or not self._unsent:
            return None
        if not self.blocks and len(self._flying) >= self._queue:
            self._forget()
            if not self._unsent:
                return None
            size = self._flying_size + self._unsent[0].size
            if size > self._window and len(self._flying) >= self._queue:
                return None
        message = self._unsent.popleft()
        self._flying.append(message)
        self._flying_size += message.size
        self._covered = message.number
        if message.number > self._newest:
            self._newest = message.number
        else:
            self.counters[RETRIED] += 1
        return message

    def due(self) -> bool:
        """Whether the receiver must be sent progress that no message carries."""
        if not self.joined or self._unsent:
            return False
        return self.marked or self.last > self._covered or (self._closing and not self._end_sent)

    def state(self, asked: int = 0, arrived: int = 0, replied: int = 0) -> SenderProgress:
        """Return the progress of this end, to be sent now."""
        watermark = self.counters[WATERMARK]  # first: it applies to what has been pushed until now
        self.marked = False
        floor = self._unsent[0].number - 1 if self._unsent else self.last
        closed = self._closing and not self._unsent
        self._end_sent = self._end_sent or closed
        self._covered = max(self._covered, floor)
        return SenderProgress(
            self.begun, floor, self.last, closed, watermark, asked, arrived, replied
        )

    @property
    def awaited(self) -> bool:
        """Whether this process has to stay until the receiver has what was sent to it."""
        if self.counters[GONE] or not (self._closing or self._leaving):
            return False
        taken = self._closing and self.blocks
        done = finished(self.counters) if taken else self.counters[ARRIVED]
        return done < self.last or (self._closing and not self.ended)

    @property
    def kept(self) -> int:
        """Number of messages that are kept."""
        return len(self._unsent) + len(self._flying)

    def _forget(self) -> None:
        """Release what the receiver cannot need again."""
        if self.counters[GONE]:
            self._unsent.clear()
            self._flying.clear()
            self._flying_size = 0
            return
        done = finished(self.counters) if self.blocks else self.counters[ARRIVED]
        while self._flying and self._flying[0].number <= done:
            self._flying_size -= self._flying.popleft().size
        # Messages to be sent again may have arrived after all.
        while self._unsent and self._unsent[0].number <= done:
            self._unsent.popleft()
