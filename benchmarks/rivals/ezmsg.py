"""ezmsg: two units in two processes; arrays go through its shared memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import ezmsg.core as ez

from rivals.frames import Array, Source
from rivals.job import Job
from rivals.meter import Meter

UNDER_WAY = 8
"""Messages that may wait for the receiver."""
AROUND = 1 << 16
"""Bytes that ezmsg may need around a payload."""

JOB = Job.mine()


class Sender(ez.Unit):
    """Publishes arrays in turn, each copied into shared memory once."""

    OUTPUT = ez.OutputStream(Any, num_buffers=UNDER_WAY, buf_size=JOB.size + AROUND)

    @ez.publisher(OUTPUT)
    async def publish(self) -> AsyncGenerator[tuple[ez.OutputStream, Array]]:
        """Publish until all is measured."""
        source = Source(JOB)
        arrays = source.arrays()
        while (seconds := source.wait()) is not None:
            if seconds:
                await asyncio.sleep(seconds)
            array = next(arrays)
            source.stamp(array)
            yield self.OUTPUT, array
        raise ez.NormalTermination


class Receiver(ez.Unit):
    """Takes what comes: views of the shared memory."""

    INPUT = ez.InputStream(Any)

    async def initialize(self) -> None:
        """Begin to measure."""
        self.meter = Meter(JOB)

    @ez.subscriber(INPUT)
    async def take(self, array: Array) -> None:
        """Look at `array`."""
        if not self.meter.saw(array):
            raise ez.NormalTermination


def run(_job: Job) -> None:
    """Run both units, each in a process of its own."""
    sender, receiver = Sender(), Receiver()
    ez.run(
        SENDER=sender, RECEIVER=receiver, connections=((sender.OUTPUT, receiver.INPUT),),
        process_components=(sender, receiver),
    )  # fmt: skip
