"""Snapshots with the exact counts of the ledger, which outlive the processes that counted."""

from __future__ import annotations

from dataclasses import replace

from holoflow.flow.books import FlowBooks, Snapshot
from holoflow.flow.ledger import SENT, Ledger, Row, delivered, dropped, waiting
from holoflow.plan.plan import Plan, PlannedFlow


def with_counts(snapshot: Snapshot, plan: Plan, ledger: Ledger) -> Snapshot:
    """Return `snapshot` with the counts of the whole `plan`'s flows from `ledger`.

    Flows within a stage are counted by its operators, and stay as they are. Flows on which
    something was sent are added where no fragment has told of them.
    """
    told = {(books.source, books.target) for books in snapshot.flows}
    rows = {
        (str(flow.source), str(flow.target)): (flow, row)
        for flow, row in zip(plan.flows, ledger.rows, strict=True)
        if not flow.fused
    }
    flows = [
        _counted(books, rows[ends][1]) if (ends := (books.source, books.target)) in rows else books
        for books in snapshot.flows
    ]
    flows += [
        _counted(_books(flow), row)
        for ends, (flow, row) in rows.items()
        if row[SENT] and ends not in told
    ]
    return replace(snapshot, flows=tuple(flows))


def _counted(books: FlowBooks, row: Row) -> FlowBooks:
    return replace(
        books,
        sent=row[SENT],
        delivered=delivered(row),
        dropped=dropped(row),
        waiting=max(waiting(row), 0),
    )


def _books(flow: PlannedFlow) -> FlowBooks:
    return FlowBooks(
        source=str(flow.source),
        target=str(flow.target),
        sent=0,
        delivered=0,
        queue=flow.queue,
        when_full=flow.when_full,
        link=flow.link,
        latest=flow.latest,
        back_edge=flow.back_edge,
    )
