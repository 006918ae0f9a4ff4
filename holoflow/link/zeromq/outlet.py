"""The sending end of flows, in the stage's thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from holoflow.flow.ledger import CLOSED, WANTS_ROOM
from holoflow.link.doorbell import Doorbell
from holoflow.link.ends import Buffer
from holoflow.link.zeromq.dial import Dial
from holoflow.link.zeromq.frames import message


class ZeroMQOutlet:
    """An `Outlet`: one connection for each flow."""

    def __init__(self, dials: Sequence[Dial]) -> None:
        """Send by `dials`, in the order of the numbers that `send` is given."""
        self._dials = dials

    def send(self, numbers: Sequence[int], head: bytes, buffers: Sequence[Buffer]) -> None:
        """Send a message; nobody may write to its large buffers any more."""
        for number, dial in zip(numbers, self._dials, strict=True):
            if number:
                dial.send(message(number, head, buffers))

    def mark(self) -> None:
        """Tell the receivers how many frames are through, behind what has been sent."""
        for dial in self._dials:
            dial.mark()

    def flush(self) -> None:
        """Send what waits for others to travel with."""
        for dial in self._dials:
            dial.flush()

    def allocate(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """Return an array: the network has no memory of its own."""
        return np.empty(shape, dtype)

    def wants_room(self, doorbell: Doorbell | None = None) -> None:
        """Have the producer woken when there is room."""
        for dial in self._dials:
            dial.flush()
            dial.sending.row[WANTS_ROOM] = 1
            if doorbell is not None:
                dial.wait_at(doorbell)

    def close(self) -> None:
        """End the stream behind what has been sent."""
        for dial in self._dials:
            dial.sending.row[CLOSED] = 1
            dial.close()

    def suspend(self) -> None:
        """Send what was given, and then no more."""
        for dial in self._dials:
            dial.leave()
