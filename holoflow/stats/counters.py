"""The counters of every flow, in memory that outlives a crash, and their recovery after one.

Each flow of the plan has a counter block, a fixed number of integers, in the order of the plan. In
an app of several processes all blocks of a host are in one file that every process maps. So a
process that is killed at any moment leaves its counters behind, and each end of a link sees how far
the other one is. Every integer has one writer: the process of the producer or that of the consumer,
and, once that process is gone, the launcher.

Messages of a flow are numbered from 1 in the order in which they are sent. Numbers up to `SENT`
that never arrive were lost on the way; the consumer's side counts them as dropped when a later
message arrives, or when the flow has ended.

A process may die between any two of its writes. Each end therefore writes in an order from which
the rest can be inferred: `ARRIVED` before the causes of what has not come, `TAKEN` before a call,
`RETURNED` before the cause of a drop. Whatever has arrived and was neither taken nor dropped was in
the queue, and whatever was taken and lies beyond `SETTLED` was being processed.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from holoflow.core.errors import is_shortage, no_memory
from holoflow.stats.causes import CAUSES, Cause

if TYPE_CHECKING:
    from holoflow.plan.plan import Plan

CounterBlock: TypeAlias = "memoryview[int]"
"""The counters of one flow: `WIDTH` integers of 64 bits, indexed by the names below."""

# Written by the producer's process.
SENT: Final = 0
"""Number of the newest message."""
CLOSED: Final = 1
"""Whether nothing more will be sent (0 or 1)."""
WANTS_ROOM: Final = 2
"""Whether the producer sleeps until there is room (0 or 1)."""
PASSED: Final = 3
"""Number of the newest message that was put into memory which both ends share, or was left out. The
other end need not wait for a message up to this number that it does not find there. Other links
leave it 0."""
WATERMARK: Final = 4
"""Number of frames of the flow's origin, from the first, of which everything has been sent or never
will be. Kept only where a join by frame needs it (`PlannedFlow.watermark`). It is written after
`SENT`; a reader that reads it before `SENT` therefore knows which messages it covers."""
RETRIED: Final = 5
"""How often a message was sent again after a broken connection or a dead consumer had lost it."""
# Written by the consumer's process.
ARRIVED: Final = 6
"""Number of the newest message that has reached the queue or is known to be lost."""
TAKEN: Final = 7
"""Messages that calls have taken from the queue."""
RETURNED: Final = 8
"""How many of these were dropped after all; they are counted by cause as well."""
SETTLED: Final = 9
"""Value of `TAKEN` when everything taken so far had been processed."""
WANTS_MORE: Final = 10
"""Whether the consumer sleeps until a message arrives (0 or 1)."""
GONE: Final = 11
"""0, or what `gone` returns for a cause: nothing will ever be taken again."""
_DROPPED: Final = 12

_AT: Final[Mapping[Cause, int]] = {cause: _DROPPED + i for i, cause in enumerate(CAUSES)}
_ORDER: Final = tuple(CAUSES)

WIDTH: Final = _DROPPED + len(CAUSES)
"""Integers in a counter block."""
CONSUMER_COUNTERS: Final = WIDTH - ARRIVED
"""How many of them, at its end, the consumer's process writes."""


class Counters:
    """The counter blocks of an app, in memory of the process or in a file that others map too."""

    def __init__(self, flows: int, operators: int = 0, file: Path | None = None) -> None:
        """Map `file`, or allocate private memory without one.

        Args:
            flows: Number of counter blocks.
            operators: Number of frame numbers.
            file: Created with all counters 0 if it does not exist.

        Raises:
            OSError: The file cannot be created or mapped.
            ShortageError: There is not enough memory for it.
        """
        size = max((flows * WIDTH + operators) * 8, 8)
        self._memory: bytearray | mmap.mmap
        if file is None:
            self._memory = bytearray(size)
        else:
            with file.open("a+b") as opened:
                try:
                    # Reserved now: a write to memory that cannot be had would kill the process.
                    os.posix_fallocate(opened.fileno(), 0, size)
                except OSError as error:
                    if is_shortage(error):
                        raise no_memory(file.parent, size, "the counters of a run") from None
                    raise
                self._memory = mmap.mmap(opened.fileno(), size)
        self._view = memoryview(self._memory).cast("q")
        self.blocks: list[CounterBlock] = [
            self._view[i * WIDTH : (i + 1) * WIDTH] for i in range(flows)
        ]
        self.frame_numbers: memoryview[int] = self._view[flows * WIDTH : flows * WIDTH + operators]
        """For each operator that numbers frames, the number of its next one."""

    @staticmethod
    def of(plan: Plan, file: Path | None = None) -> Counters:
        """Return the counters of all flows and operators of the whole `plan`."""
        return Counters(len(plan.flows), len(plan.app.operators), file)

    def moved(self) -> tuple[tuple[int, ...], ...]:
        """Return a value that changes as soon as a message of any flow moves or a flow ends."""
        return tuple(
            (
                block[SENT],
                block[CLOSED],
                block[ARRIVED],
                block[TAKEN],
                block[RETURNED],
                *block[GONE:WIDTH],
            )
            for block in self.blocks
        )

    def close(self) -> None:
        """Release the memory; no block may be used any more."""
        for block in (*self.blocks, self.frame_numbers):
            block.release()
        self._view.release()
        if isinstance(self._memory, mmap.mmap):
            self._memory.close()


