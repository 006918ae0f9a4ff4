"""Totals of operators, one by one and in bulk."""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from holoflow.flow.account import Account, add_chain


def totals(account: Account) -> tuple[int, int, int, int]:
    return account.timed, account.working, account.slowest, account.latency


def test_books_are_in_seconds() -> None:
    account = Account("a")
    assert account.books().latency == 0.0
    account.add(2_000_000_000, 3_000_000_000)
    account.add(1_000_000_000, 5_000_000_000)
    account.count_drop("device", 2)
    account.count_drop("device", 1)
    books = account.books()
    assert (books.working, books.slowest, books.latency) == (3.0, 2.0, 4.0)
    assert books.dropped == {"device": 3}


@given(st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 1000)), max_size=20))
def test_many_at_once(calls: list[tuple[int, int]]) -> None:
    one, many = Account("one"), Account("many")
    for working, latency in calls:
        one.add(working, latency)
    working = [w for w, _ in calls]
    many.add_many(len(calls), sum(working), max(working, default=0), sum(late for _, late in calls))
    assert totals(one) == totals(many)


@st.composite
def stamped(draw: Any) -> tuple[int, list[list[int]]]:
    """Draw when a chain began, and the ends of its operators for some frames, 0 behind a stop."""
    width = draw(st.integers(1, 4))
    now = begin = draw(st.integers(1, 100))
    rows = []
    for _ in range(draw(st.integers(0, 6))):
        row = []
        for _ in range(draw(st.integers(1, width))):
            now += draw(st.integers(1, 50))
            row.append(now)
        rows.append(row + [0] * (width - len(row)))
    return begin, rows


@given(stamped())
def test_a_chain_is_as_if_each_call_were_added(drawn: tuple[int, list[list[int]]]) -> None:
    begin, rows = drawn
    width = len(rows[0]) if rows else 1
    bulk = [Account(str(i)) for i in range(width)]
    single = [Account(str(i)) for i in range(width)]
    stamps = array("q", [stamp for row in rows for stamp in row])
    add_chain(bulk, np.frombuffer(stamps, np.int64).reshape(-1, width), begin)
    before = begin
    for row in rows:
        for account, end in zip(single, row, strict=True):
            if end:
                account.add(end - before, end - row[0])
                before = end
    assert [totals(a) for a in bulk] == [totals(a) for a in single]
