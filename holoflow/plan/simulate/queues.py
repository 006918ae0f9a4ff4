"""Messages on their way between two stages, and the books of them."""

from __future__ import annotations

from collections import Counter, deque

from holoflow.plan.simulate.carrier import Carrier
from holoflow.plan.simulate.draws import Share
from holoflow.plan.simulate.events import Act, Events
from holoflow.plan.simulate.model import FlowModel
from holoflow.plan.simulate.ways import Ways


class Message:
    """What travels: the time in its header, and the ways on which its frame came."""

    __slots__ = ("stamp", "ways")

    def __init__(self, stamp: float, ways: Ways) -> None:
        """Be of a frame captured at `stamp`."""
        self.stamp = stamp
        self.ways = ways


class Queue:
    """A flow: sent = delivered + dropped + waiting, at any time."""

    def __init__(self, model: FlowModel, events: Events, carrier: Carrier | None) -> None:
        """Make the queue of a flow; a `carrier` brings its messages from another process."""
        self.model = model
        self.share = Share(model.rate)
        self.items: deque[Message] = deque()
        self.capacity = 1 if model.latest else model.queue
        self.sent = 0
        self.delivered = 0
        self.dropped: Counter[str] = Counter()
        self.producer_looks: Act = lambda: None
        self.consumer_looks: Act = lambda: None
        self._lossy = model.latest or model.when_full != "block"
        self._events = events
        self._carrier = carrier
        self._outbox: deque[Message] = deque()
        self._under_way = 0
        self._unconfirmed = 0
        """Messages of which the sender does not know that they were taken."""

    @property
    def waiting(self) -> int:
        """Messages in the queue and on the way to it."""
        return len(self.items) + len(self._outbox) + self._under_way

    def has_room(self) -> bool:
        """Whether the producer may begin a frame."""
        return self._lossy or self._unconfirmed < self.capacity

    def put(self, message: Message) -> None:
        """Send a message."""
        self.sent += 1
        self._unconfirmed += 1
        if self._carrier is None:
            self._store(message)
        elif self._lossy:
            self._push(self._outbox, message)
            self._forward()
        else:
            self._travel(message)

    def _push(self, items: deque[Message], message: Message) -> None:
        """Add a message, or drop one as the flow says."""
        if len(items) < self.capacity or not self._lossy:
            items.append(message)
        elif self.model.latest:
            items.popleft()
            items.append(message)
            self.dropped["replaced"] += 1
        else:
            self.dropped["full"] += 1
            if self.model.when_full == "drop_oldest":
                items.popleft()
                items.append(message)

    def _forward(self) -> None:
        """Send what waits at the sender, as much as may be under way."""
        while self._outbox and self._under_way < self.capacity:
            self._travel(self._outbox.popleft())

    def _travel(self, message: Message) -> None:
        self._under_way += 1
        assert self._carrier is not None  # noqa: S101 - for the type checker
        self._carrier.carry(lambda: self._arrive(message))

    def _arrive(self, message: Message) -> None:
        self._under_way -= 1
        self._store(message)
        self._forward()

    def _store(self, message: Message) -> None:
        self._push(self.items, message)
        if not self.model.latest:
            self.consumer_looks()

    def take(self) -> Message:
        """Remove and return the oldest message; the producer hears of it."""
        self.delivered += 1
        message = self.items.popleft()
        if self._carrier is None:
            self._confirm()
        else:
            self._events.after(self._carrier.back, self._confirm)
        return message

    def _confirm(self) -> None:
        self._unconfirmed -= 1
        self.producer_looks()

    def rebook(self, cause: str) -> None:
        """Book a message that was taken as dropped."""
        self.delivered -= 1
        self.dropped[cause] += 1
