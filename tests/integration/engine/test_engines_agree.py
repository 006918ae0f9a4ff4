"""Both engines, fused or not, under any scheduler: the same results from any graph."""

from __future__ import annotations

from hypothesis import given, note, settings
from hypothesis import strategies as st
from support.graphs import INLINE, SCHEDULED, App, Engine, Run, check_books, run
from support.random_graphs import outline, random_graphs, repeatable


def check_flows(ran: Run) -> None:
    """What an operator sends, all flows behind that output carry."""
    check_books(ran.result)
    for books in ran.result.last.flows:
        assert books.dropped.keys() <= {"end", "late"}
        assert books.sent <= ran.operator(books.source.split(".")[0]).sent


@settings(max_examples=100)
@given(random_graphs(), st.sampled_from(SCHEDULED))
def test_random_graphs(graph: App, scheduled: Engine) -> None:
    note(outline(graph))
    runs = [
        run(graph, engine, lossless=True, fuse=fuse)
        for engine in (INLINE, scheduled)
        for fuse in (True, False)
    ]
    for ran in runs:
        assert ran.result.outcome == "done", ran.result.failure
        check_flows(ran)
    first, *others = runs
    for other in others:
        assert repeatable(graph, other.sinks) == repeatable(graph, first.sinks)
