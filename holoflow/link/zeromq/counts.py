"""What the ends of a link do with a flow's row of the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from holoflow.stats.counters import ARRIVED, GONE, RETURNED, SETTLED, TAKEN, WIDTH, Row, drop, lost

HALF: Final = WIDTH - ARRIVED
"""Integers of the consumer's half of a row."""


def worked_off(row: Row) -> int:
    """Return how many messages were taken or dropped: of a flow that blocks, up to which number.

    Where another process counts at the same time, it is never too many: what both lowers and
    raises it is lowered first, and looked at last.
    """
    return row[TAKEN] + lost(row) - row[RETURNED]


def half(row: Row) -> list[int]:
    """Return the consumer's half of a row."""
    return row[ARRIVED:].tolist()


def mirror(row: Row, counts: Sequence[int]) -> bool:
    """Write the consumer's half, counted on another host, and return whether it differs."""
    if half(row) == counts:
        return False
    # What raises the number of waiting messages first: there must not seem to be more room.
    row[RETURNED] = counts[RETURNED - ARRIVED]
    for at, count in enumerate(counts, ARRIVED):
        row[at] = count
    return True


def adopt(row: Row, counts: Sequence[int]) -> None:
    """Go on counting where the consumer's half left off on a host that is no more.

    What it had in hand is lost.
    """
    mirror(row, counts)
    row[GONE] = 0
    held = row[TAKEN] - row[SETTLED]
    if held > 0:
        row[RETURNED] += held
        drop(row, "crash", held)
        row[SETTLED] = row[TAKEN]


def rejoin(row: Row, *, blocks: bool) -> None:
    """Begin with an empty queue: what the former process had in its own is gone.

    It will be sent again if the flow blocks, and is lost otherwise.
    """
    off = worked_off(row)
    if not blocks and row[ARRIVED] > off:
        drop(row, "crash", row[ARRIVED] - off)
    else:
        row[ARRIVED] = off
