"""Arrays in shared memory: written there by operators, given back once nobody uses them."""

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
    """Who is kept as long as anything looks at these bytes."""


class SampleReference:
    """A piece of a sample; what keeps the sample while there is an array over it.

    It is made under one of a limited number of tokens, and gives the token back at its end,
    which may come in any thread.
    """

    def __init__(self, sample: Any, tokens: deque[int]) -> None:
        """Keep `sample`, under one of `tokens`; raises IndexError where none is left."""
        self._tokens = tokens
        self._token: int | None = None
        self._token = tokens.pop()
        self.sample = sample

    def __del__(self) -> None:
        self.sample = None  # first: whoever finds the token may borrow one more
        if self._token is not None:
            self._tokens.append(self._token)

    def piece(self, address: int, size: int) -> Any:
        """Return the memory at `address`, at least `size` bytes; it and views of it keep this.

        An array over it has it as its base.
        """
        memory: Memory = _line(size.bit_length()).from_address(address)
        memory.held = self
        return memory


@functools.cache
def _line(bits: int) -> Any:
    """Return the type of so many bytes; there is one for each number of bits, as they stay."""
    return ctypes.c_uint8 * (1 << bits)


def tokens(count: int) -> deque[int]:
    """Return `count` tokens; taking one from a deque and giving it back need no lock."""
    return deque(range(count))


LEAST: Final = 4096
"""Bytes below which a copy costs less than a loan."""

Sample: TypeAlias = tuple[Any, int, memoryview]
"""A sample to be written to, the address of the message in it, and the memory there."""


class LoanedSample(SampleReference):
    """A sample that is going to be sent, and then one that has been: its array stays valid."""

    def __init__(
        self, sample: Sample, size: int, first: int, publisher: Any, under: deque[int]
    ) -> None:
        """Keep `sample`, of whose `size` bytes those from `first` on are lent.

        `publisher` keeps the memory where it is.
        """
        taken, self.start, self.memory = sample
        super().__init__(taken, under)
        self.publisher = publisher
        self._written: weakref.ref[npt.NDArray[Any]] | None = None
        self.size = size
        self._first = first
        self._lent = 0
        self.sent = False

    def lend(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
        """Return the array, by which `find` knows this loan."""
        memory = self.piece(self.start + self._first, self.size - self._first)
        array: npt.NDArray[Any] = np.ndarray(shape, dtype, memory)
        self._lent = array.nbytes
        self._written = weakref.ref(array)
        return array

    def place(self, buffer: Buffer) -> int | None:
        """Return where in the message the bytes of `buffer` lie; None if elsewhere."""
        if owner_of(buffer) is not self:
            return None
        place: int = self._first
        if buffer.nbytes != self._lent:
            place = buffer.__array_interface__["data"][0] - self.start
        return place

    def send(self) -> None:
        """Send the sample; what is written to it from now on may be read by others."""
        self.sent = True
        self.sample.assume_init().send()

    def keep(self, sample: Any) -> None:
        """Have the memory stay as it is: `sample` is what was sent, as a port of ours got it."""
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
        """Return an array in a sample that has room for `tail` bytes behind it.

        `take` gives a sample of some bytes. None where no more can be lent.
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
        """Return the loan that has the largest of `buffers` and was not sent; None for none."""
        owner = owner_of(max(buffers, key=attrgetter("nbytes"), default=None))
        if (
            isinstance(owner, LoanedSample)
            and not owner.sent
            and owner.publisher is self._publisher
        ):
            return owner
        return None


def owner_of(buffer: Buffer | None) -> Any:
    """Return what keeps the memory of the array `buffer`; None where it is no piece of a sample."""
    while isinstance(buffer, np.ndarray):
        buffer = buffer.base
    return getattr(buffer, "held", None)


def lendable(shape: tuple[int, ...], dtype: np.dtype[Any]) -> bool:
    """Whether an array of `shape` is worth a loan, and its dtype one that travels."""
    return dtype.kind in "biufc" and math.prod(shape) * dtype.itemsize >= LEAST
