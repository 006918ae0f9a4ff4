"""What travels: an array of bytes, stamped at its beginning, marked in its middle and at its end.

The receiver looks at all three, so a payload that did not arrive whole is noticed.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from rivals.job import FAST, OVER, Control, Job

Array: TypeAlias = npt.NDArray[np.uint8]

STAMP: Final = struct.Struct("<qqq")
"""Number of the message from 1, time of sending (ns, monotonic), and the sender's state."""
SMALLEST: Final = 64
"""Bytes of the smallest payload."""
POOL: Final = 16
"""How many arrays a sender has that copies nothing itself: more than any rival has under way."""


@dataclass(frozen=True)
class Stamp:
    """What a payload says about itself."""

    number: int
    sent: int
    state: int


def write(array: Any, stamp: Stamp) -> None:
    """Stamp `array`, a writable buffer of at least `SMALLEST` bytes."""
    STAMP.pack_into(array, 0, stamp.number, stamp.sent, stamp.state)
    array[len(array) // 2] = array[-1] = stamp.number & 255


def read(array: Any, size: int) -> Stamp:
    """Return the stamp of `array`; raises ValueError where it is not whole."""
    number, sent, state = STAMP.unpack_from(array, 0)
    mark = number & 255
    if len(array) != size or array[size // 2] != mark or array[-1] != mark:
        raise ValueError(f"message {number} did not arrive whole")
    return Stamp(number, sent, state)


class Source:
    """The sender's side: paces and stamps."""

    def __init__(self, job: Job) -> None:
        """Send what `job` says."""
        self._control = Control(job)
        self._size = job.size
        self._number = 0
        self._due: int | None = None
        """When the last paced message was due; ns, monotonic."""

    @property
    def over(self) -> bool:
        """Whether all is measured."""
        return self._control.state == OVER

    def wait(self) -> float | None:
        """Return the seconds to wait before the next message; None once all is measured."""
        state = self._control.state
        if state == OVER:
            return None
        if state == FAST:
            return 0.0
        now, interval = time.monotonic_ns(), self._control.interval
        self._due = now if self._due is None else max(self._due + interval, now)
        return (self._due - now) / 1e9

    def ticks(self) -> Iterator[None]:
        """Yield whenever a message is to be sent, until all is measured."""
        while (seconds := self.wait()) is not None:
            if seconds:
                time.sleep(seconds)
            yield

    def stamp(self, array: Any) -> None:
        """Write number and time into `array`, which is sent right after."""
        self._number += 1
        write(array, Stamp(self._number, time.monotonic_ns(), self._control.state))

    def frames(self) -> Iterator[Array]:
        """Yield a stamped array whenever one is to be sent; arrays take turns."""
        for array, _ in zip(self.arrays(), self.ticks(), strict=False):
            self.stamp(array)
            yield array

    def arrays(self) -> Iterator[Array]:
        """Yield arrays in turn, all written to before."""
        pool = [np.full(self._size, i, np.uint8) for i in range(POOL)]
        while True:
            yield from pool
