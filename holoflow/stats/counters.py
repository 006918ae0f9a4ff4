"""The counters of every flow, in memory that outlives a crash, and their recovery after one.

A row of integers for each flow of the plan, in the order of the plan. In an app of several
processes all rows lie in one file on the host that all of them map, so that a process killed at
any moment leaves its counts behind, and each end of a link sees how far the other one is. Every
integer has one writer: the process of the producer, or that of the consumer; of a process that
is gone, the launcher.

Messages of a flow are numbered from 1 in the order in which they are sent. Whatever of the
numbers up to `SENT` never arrives was lost under way, and is booked by the consumer's side when
the next one arrives, or when the flow has ended.

A process may die between any two integers that it writes. Each end writes in such an order that
what is left tells what was where: `ARRIVED` before the causes of what has not come, `TAKEN`
before a call, `RETURNED` before the cause of a drop. So whatever has arrived and was neither
taken nor dropped was in the queue, and whatever was taken and not settled was in hand.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

from holoflow.core.errors import is_shortage, no_memory

if TYPE_CHECKING:
    from holoflow.plan.plan import Plan

Row: TypeAlias = "memoryview[int]"
"""The integers of one flow, by the names below."""

# Written by the producer's process.
SENT: Final = 0
"""Number of the newest message."""
CLOSED: Final = 1
"""Whether nothing more will be sent (0 or 1)."""
WANTS_ROOM: Final = 2
"""Whether the producer sleeps until there is room (0 or 1)."""
PASSED: Final = 3
"""Number of the newest message that is in memory which both ends share, or was left out: up to
it, what the other end does not find there will never come. Other links leave it 0."""
WATERMARK: Final = 4
"""Of how many frames of the flow's origin, from its first, all has been sent or never will be. Kept
only where a join by frame behind needs to know (`PlannedFlow.watermark`). It is written after
`SENT`: who reads it first and `SENT` then knows which messages it speaks of."""
RETRIED: Final = 5
"""How often a message was sent again: a broken connection, or a consumer that died, had lost it."""
# Written by the consumer's process.
ARRIVED: Final = 6
"""Number of the newest message that has come to the queue, or that is known to be lost."""
TAKEN: Final = 7
"""Messages that a call has taken out of the queue."""
RETURNED: Final = 8
"""Of these, how many were dropped after all; they are among the dropped."""
SETTLED: Final = 9
"""Value of `TAKEN` when all that had been taken was worked off."""
WANTS_MORE: Final = 10
"""Whether the consumer sleeps until something comes (0 or 1)."""
GONE: Final = 11
"""Whether nothing more will be taken, for good: 1 + the cause's place in `CAUSES`; else 0."""
_DROPPED: Final = 12

Cause: TypeAlias = Literal[
    "full", "late", "unpaired", "replaced", "error", "end", "stopped", "device", "crash"
]  # fmt: skip
"""Why a message was dropped.

`full`: no room in the queue. `late`: no partner in time, or came after its partner was gone, or
too old for a budget that drops late frames. `unpaired`: nothing of its frame came to another input
of the join. `replaced`: a newer one took its place at a `Latest` input before it was used.
`error`: the operator failed on it. `end`: still waiting when the stream it was to be joined with
had ended. `stopped`: the run was stopped before it was used. `device`: lost by the device itself.
`crash`: lost with a process that died, or a connection that broke.
"""

CAUSES: Final[tuple[Cause, ...]] = get_args(Cause)
"""Causes of drops, in the order of their counts."""
_AT: Final[Mapping[str, int]] = {cause: _DROPPED + i for i, cause in enumerate(CAUSES)}

WIDTH: Final = _DROPPED + len(CAUSES)


