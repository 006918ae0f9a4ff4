"""What becomes of the messages of a process that has died: its part of the ledger put in order.

A process may die between any two integers that it writes. Each end writes in such an order that
what is left tells what was where: `ARRIVED` before the causes of what has not come, `TAKEN`
before a call, `RETURNED` before the cause of a drop. So whatever has arrived and was neither
taken nor dropped was in the queue, and whatever was taken and not settled was in hand.
"""

from __future__ import annotations

from holoflow.flow.ledger import (
    ARRIVED,
    CAUSES,
    GONE,
    PASSED,
    RETURNED,
    SENT,
    SETTLED,
    TAKEN,
    WANTS_MORE,
    WANTS_ROOM,
    Row,
    delivered,
    drop,
    queued,
)


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
