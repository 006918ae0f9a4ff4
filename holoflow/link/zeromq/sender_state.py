"""The sending end of a flow: what is kept, what may go, what goes again. No sockets, no threads."""

from __future__ import annotations

from collections import deque

from holoflow.link.ends import LinkedFlow
from holoflow.link.zeromq.counts import half, mirror, worked_off
from holoflow.link.zeromq.frames import FlowMessage, ReceiverProgress, SenderProgress
from holoflow.link.zeromq.handshake import FlowHello, Welcome
from holoflow.link.zeromq.settings import WINDOW, AppIdentity, blocks
from holoflow.stats.counters import ARRIVED, GONE, RETRIED, SENT, WATERMARK


class SenderState:
    """A flow at its sender.

    Each message is kept until the receiver cannot want it again: if the flow blocks until it
    was worked off, else until it has arrived. So those that a broken connection or a receiver
    that died has lost can be sent again. How many are kept is bounded: where the flow blocks by
    the engine, which sends only while there is room, else here.
    """

    def __init__(
        self, linked: LinkedFlow, app: AppIdentity, generation: int, window: int = WINDOW
    ) -> None:
        """Go on behind what former processes have sent."""
        self.row = linked.row
        self.blocks = blocks(linked.flow)
        self._linked = linked
        self._app = app
        self._generation = generation
        self._queue = linked.flow.queue
        self._keeps_oldest = linked.flow.when_full == "drop_newest" and not linked.flow.latest
        self._window = window
        self.begun = self.last = self._newest = self.row[SENT]
        self._unsent: deque[FlowMessage] = deque()
        self._flying: deque[FlowMessage] = deque()
        self._flying_size = 0
        self._covered = self.last
        self._pushed = False
        self._closing = self._leaving = False
        self._told_end = False
        self.joined = False
        """Whether a receiver is there."""
        self.marked = False
        """Whether the receiver is to be told the row's watermark."""
        self.fresh = self.begun == 0 and not self.row[GONE]
        """Whether this end may have to learn yet how far the flow is."""
        self.shared = False
        """Whether the receiver counts in the same row."""
        self.ended = False
        """Whether the receiver knows that the stream has ended."""

    # -- from the stage's thread

    def push(self, message: FlowMessage) -> None:
        """Take `message`, to be sent when it may."""
        self._pushed = True
        self.last = message.number
        if message.packed is None or len(self._flying) >= self._queue:
            self._forget()
        if self.row[GONE]:
            return
        if not self.blocks and len(self._unsent) >= self._queue:
            if self._keeps_oldest:
                return
            self._unsent.popleft()
        self._unsent.append(message)

    def close(self) -> None:
        """Say that nothing more will be pushed, for good."""
        self._closing = True

    def leave(self) -> None:
        """Say that nothing more will be pushed by this process."""
        self._leaving = True

    # -- what the receiver says

    def hello(self) -> FlowHello:
        """Return what to say first on a new connection."""
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
            half=half(self.row),
        )

    def welcomed(self, welcome: Welcome) -> None:
        """Go on where the receiver is."""
        self.joined, self.fresh = True, False
        self.shared = welcome.counters == self._app.counters
        self.ended, self._told_end = welcome.ended, False
        if not self.shared:
            if not self._pushed and welcome.sent > self.last:
                # The counts of this host are new, those of the flow are not.
                self.begun = self.last = self.row[SENT] = welcome.sent
                self.row[WATERMARK] = max(self.row[WATERMARK], welcome.watermark)
            mirror(self.row, welcome.half)
        while self._flying and self._flying[-1].number > welcome.received:
            self._unsent.appendleft(self._flying.pop())
        self._flying_size = sum(message.size for message in self._flying)
        self._covered = welcome.received
        if not self.blocks:
            while len(self._unsent) > self._queue:
                self._unsent.pop() if self._keeps_oldest else self._unsent.popleft()
        self._forget()

    def counted(self, counts: ReceiverProgress) -> bool:
        """Learn how far the receiver is; return whether that may be news to the producer."""
        self.ended = self.ended or counts.ended
        moved = self.shared or mirror(self.row, counts.half)
        self._forget()
        return moved

    def lost(self) -> None:
        """Send nothing more until a receiver welcomes us again: it is away."""
        self.joined = False

    # -- what to send

    def next(self) -> FlowMessage | None:
        """Return the next message to send; None where there is none, or none may go yet."""
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
            self.row[RETRIED] += 1
        return message

    def due(self) -> bool:
        """Whether the receiver is to be told what no message tells it."""
        if not self.joined or self._unsent:
            return False
        return self.marked or self.last > self._covered or (self._closing and not self._told_end)

    def state(self, asked: int = 0, heard: int = 0, told: int = 0) -> SenderProgress:
        """Return how far this end is, to be sent now."""
        watermark = self.row[WATERMARK]  # first: it speaks of what has been pushed by now
        self.marked = False
        floor = self._unsent[0].number - 1 if self._unsent else self.last
        closed = self._closing and not self._unsent
        self._told_end = self._told_end or closed
        self._covered = max(self._covered, floor)
        return SenderProgress(self.begun, floor, self.last, closed, watermark, asked, heard, told)

    @property
    def awaited(self) -> bool:
        """Whether this process has to stay until the receiver has got what it was sent."""
        if self.row[GONE] or not (self._closing or self._leaving):
            return False
        taken = self._closing and self.blocks
        off = worked_off(self.row) if taken else self.row[ARRIVED]
        return off < self.last or (self._closing and not self.ended)

    @property
    def kept(self) -> int:
        """Messages that are kept."""
        return len(self._unsent) + len(self._flying)

    def _forget(self) -> None:
        """Let go of what the receiver cannot want again."""
        if self.row[GONE]:
            self._unsent.clear()
            self._flying.clear()
            self._flying_size = 0
            return
        off = worked_off(self.row) if self.blocks else self.row[ARRIVED]
        while self._flying and self._flying[0].number <= off:
            self._flying_size -= self._flying.popleft().size
        # What is to be sent again may have come after all.
        while self._unsent and self._unsent[0].number <= off:
            self._unsent.popleft()
