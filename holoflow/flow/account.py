"""What one operator did, counted as it happens."""

from __future__ import annotations

from typing import Any

import numpy as np

from holoflow.flow.books import OperatorBooks


class Account:
    """Running totals of an operator; times in nanoseconds. Written by one thread at a time."""

    __slots__ = (
        "dropped", "failed", "frames", "latency", "name", "sent", "skipped", "slowest", "timed",
        "working",
    )  # fmt: skip

    def __init__(self, name: str) -> None:
        """Begin with nothing."""
        self.name = name
        self.frames = 0
        self.sent = 0
        self.skipped = 0
        self.failed = 0
        self.timed = 0
        self.working = 0
        self.slowest = 0
        self.latency = 0
        self.dropped: dict[str, int] = {}

    def add(self, working: int, latency: int) -> None:
        """Add one timed call."""
        self.timed += 1
        self.working += working
        self.latency += latency
        if working > self.slowest:
            self.slowest = working

    def add_many(self, working: Any, latency: Any) -> None:
        """Add timed calls; both (N,) int64."""
        if len(working):
            self.timed += len(working)
            self.working += int(working.sum())
            self.latency += int(latency.sum())
            self.slowest = max(self.slowest, int(working.max()))

    def count_drop(self, cause: str, count: int) -> None:
        """Book frames lost before they became messages."""
        self.dropped[cause] = self.dropped.get(cause, 0) + count

    def books(self) -> OperatorBooks:
        """Return the totals in seconds."""
        return OperatorBooks(
            name=self.name,
            frames=self.frames,
            sent=self.sent,
            skipped=self.skipped,
            working=self.working / 1e9,
            slowest=self.slowest / 1e9,
            latency=self.latency / self.timed / 1e9 if self.timed else 0.0,
            dropped=dict(self.dropped),
        )


def add_chain(accounts: list[Account], stamps: Any, begin: int) -> None:
    """Add the frames of a fused chain to the accounts of its operators.

    `stamps` is (frames, operators) int64: when each operator ended, the first being the source,
    0 where the frame did not get so far; `begin` is when the source began the first frame.
    """
    if not len(stamps):
        return
    ends = stamps.max(axis=1)
    starts = np.concatenate(([begin], ends[:-1]))
    born = stamps[:, 0]
    accounts[0].add_many(born - starts, np.zeros(len(stamps), np.int64))
    complete = bool(stamps[:, -1].all())
    for index in range(1, len(accounts)):
        before, end = stamps[:, index - 1], stamps[:, index]
        if not complete:
            reached = end > 0
            before, end, since = before[reached], end[reached], born[reached]
        else:
            since = born
        accounts[index].add_many(end - before, end - since)