class Counters:
    """Rows of counts, in memory of the process, or in a file that others map too."""

    def __init__(self, rows: int, counters: int = 0, file: Path | None = None) -> None:
        """Map `file`, which is made with all counts 0 where it is not there.

        Raises OSError where that cannot be done, ShortageError where there is no memory for it.
        """
        size = max((rows * WIDTH + counters) * 8, 8)
        self._memory: bytearray | mmap.mmap
        if file is None:
            self._memory = bytearray(size)
        else:
            with file.open("a+b") as opened:
                try:
                    # Memory that is not there when it is written to kills the process.
                    os.posix_fallocate(opened.fileno(), 0, size)
                except OSError as error:
                    if is_shortage(error):
                        raise no_memory(file.parent, size, "the ledger of a run") from None
                    raise
                self._memory = mmap.mmap(opened.fileno(), size)
        self._view = memoryview(self._memory).cast("q")
        self.rows: list[Row] = [self._view[i * WIDTH : (i + 1) * WIDTH] for i in range(rows)]
        self.counters: Row = self._view[rows * WIDTH : rows * WIDTH + counters]
        """Number of the next frame of each operator that is a source."""

    @staticmethod
    def of(plan: Plan, file: Path | None = None) -> Counters:
        """Return a ledger for all flows and operators of the whole `plan`."""
        return Counters(len(plan.flows), len(plan.app.operators), file)

    def moved(self) -> tuple[tuple[int, ...], ...]:
        """Return what changes as soon as a message of any flow moves, or a flow ends."""
        return tuple(
            (row[SENT], row[CLOSED], row[ARRIVED], row[TAKEN], row[RETURNED], *row[GONE:WIDTH])
            for row in self.rows
        )

    def close(self) -> None:
        """Let go of the file; nobody may use a row any more."""
        for row in (*self.rows, self.counters):
            row.release()
        self._view.release()
        if isinstance(self._memory, mmap.mmap):
            self._memory.close()


def drop(row: Row, cause: str, count: int = 1) -> None:
    """Book `count` messages as dropped by `cause`, one of `CAUSES`."""
    row[_AT[cause]] += count


def gone(cause: str) -> int:
    """Return the value of `GONE` that says that nothing more is taken, by `cause`."""
    return 1 + CAUSES.index(cause)


def dropped(row: Row) -> dict[str, int]:
    """Return how many messages were dropped, by cause."""
    return {cause: row[at] for cause, at in _AT.items() if row[at]}


def lost(row: Row) -> int:
    """Return how many messages were dropped, whatever the cause."""
    return sum(row[_DROPPED:WIDTH])


def delivered(row: Row) -> int:
    """Return how many messages were taken and not dropped after all."""
    return row[TAKEN] - row[RETURNED]


def waiting(row: Row) -> int:
    """Return how many messages are under way or in the queue."""
    return row[SENT] - row[TAKEN] - lost(row) + row[RETURNED]


def counts(row: Row) -> dict[str, Any]:
    """Return what a row says of its flow, by the names that `FlowStats` has for it."""
    return {
        "sent": row[SENT],
        "delivered": delivered(row),
        "dropped": dropped(row),
        "waiting": max(waiting(row), 0),
        "retried": row[RETRIED],
    }


def queued(row: Row) -> int:
    """Return how many messages have arrived and were neither taken nor dropped."""
    return waiting(row) - (row[SENT] - row[ARRIVED])


def consumer_died(row: Row, *, resent: bool) -> None:
    """Book what the process of the consumer had in hand and in its queue; it is no more.

    Both go to `crash`, but for the queue if its messages are going to be `resent`: then they are
    under way again. A second time it changes nothing.
    """
    in_hand = max(min(row[TAKEN] - row[SETTLED], delivered(row)), 0)
    in_queue = max(queued(row), 0)
    row[WANTS_MORE] = 0
    if resent:
        row[ARRIVED] -= in_queue
    elif in_queue:
        drop(row, "crash", in_queue)
    if in_hand:
        row[RETURNED] += in_hand
        drop(row, "crash", in_hand)
    row[SETTLED] = row[TAKEN]


def producer_died(row: Row) -> None:
    """Let the consumer's end book what the producer had not passed on; its process is no more."""
    row[WANTS_ROOM] = 0
    row[PASSED] = row[SENT]


def flow_over(row: Row, cause: str = "crash") -> None:
    """Book what has not arrived and never will, by `cause`; by that of `GONE`, where it is set.

    For a flow whose ends are both at rest. Of a consumer that died, `consumer_died` comes first.
    """
    missing = row[SENT] - row[ARRIVED]
    if missing > 0:
        row[ARRIVED] = row[SENT]
        drop(row, CAUSES[row[GONE] - 1] if row[GONE] else cause, missing)
