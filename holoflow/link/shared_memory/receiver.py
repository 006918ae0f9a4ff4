"""The receiving end: messages are looked at where they lie, as long as anybody looks at them."""

from __future__ import annotations

import ctypes
import logging
import threading
from typing import Any, Final

from holoflow.core.errors import HoloflowError, require_descriptors
from holoflow.link.ends import Consumer, LinkedFlow, Notifier
from holoflow.link.shared_memory import layout
from holoflow.link.shared_memory.loans import SampleReference, tokens
from holoflow.link.shared_memory.sender import blocks, limited
from holoflow.link.shared_memory.services import HELD, Services, buffered
from holoflow.link.shared_memory.wakeup import DIRECT, MORE, ROOM, WakeUpSocket
from holoflow.stats.counters import (
    ARRIVED,
    CLOSED,
    PASSED,
    SENT,
    WANTS_MORE,
    WANTS_ROOM,
    WATERMARK,
    consumer_died,
    drop,
)

SMALL: Final = 4096
"""Bytes of a message up to which it is copied: it then keeps no sample from being used again."""

_log = logging.getLogger("holoflow.link")


class SharedInlet:
    """The receiving end of a flow through shared memory."""

    def __init__(
        self, linked: LinkedFlow, consumer: Consumer, services: Services, bell: WakeUpSocket
    ) -> None:
        """Deliver to `consumer`, once it has joined."""
        self.linked = linked
        self._row = linked.row
        self._consumer = consumer
        self._services = services
        self._bell = bell
        self._service: Any = None
        self._subscriber: Any = None
        self._left = False
        self._ended = False
        self._watermark = 0
        """What it was when the stage looked."""
        self._tokens = tokens(linked.flow.queue + HELD)
        self._most = 2 * buffered(linked.flow.queue)
        self._lossless = blocks(linked)
        # What is left out on the way is lost for want of room there, else for want of a receiver.
        self._left_out = "full" if limited(linked) else "crash"
        self._sender: int | None = None
        self._before = 0
        self._lock = threading.Lock()
        bell.answer(MORE, linked.number, self)

    def join(self) -> bool:
        """Join the sender, and return whether that has happened.

        What the fragment's former process had in its queue is gone, and booked.
        """
        with self._lock:
            if self._subscriber is not None or self._left:
                return True
            name = str(self.linked.flow.source)
            service = self._services.find(name)
            if service is None:
                return False
            queue = self.linked.flow.queue
            self._subscriber = self._services.subscriber(service, name, queue)
            self._service = service
            self._before = self._row[SENT]
            consumer_died(self._row, resent=False)
        self.took()
        return True

    # -- receiving -------------------------------------------------------------------------

    def poll(self) -> None:
        """Deliver what has come."""
        row = self._row
        if row[WANTS_MORE]:
            row[WANTS_MORE] = 0
        self._watermark = row[WATERMARK]
        closed = row[CLOSED]
        # Looked at before receiving: what is sent from now on is not lost if it is not found.
        newest = row[SENT] if closed else row[PASSED]
        if newest > row[ARRIVED] and not self._left:
            arrived = row[ARRIVED]
            drained = self._receive(closed)
            if drained and newest > row[ARRIVED] and self._left_out == "crash":
                self._look_for_cause(newest)
            if drained and newest > row[ARRIVED]:
                self._lose(newest)
            if row[ARRIVED] - arrived > 1:
                self.took()  # what was lost has made room, too
        if closed and not self._ended and row[ARRIVED] >= newest:
            self._ended = True
            self._consumer.close()

    def _receive(self, closed: int) -> bool:
        """Deliver some messages, and return whether there are no more."""
        if self._subscriber is None and not self.join():
            return bool(closed)  # its sender has come and gone
        subscriber = self._subscriber
        for _ in range(self._most):
            try:
                sample = None if subscriber is None else subscriber.receive()
            except Exception as error:
                _log.error("%s: a message cannot be received: %s", self._name, error)
                return True
            if sample is None:
                return True
            self._deliver(sample)
        return False

    def _deliver(self, sample: Any) -> None:
        memory = self._look_at(sample)
        try:
            found = layout.read(memory, self.linked.number)
        except HoloflowError as error:
            _log.error("%s: %s", self._name, error)
            return
        row = self._row
        lost = found.number - row[ARRIVED] - 1
        if lost < 0:  # not for this flow, or given up already
            return
        arrived = row[ARRIVED]
        row[ARRIVED] = found.number  # first: until they are booked, the lost ones seem to wait
        if lost:
            same = self._sender in (None, found.sender) and not self._lossless
            self._book(arrived, found.number - 1, "full" if same else "crash")
        self._sender = found.sender
        buffers = [memory[at : at + size] for at, size in found.places]
        self._consumer.deliver(found.number, found.head, buffers)

    def _look_at(self, sample: Any) -> memoryview:
        """Return the bytes of `sample`, which is kept as long as anybody looks at them."""
        first = sample.payload_ptr
        start = layout.aligned(first)
        size = sample.header.number_of_elements - (start - first)
        if size > SMALL:
            try:
                memory = SampleReference(sample, self._tokens).piece(start, size)
                return memoryview(memory).cast("B")[:size].toreadonly()
            except IndexError:  # so many are kept that this one must be given back at once
                pass
        return memoryview(ctypes.string_at(start, size))

    def _look_for_cause(self, newest: int) -> None:
        """Join anew where messages up to `newest` have not come, and say how many.

        Mostly they went with their sender. But iceoryx2 tells nobody where it could not open the
        memory of a sender, and never tries again. Raises ShortageError where this process can
        open nothing now.
        """
        require_descriptors()
        with self._lock:
            if self._left or self._service is None:
                return
            flow = self.linked.flow
            joined = self._services.subscriber(self._service, str(flow.source), flow.queue)
        self._receive(0)  # what has come meanwhile comes to both, and counts once
        with self._lock:
            self._subscriber = None if self._left else joined
        missing = newest - self._row[ARRIVED]
        if missing > 0:
            _log.warning("%s: %d messages were lost under way", self._name, missing)

    def _lose(self, newest: int) -> None:
        """Book all up to `newest`: it has not come and never will."""
        arrived = self._row[ARRIVED]
        self._row[ARRIVED] = newest
        self._book(arrived, newest, self._left_out)

    def _book(self, after: int, last: int, cause: str) -> None:
        """Book messages as lost: those that were sent before this process has joined by `crash`."""
        crashed = max(min(self._before, last) - after, 0)
        if crashed:
            drop(self._row, "crash", crashed)
        if last - after > crashed:
            drop(self._row, cause, last - after - crashed)

    @property
    def _name(self) -> str:
        return f"{self.linked.flow.source} -> {self.linked.flow.target}"

    # -- sleeping, waking, ending ----------------------------------------------------------

    def about_to_sleep(self, notifier: Notifier | None = None) -> bool:
        """Have the stage woken by what comes; false where something is there."""
        self._row[WANTS_MORE] = 1 if notifier is None else DIRECT
        return self._subscriber is None or not self._has_work()

    def _has_work(self) -> bool:
        row = self._row
        return (
            (row[PASSED] > row[ARRIVED] and not self._left)
            or row[WATERMARK] != self._watermark
            or bool(row[CLOSED] and not self._ended)
        )

    def wake(self) -> None:
        """Have the stage poll."""
        self._consumer.wake()

    def missed(self) -> bool:
        """Whether the stage sleeps although there is something for it."""
        return bool(self._row[WANTS_MORE]) and self._has_work()

    def took(self) -> None:
        """Ring for a producer that waits for room, once."""
        if self._row[WANTS_ROOM]:
            self._row[WANTS_ROOM] = 0
            self._bell.ring(self.linked.source, ROOM, self.linked.number)

    def suspend(self) -> None:
        """Go away: the next process of the fragment goes on."""
        with self._lock:
            self._left = True
            self._subscriber = self._service = None

    def abandon(self) -> None:
        """Take nothing more, and have the producer know."""
        self.suspend()
        self.took()
