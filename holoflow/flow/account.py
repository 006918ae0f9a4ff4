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

    def add_many(self, count: int, working: int, slowest: int, latency: int) -> None:
        """Add `count` timed calls by their sums and the slowest one."""
        self.timed += count
        self.working += working
        self.latency += latency
        self.slowest = max(self.slowest, slowest)

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
    reached = stamps > 0
    count = reached.sum(axis=0)
    # Of each call: from the end of the one before, which for the source is that of the last
    # operator on the frame before. Of each frame: from its capture, the end of the source.
    ends = stamps.max(axis=1)
    working = np.diff(stamps, axis=1, prepend=np.concatenate(([begin], ends[:-1]))[:, None])
    latency = stamps - stamps[:, :1]
    if count[-1] < len(stamps):
        working[~reached] = 0
        latency[~reached] = 0
    rows = zip(
        count.tolist(), working.sum(axis=0).tolist(), working.max(axis=0).tolist(),
        latency.sum(axis=0).tolist(), strict=True,
    )  # fmt: skip
    for account, row in zip(accounts, rows, strict=True):
        account.add_many(*row)
