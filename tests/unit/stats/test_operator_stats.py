"""Totals of operators: calls noted one by one, worked on in bulk."""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holoflow.engine.chain import ChainMeter
from holoflow.stats.histogram import Histogram
from holoflow.stats.operator_stats import OperatorMeter
from holoflow.stats.spans import PathStep, PathTree, extend

SECOND = 1_000_000_000


def span_(ready: int, start: int, end: int, captured: int = 0) -> Any:
    """Return the span of a call on a message that was ready at a time; all in seconds."""
    trace = PathTree().begin("source", captured * SECOND, ready * SECOND)
    step = PathStep("work", "a", "x")
    return extend(trace, step, start * SECOND, end * SECOND)[0]


def waits(meter: OperatorMeter) -> dict[str, float]:
    reasons = ("partner", "turn", "room", "worker")
    return {name: getattr(meter, name) / SECOND for name in reasons}


def test_times_of_calls() -> None:
    meter = OperatorMeter("a")
    meter.calls += [span_(1, 2, 4), span_(3, 5, 6, captured=2)]
    meter.fold()
    assert meter.busy == pytest.approx(3)
    assert (meter.working.min, meter.working.max) == (1, 2)
    assert (meter.waits.min, meter.waits.max) == (1, 2)
    assert (meter.latency.min, meter.latency.max) == (4, 4)
    assert meter.calls == []
    meter.fold()
    assert meter.working.count == 2


def test_drops_of_devices() -> None:
    meter = OperatorMeter("a")
    meter.count_drop("device", 2)
    meter.count_drop("device", 1)
    assert meter.dropped == {"device": 3}


class TestWhyAMessageWaited:
    def test_for_a_worker(self) -> None:
        meter = OperatorMeter("a")
        meter.calls.append(span_(1, 4, 5))
        meter.fold()
        assert waits(meter) == {"partner": 0, "turn": 0, "room": 0, "worker": 3}

    def test_for_its_turn(self) -> None:
        meter = OperatorMeter("a")
        meter.calls += [span_(1, 1, 5), span_(2, 6, 7)]
        meter.fold()
        assert waits(meter) == {"partner": 0, "turn": 3, "room": 0, "worker": 1}

    def test_for_its_turn_across_folds(self) -> None:
        meter = OperatorMeter("a")
        meter.calls.append(span_(1, 1, 5))
        meter.fold()
        meter.calls.append(span_(2, 6, 7))
        meter.fold()
        assert waits(meter) == {"partner": 0, "turn": 3, "room": 0, "worker": 1}

    def test_for_room(self) -> None:
        meter = OperatorMeter("a")
        meter.rooms += [4 * SECOND, 9 * SECOND]
        meter.calls.append(span_(1, 6, 7))
        meter.fold()
        assert waits(meter) == {"partner": 0, "turn": 0, "room": 3, "worker": 2}

    def test_for_a_partner(self) -> None:
        meter = OperatorMeter("a")
        meter.completes.append(4 * SECOND)
        meter.calls.append(span_(1, 6, 7))
        meter.fold()
        assert waits(meter) == {"partner": 3, "turn": 0, "room": 0, "worker": 2}

    def test_a_batch_is_behind_the_calls_before_it_not_behind_itself(self) -> None:
        meter = OperatorMeter("a")
        meter.completes += [5 * SECOND] * 3
        meter.calls += [span_(ready, 7, 9) for ready in (1, 2, 5)]
        meter.overlap += 2 * 2 * SECOND
        meter.fold()
        assert waits(meter) == {"partner": 4 + 3, "turn": 0, "room": 0, "worker": 3 * 2}
        assert meter.busy == 2

    @given(
        st.lists(st.tuples(*[st.integers(0, 20)] * 4), max_size=20),
        st.lists(st.integers(0, 400), max_size=5),
    )
    def test_reasons_add_up(self, drawn: list[tuple[int, ...]], rooms: list[int]) -> None:
        meter, now, total = OperatorMeter("a"), 0, 0
        for ago, partner, idle, work in drawn:
            ready = max(now - ago, 0)
            start = max(now, ready + partner) + idle
            meter.completes.append((ready + partner) * SECOND)
            meter.calls.append(span_(ready, start, start + work))
            total += start - ready
            now = start + work
        meter.rooms += [room * SECOND for room in sorted(rooms)]
        meter.fold()
        reasons = waits(meter)
        assert sum(reasons.values()) == total
        assert min(reasons.values()) >= 0
        assert meter.waits.total == pytest.approx(total)


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
    bulk = [OperatorMeter(name) for name in names]
    tree = PathTree()
    chain = ChainMeter(bulk, [()] * width, tree.chain([PathStep("work", n, "x") for n in names]))
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
    for meter, expected in zip(bulk, single, strict=True):
        assert meter.working.count == expected.count
        assert meter.working.mean == pytest.approx(expected.mean)
        assert meter.working.max == expected.max
        assert meter.busy == pytest.approx(expected.total)
    path = next(iter(tree.meters.values())).stats()
    assert path.frames == path.critical == whole.count
    assert path.end_to_end.mean == pytest.approx(whole.mean)
    assert path.working.mean == pytest.approx(whole.mean)
    assert path.waiting.max == 0
