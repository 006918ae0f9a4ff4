"""What is measured in one go: a contender at one size, in processes started for it."""

from __future__ import annotations

import json
import mmap
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

VARIABLE: Final = "HOLOFLOW_BENCHMARK_JOB"
"""Environment variable that tells a process its job."""

FAST: Final = 0
"""The sender sends as fast as it may."""
PACED: Final = 1
"""The sender keeps a pace."""
OVER: Final = 2
"""The sender ends."""


@dataclass(frozen=True)
class Job:
    """What all processes of a measurement are told."""

    module: str
    """Where in `rivals` the roles are."""
    variant: str
    """Which way of the rival's is measured."""
    size: int
    """Bytes of a payload."""
    rate: float
    """Messages per second at which latency is taken, where the contender can do twice that."""
    warm: float
    """Seconds before throughput is taken."""
    seconds: float
    """For how long throughput is taken, and then latency."""
    folder: str
    """A folder for the measurement's files."""

    @property
    def path(self) -> Path:
        """The folder."""
        return Path(self.folder)

    @property
    def result(self) -> Path:
        """What the receiver has measured; there once it is complete."""
        return self.path / "result.json"

    def environment(self) -> dict[str, str]:
        """Return the environment of the job's processes."""
        return os.environ | {
            VARIABLE: json.dumps(asdict(self)),
            "PYTHONPATH": str(Path(__file__).parents[1]),
        }

    @staticmethod
    def mine() -> Job:
        """Return the job of this process."""
        return Job(**json.loads(os.environ[VARIABLE]))


class Control:
    """Two integers that both processes see: what the sender is to do, and at which pace."""

    def __init__(self, job: Job) -> None:
        """Map the job's file; whoever comes first makes it."""
        with (job.path / "control").open("a+b") as file:
            file.truncate(16)
            self._view = memoryview(mmap.mmap(file.fileno(), 16)).cast("q")

    @property
    def state(self) -> int:
        """`FAST`, `PACED` or `OVER`."""
        return self._view[0]

    @property
    def interval(self) -> int:
        """Nanoseconds between two messages while `PACED`."""
        return self._view[1]

    def keep_pace(self, interval: int) -> None:
        """Have the sender send a message every `interval` nanoseconds."""
        self._view[1] = interval
        self._view[0] = PACED

    def end(self) -> None:
        """Have the sender end."""
        self._view[0] = OVER
