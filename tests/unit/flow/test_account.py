"""Totals of operators: calls noted one by one, worked on in bulk."""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holoflow.flow.account import Account
from holoflow.flow.chain_account import ChainAccount
from holoflow.flow.histogram import Histogram
from holoflow.flow.paths import PathTree, Stop, extend

SECOND = 1_000_000_000


def hop(ready: int, start: int, end: int, captured: int = 0) -> Any:
    """Return the hop of a call on a message that was ready at a time; all in seconds."""
    tracks = PathTree().begin("source", captured * SECOND, ready * SECOND)
    stop = Stop("work", "a", "x")
    return extend(tracks, stop, start * SECOND, end * SECOND)[0]


def waits(account: Account) -> dict[str, float]:
    reasons = ("partner", "turn", "room", "worker")
    return {name: getattr(account, name) / SECOND for name in reasons}


def test_times_of_calls() -> None:
    account = Account("a")
    account.calls += [hop(1, 2, 4), hop(3, 5, 6, captured=2)]
    account.fold()
    assert account.busy == pytest.approx(3)
    assert (account.working.min, account.working.max) == (1, 2)
    assert (account.waits.min, account.waits.max) == (1, 2)
    assert (account.latency.min, account.latency.max) == (4, 4)
    assert account.calls == []
    account.fold()
    assert account.working.count == 2


def test_drops_of_devices() -> None:
    account = Account("a")
    account.count_drop("device", 2)
    account.count_drop("device", 1)
    assert account.dropped == {"device": 3}


class TestWhyAMessageWaited:
    def test_for_a_worker(self) -> None:
        account = Account("a")
        account.calls.append(hop(1, 4, 5))
        account.fold()
        assert waits(account) == {"partner": 0, "turn": 0, "room": 0, "worker": 3}

    def test_for_its_turn(self) -> None:
        account = Account("a")
        account.calls += [hop(1, 1, 5), hop(2, 6, 7)]
        account.fold()
        assert waits(account) == {"partner": 0, "turn": 3, "room": 0, "worker": 1}

    def test_for_its_turn_across_folds(self) -> None:
        account = Account("a")
        account.calls.append(hop(1, 1, 5))
        account.fold()
        account.calls.append(hop(2, 6, 7))
        account.fold()
        assert waits(account) == {"partner": 0, "turn": 3, "room": 0, "worker": 1}

    def test_for_room(self) -> None:
        account = Account("a")
        account.rooms += [4 * SECOND, 9 * SECOND]
        account.calls.append(hop(1, 6, 7))
        account.fold()
        assert waits(account) == {"partner": 0, "turn": 0, "room": 3, "worker": 2}

    def test_for_a_partner(self) -> None:
        account = Account("a")
        account.completes.append(4 * SECOND)
        account.calls.append(hop(1, 6, 7))
        account.fold()
        assert waits(account) == {"partner": 3, "turn": 0, "room": 0, "worker": 2}

    def test_a_batch_is_behind_the_calls_before_it_not_behind_itself(self) -> None:
        account = Account("a")
        account.completes += [5 * SECOND] * 3
        account.calls += [hop(ready, 7, 9) for ready in (1, 2, 5)]
        account.overlap += 2 * 2 * SECOND
        account.fold()
        assert waits(account) == {"partner": 4 + 3, "turn": 0, "room": 0, "worker": 3 * 2}
        assert account.busy == 2

    @given(
        st.lists(st.tuples(*[st.integers(0, 20)] * 4), max_size=20),
        st.lists(st.integers(0, 400), max_size=5),
    )
    def test_reasons_add_up(self, drawn: list[tuple[int, ...]], rooms: list[int]) -> None:
        account, now, total = Account("a"), 0, 0
        for ago, partner, idle, work in drawn:
            ready = max(now - ago, 0)
            start = max(now, ready + partner) + idle
            account.completes.append((ready + partner) * SECOND)
            account.calls.append(hop(ready, start, start + work))
            total += start - ready
            now = start + work
        account.rooms += [room * SECOND for room in sorted(rooms)]
        account.fold()
        reasons = waits(account)
        assert sum(reasons.values()) == total
        assert min(reasons.values()) >= 0
        assert account.waits.total == pytest.approx(total)


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


@given(stamped(), st.integers(0, 6))
def test_a_chain_is_as_if_each_call_were_noted(
    drawn: tuple[int, list[list[int]]], split: int
) -> None:
    begin, rows = drawn
    width = len(rows[0]) if rows else 1
    names = [f"o{index}" for index in range(width)]
    bulk = [Account(name) for name in names]
    tree = PathTree()
    chain = ChainAccount(bulk, [()] * width, tree.chain([Stop("work", n, "x") for n in names]))
    ended = max(max(row) for row in rows[:split]) if rows[:split] else begin
    for start, part in ((begin, rows[:split]), (ended, rows[split:])):
        if part:
            chain.bursts.append((start, array("q", [stamp for row in part for stamp in row])))
    chain.fold()
    before = begin
    single = [Histogram() for _ in names]
    whole = Histogram()
    for row in rows:
        for index, stamp in enumerate(row):
            if stamp:
                single[index].add(np.array([(stamp - before) / 1e9]))
                before = stamp
        if row[-1]:
            whole.add(np.array([(row[-1] - row[0]) / 1e9]))
    for account, expected in zip(bulk, single, strict=True):
        assert account.working.count == expected.count
        assert account.working.mean == pytest.approx(expected.mean)
        assert account.working.max == expected.max
        assert account.busy == pytest.approx(expected.total)
    path = next(iter(tree.accounts.values())).books()
    assert path.frames == path.critical == whole.count
    assert path.end_to_end.mean == pytest.approx(whole.mean)
    assert path.working.mean == pytest.approx(whole.mean)
    assert path.waiting.max == 0
