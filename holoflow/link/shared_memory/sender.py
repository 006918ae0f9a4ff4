"""The sending end: a message is put into shared memory once for all receivers."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from holoflow.core import text
from holoflow.core.errors import HoloflowError
from holoflow.link.ends import Buffer, LinkedFlow, Notifier, Producer
from holoflow.link.shared_memory import layout
from holoflow.link.shared_memory.loans import LoanedSample, LoanedSamples, Sample, lendable
from holoflow.link.shared_memory.memory import PagePopulator
from holoflow.link.shared_memory.services import INITIAL, Services
from holoflow.link.shared_memory.wakeup import DIRECT, MORE, ROOM, WakeUpSocket
from holoflow.stats.counters import (
    ARRIVED,
    GONE,
    PASSED,
    SENT,
    WANTS_MORE,
    WANTS_ROOM,
    producer_died,
    waiting,
)

_LEAST_TAIL: Final = 4096
"""Bytes that a loan has after its array, for the head and for small buffers."""

_LONG: Final = 256 << 10
"""Bytes from which a copy releases the interpreter lock: a shorter one is faster than that."""


class SharedOutlet:
    """The sending end of all flows that leave an output port through shared memory."""

    def __init__(
        self,
        flows: Sequence[LinkedFlow],
        producer: Producer,
        services: Services,
        wakeup: WakeUpSocket,
    ) -> None:
        """Send to `flows`; raise HoloflowError if there is no shared memory."""
        self._flows = list(flows)
        self._numbers = [at for f in flows for at in (f.number, 0)]
        """Number of each flow and of its message, alternating."""
        self._first = layout.prefix_size(len(flows))
        self._name = str(flows[0].flow.source)
        self._producer = producer
        self._services = services
        self._wakeup = wakeup
        self._room = PagePopulator(services.prefix)
        self._sender = time.time_ns()
        self._largest = INITIAL - layout.ALIGNMENT
        self._tail = _LEAST_TAIL
        self._blocking = [f for f in flows if f.flow.lossless]
        self._limited = [i for i, f in enumerate(flows) if f.flow.drops_newest]
        self._published = [f.counters[SENT] for f in flows]
        for linked in flows:
            producer_died(linked.counters)
            wakeup.register(ROOM, linked.number, self)
        self._loans: LoanedSamples | None = None
        self._service = services.make(
            self._name, len(self._flows), max(f.flow.queue for f in self._flows)
        )
        self._publisher = services.publisher(self._service, self._name)
        # Operators may allocate memory from threads of their own.
        self._lock = threading.Lock()

    # -- sending ---------------------------------------------------------------------------

    def send(self, numbers: Sequence[int], head: bytes, buffers: Sequence[Buffer]) -> None:
        """Send a message, as in `Outlet.send`; raise HoloflowError if shared memory is full.

        `PASSED` is set after the sample is sent, so that a receiver that sees it finds the
        message; `WANTS_MORE` is read last, so that a receiver about to sleep is not missed.
        """
        with self._lock:
            loans, loan = self._loans, None
            numbers = self._admitted(numbers)
            if any(numbers) and self._publisher is not None:
                self._numbers[1::2] = numbers
                loan = self._publish(head, buffers)
        for index, linked in enumerate(self._flows):
            block = linked.counters
            if numbers[index]:
                self._published[index] = numbers[index]
            block[PASSED] = block[SENT]
            if block[WANTS_ROOM]:
                block[WANTS_ROOM] = 0
            if block[WANTS_MORE] and numbers[index]:
                self._call(linked)
        if loans is not None:  # after the message has been sent, so as not to delay it
            kept = loans.keeper.receive()
            if loan is not None:
                loan.keep(kept)

    def _admitted(self, numbers: Sequence[int]) -> Sequence[int]:
        """Return `numbers` with 0 for flows that drop the newest message and have no room."""
        if not self._limited:
            return numbers
        admitted = list(numbers)
        for index in self._limited:
            if not has_room(self._flows[index], self._published[index]):
                admitted[index] = 0
        return admitted

    def _publish(self, head: bytes, buffers: Sequence[Buffer]) -> LoanedSample | None:
        """Put a message into a sample and send it; return the loan that already contained it."""
        end = layout.tail_size(len(buffers), len(head))
        if 2 * end > self._tail:
            self._tail = 2 * end
        if self._loans is not None:
            loan = self._loans.find(buffers)
            if loan is not None and self._publish_loan(loan, head, buffers):
                return loan
        places, tail = layout.place([buffer.nbytes for buffer in buffers], self._first)
        sample, _, memory = self._sample(tail + end)
        for (at, size), buffer in zip(places, buffers, strict=True):
            _copy(memory[at : at + size], buffer)
        layout.write(memory, self._sender, self._numbers, places, tail, head)
        sample.assume_init().send()
        return None

    def _publish_loan(self, loan: LoanedSample, head: bytes, buffers: Sequence[Buffer]) -> bool:
        """Send a loan with the rest of the message after it; return False if that does not fit."""
        lying = [loan.place(buffer) for buffer in buffers]
        used = max(
            at + buffer.nbytes for at, buffer in zip(lying, buffers, strict=True) if at is not None
        )
        places, copied = [], []
        for at, buffer in zip(lying, buffers, strict=True):
            if at is None:
                ((at, _),), used = layout.place([buffer.nbytes], used)
                copied.append((at, buffer))
            places.append((at, buffer.nbytes))
        tail = layout.aligned(used)
        if tail + layout.tail_size(len(buffers), len(head)) > loan.size:
            return False
        for at, buffer in copied:
            _copy(loan.memory[at : at + buffer.nbytes], buffer)
        layout.write(loan.memory, self._sender, self._numbers, places, tail, head)
        loan.send()
        return True

    def _sample(self, size: int) -> Sample:
        self._note_growth(size)
        try:
            sample = self._publisher.loan_slice_uninit(size + layout.ALIGNMENT)
        except Exception as error:
            raise HoloflowError(
                f"no shared memory for a message of {self._name} of {text.size(size)}: {error}"
            ) from error
        start = layout.aligned(sample.payload_ptr)
        return sample, start, self._room.claim(start, size, self._name)

    def _note_growth(self, size: int) -> None:
        if size > self._largest:  # perhaps in a new segment, at the address of the old one
            self._room.require(size, self._name)
            self._largest = size
            self._room.forget()

    # -- memory for outputs ----------------------------------------------------------------

    def allocate(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """Return an array in shared memory, which is sent without a copy.

        Small arrays, and all if too many are in use, are in ordinary memory. Once sent, the
        array is read-only and stays valid. Views made before can still be written to, but must
        not be.
        """
        shape, dtype = tuple(shape), np.dtype(dtype)
        if lendable(shape, dtype):
            with self._lock:
                if self._publisher is not None:
                    array = self._lend(shape, dtype)
                    if array is not None:
                        return array
        return np.empty(shape, dtype)

    def _lend(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any] | None:
        if self._loans is None:
            self._loans = LoanedSamples(
                self._services, self._service, self._publisher, len(self._flows)
            )
        return self._loans.lend(shape, dtype, self._tail, self._sample)

    # -- sleeping, waking, ending ----------------------------------------------------------

    def mark(self) -> None:
        """Wake the consumers that wait for the watermark."""
        for linked in self._flows:
            if linked.flow.watermark and linked.counters[WANTS_MORE]:
                self._call(linked)

    def flush(self) -> None:
        """Do nothing: nothing is held back."""

    def wants_room(self, notifier: Notifier | None = None) -> None:  # noqa: ARG002 - woken by others
        """Have the producer woken when there is room."""
        for linked in self._blocking:
            linked.counters[WANTS_ROOM] = 1

    def wake(self) -> None:
        """Have the producer check again."""
        self._producer.wake()

    def missed(self) -> bool:
        """Whether the producer sleeps although there is room."""
        if not any(linked.counters[WANTS_ROOM] for linked in self._blocking):
            return False
        return all(
            linked.counters[GONE] or waiting(linked.counters) < linked.flow.queue
            for linked in self._blocking
        )

    def close(self) -> None:
        """Notify the consumers that the stream has ended."""
        for linked in self._flows:
            if linked.counters[WANTS_MORE]:
                self._call(linked)

    def _call(self, linked: LinkedFlow) -> None:
        """Wake the consumer, which sleeps or waits at its own notifier."""
        if linked.counters[WANTS_MORE] == DIRECT:
            self._wakeup.notify_stage(linked.target, linked.flow.target.operator)
        else:
            self._wakeup.notify(linked.target, MORE, linked.number)

    def suspend(self) -> None:
        """Leave; what has been sent can still be received."""
        with self._lock:
            self._loans = self._publisher = self._service = None

    def arrived(self) -> bool:
        """Whether this end is no longer needed for what it has sent."""
        blocks = [linked.counters for linked in self._flows]
        return self._publisher is None or all(r[GONE] or r[ARRIVED] >= r[SENT] for r in blocks)


def has_room(linked: LinkedFlow, published: int) -> bool:
    """Whether the queue of a flow that drops the newest message has room for one.

    `published` is the number of the last message that was not left out. Those left out since
    then do not wait, although they have not been counted as dropped yet.
    """
    block = linked.counters
    left_out = block[SENT] - max(block[ARRIVED], published)
    return waiting(block) - left_out < linked.flow.queue


def _copy(memory: memoryview, buffer: Buffer) -> None:
    """Copy `buffer` into `memory`, which has the same size."""
    if not memory.nbytes:
        return  # an array with an axis of length 0 cannot be cast
    if memory.nbytes < _LONG:
        memory[:] = memoryview(buffer).cast("B")
    else:
        np.copyto(np.frombuffer(memory, np.uint8), np.frombuffer(buffer, np.uint8))