def drop(block: CounterBlock, cause: Cause, count: int = 1) -> None:
    """Count `count` messages as dropped by `cause`."""
    block[_AT[cause]] += count


def gone(cause: Cause) -> int:
    """Return the value of `GONE` which says that nothing more is taken, because of `cause`."""
    return 1 + _ORDER.index(cause)


def gone_by(block: CounterBlock) -> Cause | None:
    """Return the cause because of which nothing more is taken; None while something may be."""
    return _ORDER[block[GONE] - 1] if block[GONE] else None


def dropped(block: CounterBlock) -> dict[str, int]:
    """Return how many messages were dropped, by cause; causes without any are left out."""
    return {cause: block[at] for cause, at in _AT.items() if block[at]}


def lost(block: CounterBlock) -> int:
    """Return how many messages were dropped, whatever the cause."""
    return sum(block[_DROPPED:WIDTH])


def delivered(block: CounterBlock) -> int:
    """Return how many messages were taken and not dropped after all."""
    return block[TAKEN] - block[RETURNED]


def waiting(block: CounterBlock) -> int:
    """Return how many messages are on the way or in the queue."""
    return block[SENT] - block[TAKEN] - lost(block) + block[RETURNED]


def counts(block: CounterBlock) -> dict[str, Any]:
    """Return what a block says about its flow, under the field names of `FlowStats`."""
    return {
        "sent": block[SENT],
        "delivered": delivered(block),
        "dropped": dropped(block),
        "waiting": max(waiting(block), 0),
        "retried": block[RETRIED],
    }


def queued(block: CounterBlock) -> int:
    """Return how many messages have arrived and were neither taken nor dropped."""
    return waiting(block) - (block[SENT] - block[ARRIVED])


def finished(block: CounterBlock) -> int:
    """Return how many messages were taken or dropped: for a blocking flow, up to which number.

    If another process counts at the same time, the result is never too high. Messages that are
    returned to be dropped raise both `RETURNED` and the drops: the writer raises `RETURNED`
    first, and here it is read last.
    """
    return block[TAKEN] + lost(block) - block[RETURNED]


def consumer_counters(block: CounterBlock) -> list[int]:
    """Return the counters that the consumer's process writes, `CONSUMER_COUNTERS` of them."""
    return block[ARRIVED:].tolist()


def mirror(block: CounterBlock, counts: Sequence[int]) -> bool:
    """Write the consumer's counters of another host, and return whether they have changed."""
    if consumer_counters(block) == list(counts):
        return False
    # First what increases the number of waiting messages: a reader in between may see too little
    # room, never too much.
    block[RETURNED] = counts[RETURNED - ARRIVED]
    for at, count in enumerate(counts, ARRIVED):
        block[at] = count
    return True


def consumer_died(block: CounterBlock, *, resent: bool) -> None:
    """Account for the messages that the dead process of the consumer was processing or had queued.

    They are counted as dropped by `crash`. If `resent`, those in the queue are sent again and
    count as on the way instead. Calling it a second time changes nothing.
    """
    processing = max(min(block[TAKEN] - block[SETTLED], delivered(block)), 0)
    in_queue = max(queued(block), 0)
    block[WANTS_MORE] = 0
    if resent:
        block[ARRIVED] -= in_queue
    elif in_queue:
        drop(block, "crash", in_queue)
    if processing:
        block[RETURNED] += processing
        drop(block, "crash", processing)
    block[SETTLED] = block[TAKEN]


def producer_died(block: CounterBlock) -> None:
    """Let the consumer count what the dead process of the producer had not passed on as lost."""
    block[WANTS_ROOM] = 0
    block[PASSED] = block[SENT]


def flow_over(block: CounterBlock, cause: Cause = "crash") -> None:
    """Count what will never arrive as dropped by the cause in `GONE`, or by `cause` without one.

    Both ends of the flow must be at rest. If the consumer died, call `consumer_died` first.
    """
    missing = block[SENT] - block[ARRIVED]
    if missing > 0:
        block[ARRIVED] = block[SENT]
        drop(block, gone_by(block) or cause, missing)
