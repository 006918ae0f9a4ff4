"""Arrays that operators write right into shared memory."""

from __future__ import annotations

import math
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from holoflow.errors import HoloflowError
from holoflow.link.shared_memory.held import Held, tokens
from holoflow.link.shared_memory.layout import ALIGNMENT, aligned, prefix_size
from holoflow.link.shared_memory.services import LOANS, Services

LEAST: Final = 4096
"""Bytes below which a copy costs less than a loan."""

Piece: TypeAlias = tuple[int, int]
"""Address and size of some memory, in bytes."""


class Loan(Held):
    """A sample that is going to be sent, and then one that has been: its array stays valid."""

    def __init__(self, sample: Any, publisher: Any, size: int, under: deque[int]) -> None:
        """Keep `sample` of `size` bytes; `publisher` keeps the memory where it is."""
        super().__init__(sample, under)
        self._publisher = publisher
        self.start = aligned(sample.payload_ptr)
        self.end = sample.payload_ptr + size
        self.written: weakref.ref[npt.NDArray[Any]] | None = None

    def send(self, keeper: Any) -> None:
        """Send the sample; from now on it is `keeper`, a port of our own, who has it."""
        self.sample.assume_init().send()
        self.sample = keeper.receive()
        array = self.written() if self.written is not None else None
        if array is not None:
            array.flags.writeable = False


class Loans:
    """The loans of one outlet."""

    def __init__(self, services: Services, service: Any, publisher: Any, flows: int) -> None:
        """Lend memory of `publisher`, for messages to `flows` flows."""
        self._publisher = publisher
        self._tokens = tokens(LOANS)
        self._first = prefix_size(flows)
        # By the place of its array: what has been lent and neither sent nor forgotten.
        self._lent: weakref.WeakValueDictionary[int, Loan] = weakref.WeakValueDictionary()
        self.keeper = services.subscriber(service, "loans", 1)

    def lend(
        self,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        tail: int,
        take: Callable[[int], Any],
    ) -> npt.NDArray[Any] | None:
        """Return an array in a sample that has room for `tail` bytes behind it.

        `take` gives a sample of some bytes. None where no more can be lent.
        """
        if not self._tokens:
            return None
        size = ALIGNMENT + self._first + aligned(math.prod(shape) * dtype.itemsize) + tail
        try:
            loan = Loan(take(size), self._publisher, size, self._tokens)
        except (HoloflowError, IndexError):
            return None
        address = loan.start + self._first
        array = loan.array(address, shape, dtype, read_only=False)
        loan.written = weakref.ref(array)
        self._lent[address] = loan
        return array

    def find(self, pieces: Sequence[Piece]) -> Loan | None:
        """Take out the loan in which the largest of `pieces` lies; None where it is in none."""
        if not self._lent or not pieces:
            return None
        largest, _ = max(pieces, key=lambda piece: piece[1])
        loan = self._lent.pop(largest, None)  # mostly it is a whole array
        if loan is not None:
            return loan
        for address, other in list(self._lent.items()):
            if address <= largest < other.end:
                return self._lent.pop(address, None)
        return None


def lendable(shape: tuple[int, ...], dtype: np.dtype[Any]) -> bool:
    """Whether an array of `shape` is worth a loan, and its dtype one that travels."""
    return dtype.kind in "biufc" and math.prod(shape) * dtype.itemsize >= LEAST


def piece_of(array: npt.NDArray[Any]) -> Piece:
    """Return where the bytes of `array` are."""
    address: int = array.__array_interface__["data"][0]
    return address, array.nbytes
