"""Memory that is given back once nobody looks at it any more."""

from __future__ import annotations

import ctypes
import functools
from collections import deque
from typing import Any, Protocol


class Memory(Protocol):
    """Bytes at an address, an object with the buffer protocol."""

    held: Held
    """Who is kept as long as anything looks at these bytes."""


class Held:
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
