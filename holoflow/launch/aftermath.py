"""What a fragment's end means for the flows that lead to and from it."""

from __future__ import annotations

from collections.abc import Iterator

from holoflow.flow.ledger import CLOSED, GONE, Ledger, Row, drop, gone, waiting
from holoflow.flow.recovery import consumer_died, flow_over, producer_died
from holoflow.plan.plan import Plan, PlannedFlow


def book_death(plan: Plan, ledger: Ledger, fragment: str) -> None:
    """Book what was lost with a process of `fragment`; nothing where it ended in good order."""
    for _, flow, row, sends, takes in _touched(plan, ledger, fragment):
        if takes:
            consumer_died(row, resent=not sends and _is_resent(flow))
        if sends:
            producer_died(row)
        if sends and takes:  # nobody is left who has any of it
            drop(row, "crash", max(waiting(row), 0))


def end_flows(plan: Plan, ledger: Ledger, fragment: str, cause: str) -> tuple[int, ...]:
    """End all flows of `fragment`, which does not come back; returns those that it had not ended.

    They are given by their place in the plan. What comes to it from now on is dropped by `cause`.
    """
    ended = []
    for number, _, row, sends, takes in _touched(plan, ledger, fragment):
        if sends and not row[CLOSED]:
            row[CLOSED] = 1
            ended.append(number)
        if takes and not row[GONE]:
            row[GONE] = gone(cause)
            ended.append(number)
    return tuple(dict.fromkeys(ended))


def settle(plan: Plan, ledger: Ledger, cause: str) -> None:
    """Book what waits still, when all processes have ended, as dropped by `cause`."""
    for flow, row in zip(plan.flows, ledger.rows, strict=True):
        if flow.fused:
            continue
        if flow.link != "none":
            flow_over(row, cause)
        drop(row, cause, max(waiting(row), 0))


def _touched(
    plan: Plan, ledger: Ledger, fragment: str
) -> Iterator[tuple[int, PlannedFlow, Row, bool, bool]]:
    """Yield the flows with an end in `fragment`: number, flow, row, whether it sends, takes."""
    (inside,) = [p.placement.operators for p in plan.processes if p.fragment == fragment]
    for number, (flow, row) in enumerate(zip(plan.flows, ledger.rows, strict=True)):
        sends, takes = flow.source.operator in inside, flow.target.operator in inside
        if (sends or takes) and not flow.fused:
            yield number, flow, row, sends, takes


def _is_resent(flow: PlannedFlow) -> bool:
    """Whether the sender keeps what its receiver has not taken, and sends it to the next one."""
    return flow.link == "zeromq" and flow.when_full == "block" and not flow.latest
