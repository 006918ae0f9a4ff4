"""The sending end: a message is put into shared memory once, whoever receives it."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from holoflow.errors import HoloflowError
from holoflow.flow.ledger import (
    ARRIVED,
    GONE,
    PASSED,
    SENT,
    WANTS_MORE,
    WANTS_ROOM,
    waiting,
)
from holoflow.flow.recovery import producer_died
from holoflow.link.ends import Buffer, LinkedFlow, Producer
from holoflow.link.shared_memory import layout
from holoflow.link.shared_memory.bell import DIRECT, MORE, ROOM, Bell
from holoflow.link.shared_memory.loans import Loan, Loans, Piece, lendable, piece_of
from holoflow.link.shared_memory.room import Room
from holoflow.link.shared_memory.services import Services

_LEAST_TAIL: Final = 4096
"""Bytes that a loan has behind its array, for the head and for small buffers."""


class SharedOutlet:
    """The sending end of all flows that leave an output port through shared memory."""

    def __init__(
        self, flows: Sequence[LinkedFlow], producer: Producer, services: Services, bell: Bell
    ) -> None:
        """Send to `flows`. Raises HoloflowError where there is no shared memory to be had."""
        self._flows = list(flows)
        self._ids = [f.number for f in flows]
        self._first = layout.prefix_size(len(flows))
        self._name = str(flows[0].flow.source)
        self._producer = producer
        self._services = services
        self._bell = bell
        self._room = Room()
        self._sender = time.time_ns()
        self._largest = 0
        self._tail = _LEAST_TAIL
        self._blocking = [f for f in flows if blocks(f)]
        self._limited = [i for i, f in enumerate(flows) if limited(f)]
        self._published = [f.row[SENT] for f in flows]
        for linked in flows:
            producer_died(linked.row)
            bell.answer(ROOM, linked.number, self)
        self._loans: Loans | None = None
        self._service = services.make(
            self._name, len(self._flows), max(f.flow.queue for f in self._flows)
        )
        self._publisher = services.publisher(self._service, self._name)
        # Operators may ask for memory in a thread of their own.
        self._lock = threading.Lock()

    # -- sending ---------------------------------------------------------------------------

    def send(self, numbers: Sequence[int], head: bytes, buffers: Sequence[Buffer]) -> None:
        """Send a message. Raises HoloflowError where shared memory is full."""
        with self._lock:
            numbers = self._admitted(numbers)
            if any(numbers) and self._publisher is not None:
                arrays = [np.frombuffer(buffer, np.uint8) for buffer in buffers]
                self._publish(numbers, head, [piece_of(array) for array in arrays])
        for index, linked in enumerate(self._flows):
            row = linked.row
            if numbers[index]:
                self._published[index] = numbers[index]
            row[PASSED] = row[SENT]
            if row[WANTS_ROOM]:
                row[WANTS_ROOM] = 0
            if row[WANTS_MORE] and numbers[index]:
                self._call(linked)

    def _admitted(self, numbers: Sequence[int]) -> Sequence[int]:
        """Leave out the flows that drop the newest message and have no room for it."""
        if not self._limited:
            return numbers
        admitted = list(numbers)
        for index in self._limited:
            if not has_room(self._flows[index], self._published[index]):
                admitted[index] = 0
        return admitted

    def _publish(self, numbers: Sequence[int], head: bytes, pieces: Sequence[Piece]) -> None:
        """Put a message into a sample and send it; its buffers are `pieces` of memory."""
        end = layout.tail_size(len(pieces), len(head))
        self._tail = max(self._tail, 2 * end)
        loan = self._loans.find(pieces) if self._loans is not None else None
        if loan is not None and self._publish_loan(loan, numbers, head, pieces):
            return
        places, tail = layout.place([size for _, size in pieces], self._first)
        sample = self._sample(layout.ALIGNMENT + tail + end)
        start = layout.aligned(sample.payload_ptr)
        for (address, size), (at, _) in zip(pieces, places, strict=True):
            ctypes.memmove(start + at, address, size)  # without the interpreter's lock
        self._frame(start, numbers, head, places, tail)
        sample.assume_init().send()
        if self._loans is not None:
            self._loans.keeper.receive()

    def _publish_loan(
        self, loan: Loan, numbers: Sequence[int], head: bytes, pieces: Sequence[Piece]
    ) -> bool:
        """Send what lies in a loan already, the rest behind it; false where that is too much."""
        assert self._loans is not None  # noqa: S101 - for the type checker
        start = loan.start
        used = max(at + size for at, size in pieces if start <= at < loan.end) - start
        places, copied = [], []
        for address, size in pieces:
            if start <= address < loan.end:
                places.append((address - start, size))
                continue
            (place,), used = layout.place([size], used)
            places.append(place)
            copied.append((place[0], address, size))
        tail = layout.aligned(used)
        if start + tail + layout.tail_size(len(pieces), len(head)) > loan.end:
            return False
        for at, address, size in copied:
            ctypes.memmove(start + at, address, size)
        self._frame(start, numbers, head, places, tail)
        loan.send(self._loans.keeper)
        return True

    def _frame(
        self, start: int, numbers: Sequence[int], head: bytes, places: Sequence[Piece], tail: int
    ) -> None:
        """Write what lies before and behind the buffers."""
        flows = zip(self._ids, numbers, strict=True)
        before = layout.pack_prefix(self._sender, flows, tail, len(places), len(head))
        ctypes.memmove(start, before, len(before))
        behind = layout.pack_tail(places, head)
        ctypes.memmove(start + tail, behind, len(behind))

    def _sample(self, size: int) -> Any:
        self._note_growth(size)
        try:
            sample = self._publisher.loan_slice_uninit(size)
        except Exception as error:
            raise HoloflowError(
                f"no shared memory for a message of {self._name} of {size / 1e6:.1f} MB: {error}"
            ) from error
        self._room.claim(sample.payload_ptr, size, self._name)
        return sample

    def _note_growth(self, size: int) -> None:
        if size > self._largest:  # maybe in a new segment, where the old one was
            self._largest = size
            self._room.forget()

    # -- memory for outputs ----------------------------------------------------------------

    def allocate(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """Return an array in shared memory: sent as it is, it is not copied.

        Plain memory for small arrays, and where too many are in use. Once sent it is read-only,
        and stays valid. Views of it that were made before can still be written to, and must not.
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
            self._loans = Loans(self._services, self._service, self._publisher, len(self._flows))
        return self._loans.lend(shape, dtype, self._tail, self._sample)

    # -- sleeping, waking, ending ----------------------------------------------------------

    def wants_room(self) -> None:
        """Have the producer woken when there is room."""
        for linked in self._blocking:
            linked.row[WANTS_ROOM] = 1

    def wake(self) -> None:
        """Have the producer look again."""
        self._producer.wake()

    def missed(self) -> bool:
        """Whether the producer sleeps although there is room."""
        if not any(linked.row[WANTS_ROOM] for linked in self._blocking):
            return False
        return all(
            linked.row[GONE] or waiting(linked.row) < linked.flow.queue for linked in self._blocking
        )

    def close(self) -> None:
        """Let the consumers know that the stream has ended."""
        for linked in self._flows:
            if linked.row[WANTS_MORE]:
                self._call(linked)

    def _call(self, linked: LinkedFlow) -> None:
        """Wake the consumer, who sleeps or waits by itself."""
        if linked.row[WANTS_MORE] == DIRECT:
            self._bell.call(linked.target, linked.flow.target.operator)
        else:
            self._bell.ring(linked.target, MORE, linked.number)

    def suspend(self) -> None:
        """Go away; what has been sent can still be received."""
        with self._lock:
            self._loans = self._publisher = self._service = None

    def arrived(self) -> bool:
        """Whether nobody needs this end for what it has sent."""
        rows = [linked.row for linked in self._flows]
        return self._publisher is None or all(r[GONE] or r[ARRIVED] >= r[SENT] for r in rows)


def blocks(linked: LinkedFlow) -> bool:
    """Whether the producer waits until the flow has room."""
    return linked.flow.when_full == "block" and not linked.flow.latest


def limited(linked: LinkedFlow) -> bool:
    """Whether what does not fit into the queue must not even be sent."""
    return linked.flow.when_full == "drop_newest" and not linked.flow.latest


def has_room(linked: LinkedFlow, published: int) -> bool:
    """Whether the newest message has a place in the queue, where it is the newest to be dropped.

    `published` is the number of the last that was not left out. Those left out since then wait
    for nothing, although nobody has booked them yet.
    """
    row = linked.row
    left_out = row[SENT] - max(row[ARRIVED], published)
    return waiting(row) - left_out < linked.flow.queue
