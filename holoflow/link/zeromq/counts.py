"""What the ends of a link do with a flow's counter block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from holoflow.stats.counters import ARRIVED, GONE, RETURNED, SETTLED, TAKEN, WIDTH, Row, drop, lost

HALF: Final = WIDTH - ARRIVED
"""Number of the consumer's counters in a counter block."""


def finished(row: Row) -> int:
    """Return how many messages were taken or dropped: for a blocking flow, up to which number.

    If another process counts at the same time, the result is never too high. Messages that are
    returned to be dropped raise both `RETURNED` and the drops: the writer raises `RETURNED`
    first, and here it is read last.
    """
    return row[TAKEN] + lost(row) - row[RETURNED]


def half(row: Row) -> list[int]:
    """Return the consumer's counters of a counter block."""
    return row[ARRIVED:].tolist()


def mirror(row: Row, counts: Sequence[int]) -> bool:
    """Write the consumer's counters of another host, and return whether they have changed."""
    if half(row) == counts:
        return False
    # First what increases the number of waiting messages: a reader in between may see too little
    # room, never too much.
    row[RETURNED] = counts[RETURNED - ARRIVED]
    for at, count in enumerate(counts, ARRIVED):
        row[at] = count
    return True


def adopt(row: Row, counts: Sequence[int]) -> None:
    """Continue with the consumer's counters of a host that is gone.

    Messages that it was processing are counted as dropped by `crash`.
    """
    mirror(row, counts)
    row[GONE] = 0
    held = row[TAKEN] - row[SETTLED]
    if held > 0:
        row[RETURNED] += held
        drop(row, "crash", held)
        row[SETTLED] = row[TAKEN]


def rejoin(row: Row, *, blocks: bool) -> None:
    """Start with an empty queue: the messages in that of the previous process are gone.

    They will be sent again if the flow blocks, and are counted as dropped otherwise.
    """
    done = finished(row)
    if not blocks and row[ARRIVED] > done:
        drop(row, "crash", row[ARRIVED] - done)
    else:
        row[ARRIVED] = done
