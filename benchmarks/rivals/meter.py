"""The receiver's side: counts, takes latencies, and tells the sender what to do next."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from rivals.frames import read
from rivals.job import PACED, Control, Job

FEWEST: Final = 20
"""Messages that a measurement takes at least, however long they need."""


@dataclass(frozen=True)
class Measured:
    """One contender at one size, once."""

    messages: float
    """Per second, as they arrived."""
    bytes: float
    """Payload bytes per second."""
    lost: float
    """Messages that did not arrive while throughput was taken."""
    rate: float
    """Messages per second at which latency was taken."""
    median: float
    """Seconds from the moment before a message is sent to the moment the receiver has its array."""
    p99: float


class Meter:
    """Fed with every array that arrives: throughput first, then latency."""

    def __init__(self, job: Job, control: Control | None = None) -> None:
        """Measure `job`."""
        self._job = job
        self._control = control or Control(job)
        self._began = 0
        self._first = 0
        self._received = 0
        self._interval = 0
        self._latencies: list[int] = []
        self.over = False
        """Whether all is measured."""

    def saw(self, array: Any, now: int | None = None) -> bool:
        """Take note of `array`, arrived just `now` (ns, monotonic); false once all is measured."""
        now = time.monotonic_ns() if now is None else now
        stamp = read(array, self._job.size)
        if self.over:
            return False
        if self._interval:
            if stamp.state == PACED:
                self._take_latency(now - stamp.sent, now)
        elif not self._began:
            self._began = now
        elif now - self._began < self._job.warm * 1e9:
            pass
        elif not self._first:
            self._first, self._since = stamp.number, now
        else:
            self._received += 1
            if now - self._since >= self._job.seconds * 1e9 and self._received >= FEWEST:
                self._rate = self._received / (now - self._since) * 1e9
                self._lost = stamp.number - self._first - self._received
                self._interval = int(1e9 / min(self._job.rate, self._rate / 2))
                self._control.keep_pace(self._interval)
                self._since = 0
        return not self.over

    def _take_latency(self, latency: int, now: int) -> None:
        self._since = self._since or now
        if now - self._since < self._job.warm * 1e9:
            return
        self._latencies.append(latency)
        enough = now - self._since >= (self._job.warm + self._job.seconds) * 1e9
        if enough and len(self._latencies) >= FEWEST:
            self.over = True
            self._control.end()
            self._write()

    def measured(self) -> Measured:
        """Return what came out, once `over`."""
        median, p99 = np.percentile(self._latencies, (50, 99)) / 1e9
        return Measured(
            messages=self._rate,
            bytes=self._rate * self._job.size,
            lost=self._lost,
            rate=1e9 / self._interval,
            median=float(median),
            p99=float(p99),
        )

    def _write(self) -> None:
        part = self._job.result.with_suffix(".part")
        part.write_text(json.dumps(asdict(self.measured())))
        part.rename(self._job.result)
