"""Arrays over memory that is given back once nobody looks at it any more."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
import numpy.typing as npt


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
        self.__array_interface__: dict[str, Any] = {}

    def __del__(self) -> None:
        self.sample = None  # first: whoever finds the token may borrow one more
        if self._token is not None:
            self._tokens.append(self._token)

    def array(
        self,
        address: int,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        *,
        read_only: bool,
    ) -> npt.NDArray[Any]:
        """Return the array at `address`, which keeps this object, as do all views of it."""
        self.__array_interface__ = {
            "data": (address, read_only), "shape": shape, "typestr": dtype.str, "version": 3,
        }  # fmt: skip
        return np.asarray(self)


def tokens(count: int) -> deque[int]:
    """Return `count` tokens; taking one from a deque and giving it back need no lock."""
    return deque(range(count))
