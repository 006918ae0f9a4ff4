"""What the ends of a link do with a flow's counter block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from holoflow.stats.counters import (
    ARRIVED,
    GONE,
    RETURNED,
    SETTLED,
    TAKEN,
    WIDTH,
    CounterBlock,
    drop,
    lost,
)

HALF: Final = WIDTH - ARRIVED
"""Number of the consumer's counters in a counter block."""


def finished(block: CounterBlock) -> int:
    """Return how many messages were taken or dropped: for a blocking flow, up to which number.

    If another process counts at the same time, the result is never too high. Messages that are
    returned to be dropped raise both `RETURNED` and the drops: the writer raises `RETURNED`
    first, and here it is read last.
    """
    return block[TAKEN] + lost(block) - block[RETURNED]


def half(block: CounterBlock) -> list[int]:
    """Return the consumer's counters of a counter block."""
    return block[ARRIVED:].tolist()


def mirror(block: CounterBlock, counts: Sequence[int]) -> bool:
    """Write the consumer's counters of another host, and return whether they have changed."""
    if half(block) == counts:
        return False
    # First what increases the number of waiting messages: a reader in between may see too little
    # room, never too much.
    block[RETURNED] = counts[RETURNED - ARRIVED]
    for at, count in enumerate(counts, ARRIVED):
        block[at] = count
    return True


def adopt(block: CounterBlock, counts: Sequence[int]) -> None:
    """Continue with the consumer's counters of a host that is gone.

    Messages that it was processing are counted as dropped by `crash`.
    """
    mirror(block, counts)
    block[GONE] = 0
    held = block[TAKEN] - block[SETTLED]
    if held > 0:
        block[RETURNED] += held
        drop(block, "crash", held)
        block[SETTLED] = block[TAKEN]


def rejoin(block: CounterBlock, *, blocks: bool) -> None:
    """Start with an empty queue: the messages in that of the previous process are gone.

    They will be sent again if the flow blocks, and are counted as dropped otherwise.
    """
    done = finished(block)
    if not blocks and block[ARRIVED] > done:
        drop(block, "crash", block[ARRIVED] - done)
    else:
        block[ARRIVED] = done
