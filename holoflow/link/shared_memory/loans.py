"""Arrays in shared memory: written there by operators, released once they are not used."""

from __future__ import annotations

import ctypes
import functools
import math
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, Final, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from holoflow.core.errors import HoloflowError
from holoflow.link.ends import Buffer
from holoflow.link.shared_memory.layout import aligned, prefix_size
from holoflow.link.shared_memory.services import LOANS, Services


class Memory(Protocol):
    """Bytes at an address, an object with the buffer protocol."""

    held: SampleReference
    """Kept alive as long as there is a view of these bytes."""


class SampleReference:
    """Keeps a sample as long as there is an array over it.

    It holds one of a limited number of tokens, and returns it when it is deleted, in whichever
    thread that happens: `deque.pop` and `append` are atomic, so no lock is needed.
    """

    def __init__(self, sample: Any, tokens: deque[int], port: Any) -> None:
        """Keep `sample`, holding one of `tokens`; raise IndexError if none is left.

        `port`, which gave the sample, is kept as well: once a subscriber is gone, iceoryx2 takes
        all of its samples back, even those that are still held.
        """
        self._tokens = tokens
        self.port = port
        self._token: int | None = None
        self._token = tokens.pop()
        self.sample = sample

    def __del__(self) -> None:
        self.sample = None  # first: the thread that gets the token may then borrow another sample
        if self._token is not None:
            self._tokens.append(self._token)

    def piece(self, address: int, size: int) -> Any:
        """Return the memory at `address`, at least `size` bytes; views of it keep this object.

        It is the base of an array over it.
        """
        memory: Memory = _line(size.bit_length()).from_address(address)
        memory.held = self
        return memory


@functools.cache
def _line(bits: int) -> Any:
    """Return the type of 2**`bits` bytes; one per power of two, as ctypes never frees types."""
    return ctypes.c_uint8 * (1 << bits)


def tokens(count: int) -> deque[int]:
    """Return `count` tokens; `pop` and `append` of a deque are atomic and need no lock."""
    return deque(range(count))


LEAST: Final = 4096
"""Bytes below which a copy costs less than a loan."""

Sample: TypeAlias = tuple[Any, int, memoryview]
"""A sample to write to, the address of the message in it, and the memory there."""


class LoanedSample(SampleReference):
    """A sample with an array to be sent; the array stays valid after sending."""

    def __init__(
        self, sample: Sample, size: int, first: int, publisher: Any, under: deque[int]
    ) -> None:
        """Lend the memory of a sample.

        Args:
            sample: The sample.
            size: Its usable size in bytes.
            first: Offset from which its bytes are lent.
            publisher: Kept, so that the memory stays mapped.
            under: Tokens, of which one is held.

        Raises:
            IndexError: No token is left.
        """
        taken, self.start, self.memory = sample
        super().__init__(taken, under, publisher)
        self._written: weakref.ref[npt.NDArray[Any]] | None = None
        self.size = size
        self._first = first
        self._lent = 0
        self.sent = False

    def lend(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
        """Return the array, by which `find` recognises this loan."""
        memory = self.piece(self.start + self._first, self.size - self._first)
        array: npt.NDArray[Any] = np.ndarray(shape, dtype, memory)
        self._lent = array.nbytes
        self._written = weakref.ref(array)
        return array

    def place(self, buffer: Buffer) -> int | None:
        """Return the offset of the bytes of `buffer` in the message; None if not in this sample."""
        if owner_of(buffer) is not self:
            return None
        place: int = self._first
        if buffer.nbytes != self._lent:
            place = buffer.__array_interface__["data"][0] - self.start
        return place

    def send(self) -> None:
        """Send the sample; others may read what is written to it from now on."""
        self.sent = True
        self.sample.assume_init().send()

    def keep(self, sample: Any) -> None:
        """Keep the memory from being reused: `sample` is the sent one, received by an own port."""
        self.sample = sample
        array = self._written() if self._written is not None else None
        if array is not None:
            array.flags.writeable = False


class LoanedSamples:
    """The loans of one outlet."""

    def __init__(self, services: Services, service: Any, publisher: Any, flows: int) -> None:
        """Lend memory of `publisher`, for messages to `flows` flows."""
        self._publisher = publisher
        self._tokens = tokens(LOANS)
        self._first = prefix_size(flows)
        self.keeper = services.subscriber(service, "loans", 1)

    def lend(
        self,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        tail: int,
        take: Callable[[int], Sample],
    ) -> npt.NDArray[Any] | None:
        """Return an uninitialised array in a new sample; None if no more can be lent.

        Args:
            shape: Shape of the array.
            dtype: Its dtype.
            tail: Bytes to leave free after it.
            take: Returns a sample of the given size in bytes.
        """
        if not self._tokens:
            return None
        size = self._first + aligned(math.prod(shape) * dtype.itemsize) + tail
        try:
            loan = LoanedSample(take(size), size, self._first, self._publisher, self._tokens)
        except (HoloflowError, IndexError):
            return None
        return loan.lend(shape, dtype)

    def find(self, buffers: Sequence[Buffer]) -> LoanedSample | None:
        """Return the unsent loan that contains the largest of `buffers`; None if there is none."""
        owner = owner_of(max(buffers, key=attrgetter("nbytes"), default=None))
        if isinstance(owner, LoanedSample) and not owner.sent and owner.port is self._publisher:
            return owner
        return None


def owner_of(buffer: Buffer | None) -> Any:
    """Return what keeps the memory of the array `buffer`; None if it is not in a sample."""
    while isinstance(buffer, np.ndarray):
        buffer = buffer.base
    return getattr(buffer, "held", None)


def lendable(shape: tuple[int, ...], dtype: np.dtype[Any]) -> bool:
    """Whether an array of `shape` is worth a loan, and its dtype can be sent."""
    return dtype.kind in "biufc" and math.prod(shape) * dtype.itemsize >= LEAST
