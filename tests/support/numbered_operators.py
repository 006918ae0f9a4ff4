"""The operators of `support.numbered`, copied into the folder of its app: they import nothing here.

Each does what it is told in a file `NAME.deed` of the run's folder, once: `raise`, `hang`, `leak`
or `exit`.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from holoflow import Header, Operator, Stamped, param
from holoflow.core.array import Array

_kept: list[bytes] = []


class Misled(Operator):
    """Can be told to do something that no operator should."""

    def obey(self) -> None:
        order = Path(self.context.output, f"{self.context.name}.deed")
        if not order.exists():
            return
        deed = order.read_text()
        order.unlink()
        if deed == "raise":
            raise ValueError("was told to raise")
        if deed == "hang":
            threading.Event().wait()
        if deed == "exit":
            os._exit(0)
        while deed == "leak" and len(_kept) < 150:
            _kept.append(b"x" * 10_000_000)
            time.sleep(0.02)


class NumbersOp(Misled):
    """Gives arrays of consecutive numbers, until the file `enough` is there.

    The first number of each is another one in all arrays of all processes.
    """

    rate: float = param(200.0, gt=0, doc="frames a second")
    size: int = param(64, doc="numbers in each")

    def frames(self) -> Iterator[Stamped[Array]]:
        enough = Path(self.context.output, "enough")
        index, base = 0, int.from_bytes(os.urandom(5), "big") << 20
        while not enough.exists():
            self.obey()
            numbers = np.arange(base + index, base + index + self.size)
            yield Stamped(numbers, elapsed=round(index / self.rate * 1e9), wait=True)
            index += 1


class WorkOp(Misled):
    """Adds one."""

    def process(self, x: Array) -> Array:
        self.obey()
        return x + 1


class TableOp(Misled):
    """Writes a line for each array: the frame's number, its first number, and what is wrong."""

    seconds: float = param(0.0, doc="that a frame takes")

    def start(self) -> None:
        path = Path(self.context.output, "table.txt")
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def process(self, x: Array, header: Header) -> None:
        self.obey()
        time.sleep(self.seconds)
        wrong = "" if x.ndim == 1 and (np.diff(x) == 1).all() else f" {x.tolist()}"
        os.write(self._file, f"{header.sequence} {x[0]}{wrong}\n".encode())

    def stop(self) -> None:
        if hasattr(self, "_file"):
            os.close(self._file)
