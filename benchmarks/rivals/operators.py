"""The two operators of the apps that are measured."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from holoflow import Operator, param
from rivals.frames import Array, Source
from rivals.job import Job
from rivals.meter import Meter


class SendOp(Operator):
    """Give arrays in turn (a copy is up to the link), or arrays in the link's own memory."""

    loan: bool = param(False, doc="whether arrays are allocated from the link")

    def frames(self) -> Iterator[Array]:
        """Give arrays until all is measured."""
        job = Job.mine()
        source = Source(job)
        if not self.loan:
            yield from source.frames()
            return
        for _ in source.ticks():
            array = self.allocate((job.size,), np.uint8)
            source.stamp(array)
            yield array


class ReceiveOp(Operator):
    """Look at what comes."""

    def start(self) -> None:
        """Begin to measure."""
        self._meter = Meter(Job.mine())

    def process(self, array: Array) -> None:
        """Look at `array`."""
        self._meter.saw(array)
