"""The receiving end: messages are used in place and kept as long as they are referenced."""

from __future__ import annotations

import ctypes
import logging
import threading
from typing import Any, Final

from holoflow.core.errors import HoloflowError, require_descriptors
from holoflow.link.ends import Consumer, LinkedFlow, Notifier
from holoflow.link.shared_memory import layout
from holoflow.link.shared_memory.loans import SampleReference, tokens
from holoflow.link.shared_memory.services import HELD, Services, buffered
from holoflow.link.shared_memory.wakeup import DIRECT, MORE, ROOM, WakeUpSocket
from holoflow.stats.causes import Cause
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
"""Bytes of a message up to which it is copied, so that its sample can be reused at once."""

_log = logging.getLogger("holoflow.link")


class SharedInlet:
    """The receiving end of a flow through shared memory."""

    def __init__(
        self, linked: LinkedFlow, consumer: Consumer, services: Services, wakeup: WakeUpSocket
    ) -> None:
        """Deliver to `consumer` once the sender has been joined."""
        self.linked = linked
        self._counters = linked.counters
        self._consumer = consumer
        self._services = services
        self._wakeup = wakeup
        self._service: Any = None
        self._subscriber: Any = None
        self._left = False
        self._ended = False
        self._watermark = 0
        """The watermark at the last poll."""
        self._tokens = tokens(linked.flow.queue + HELD)
        self._most = 2 * buffered(linked.flow.queue)
        self._lossless = linked.flow.lossless
        # A gap means that the sender had no room if it may leave messages out, else a crash.
        self._left_out: Cause = "full" if linked.flow.drops_newest else "crash"
        self._sender: int | None = None
        self._before = 0
        self._lock = threading.Lock()
        wakeup.register(MORE, linked.number, self)

    def join(self) -> bool:
        """Join the sender, and return whether that has succeeded.

        What the fragment's previous process had in its queue is lost, and counted as dropped.
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
            self._before = self._counters[SENT]
            consumer_died(self._counters, resent=False)
        self.took()
        return True

    # -- receiving -------------------------------------------------------------------------

    def poll(self) -> None:
        """Deliver what has arrived."""
        block = self._counters
        if block[WANTS_MORE]:
            block[WANTS_MORE] = 0
        self._watermark = block[WATERMARK]
        closed = block[CLOSED]
        # Read before receiving: a message sent after this is not lost if it is not received yet.
        newest = block[SENT] if closed else block[PASSED]
        if newest > block[ARRIVED] and not self._left:
            arrived = block[ARRIVED]
            drained = self._receive(closed)
            if drained and newest > block[ARRIVED] and self._left_out == "crash":
                self._look_for_cause(newest)
            if drained and newest > block[ARRIVED]:
                self._lose(newest)
            if block[ARRIVED] - arrived > 1:
                self.took()  # lost messages have made room too
        if closed and not self._ended and block[ARRIVED] >= newest:
            self._ended = True
            self._consumer.close()

    def _receive(self, closed: int) -> bool:
        """Deliver some messages, and return whether there are no more."""
        if self._subscriber is None and not self.join():
            return bool(closed)  # the sender has already left again
        subscriber = self._subscriber
        for _ in range(self._most):
            try:
                sample = None if subscriber is None else subscriber.receive()
            except Exception as error:
                _log.error("%s: a message cannot be received: %s", self._name, error)
                return True
            if sample is None:
                return True
            self._deliver(sample, subscriber)
        return False

    def _deliver(self, sample: Any, subscriber: Any) -> None:
        memory = self._look_at(sample, subscriber)
        try:
            found = layout.read(memory, self.linked.number)
        except HoloflowError as error:
            _log.error("%s: %s", self._name, error)
            return
        block = self._counters
        lost = found.number - block[ARRIVED] - 1
        if lost < 0:  # not for this flow, or already counted as lost
            return
        arrived = block[ARRIVED]
        # First: until the lost messages are counted as dropped, they seem to wait in the queue,
        # so that the producer can only underestimate the room, never send too much.
        block[ARRIVED] = found.number
        if lost:
            same = self._sender in (None, found.sender) and not self._lossless
            self._count_lost(arrived, found.number - 1, "full" if same else "crash")
        self._sender = found.sender
        buffers = [memory[at : at + size] for at, size in found.places]
        self._consumer.deliver(found.number, found.head, buffers)

    def _look_at(self, sample: Any, subscriber: Any) -> memoryview:
        """Return the bytes of `sample`, which is kept as long as there are views of them."""
        first = sample.payload_ptr
        start = layout.aligned(first)
        size = sample.header.number_of_elements - (start - first)
        if size > SMALL:
            try:
                held = SampleReference(sample, self._tokens, subscriber)
                memory = held.piece(start, size)
                return memoryview(memory).cast("B")[:size].toreadonly()
            except IndexError:  # so many samples are kept that this one must be released at once
                pass
        return memoryview(ctypes.string_at(start, size))

    def _look_for_cause(self, newest: int) -> None:
        """Join again because messages up to `newest` are missing, and log how many remain so.

        Usually they were lost with their sender. But if iceoryx2 could not open the memory of a
        sender, it does not report that and never tries again.

        Raises:
            ShortageError: This process cannot open any files now.
        """
        require_descriptors()
        with self._lock:
            if self._left or self._service is None:
                return
            flow = self.linked.flow
            joined = self._services.subscriber(self._service, str(flow.source), flow.queue)
        self._receive(0)  # what arrives meanwhile reaches both subscribers and is counted once
        with self._lock:
            self._subscriber = None if self._left else joined
        missing = newest - self._counters[ARRIVED]
        if missing > 0:
            _log.warning("%s: %d messages were lost in transit", self._name, missing)

    def _lose(self, newest: int) -> None:
        """Count all messages up to `newest` as dropped: they have not arrived and never will."""
        arrived = self._counters[ARRIVED]
        self._counters[ARRIVED] = newest
        self._count_lost(arrived, newest, self._left_out)

    def _count_lost(self, after: int, last: int, cause: Cause) -> None:
        """Count messages `after` + 1 to `last` as dropped by `cause`.

        Those sent before this process joined are counted as dropped by `crash`.
        """
        crashed = max(min(self._before, last) - after, 0)
        if crashed:
            drop(self._counters, "crash", crashed)
        if last - after > crashed:
            drop(self._counters, cause, last - after - crashed)

    @property
    def _name(self) -> str:
        return f"{self.linked.flow.source} -> {self.linked.flow.target}"

    # -- sleeping, waking, ending ----------------------------------------------------------

    def about_to_sleep(self, notifier: Notifier | None = None) -> bool:
        """Have the stage woken by later messages; return False if something is there already.

        The flag is set before the check. A sender changes its counters before it reads the flag,
        so either it sees the flag or the check sees the change; if the processor reorders the
        two, `missed` finds it.
        """
        self._counters[WANTS_MORE] = 1 if notifier is None else DIRECT
        return self._subscriber is None or not self._has_work()

    def _has_work(self) -> bool:
        block = self._counters
        return (
            (block[PASSED] > block[ARRIVED] and not self._left)
            or block[WATERMARK] != self._watermark
            or bool(block[CLOSED] and not self._ended)
        )

    def wake(self) -> None:
        """Schedule the stage, which will poll."""
        self._consumer.wake()

    def missed(self) -> bool:
        """Whether the stage sleeps although there is something for it."""
        return bool(self._counters[WANTS_MORE]) and self._has_work()

    def took(self) -> None:
        """Notify a producer that waits for room, once."""
        if self._counters[WANTS_ROOM]:
            self._counters[WANTS_ROOM] = 0
            self._wakeup.notify(self.linked.source, ROOM, self.linked.number)

    def suspend(self) -> None:
        """Leave: the next process of the fragment continues."""
        with self._lock:
            self._left = True
            self._subscriber = self._service = None

    def abandon(self) -> None:
        """Receive nothing more, and notify the producer."""
        self.suspend()
        self.took()
