"""The offset between two hosts' clocks, against simulated clocks whose offset is known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from holoflow.link.clock import DRIFT, ClockOffset

SECOND = 1_000_000_000


@dataclass
class Clocks:
    """Ours, which is right, and another's, which begins elsewhere and drifts."""

    now: int
    ahead: Fraction
    """What the other shows more than ours."""
    drift: int = 0
    """Nanoseconds a millisecond."""

    def wait(self, nanoseconds: int) -> int:
        """Let time go by; return what ours shows."""
        self.now += nanoseconds
        self.ahead += Fraction(nanoseconds * self.drift, 1_000_000)
        return self.now

    @property
    def other(self) -> int:
        """What the other shows; readings are rounded down to nanoseconds."""
        return math.floor(self.now + self.ahead)

    @property
    def offset(self) -> Fraction:
        """What is to be estimated."""
        return -self.ahead

    def exchange(self, there: int, held: int, back: int) -> tuple[int, int, int, int]:
        """Ask and be answered, with these delays."""
        t0 = self.now
        self.wait(there)
        t1 = self.other
        self.wait(held)
        t2 = self.other
        return t0, t1, t2, self.wait(back)


delays = st.one_of(st.integers(0, 1000), st.integers(0, 10**6), st.integers(0, 10 * SECOND))
drifts = st.integers(-DRIFT, DRIFT)
gaps = st.one_of(st.integers(0, 10**6), st.integers(0, 3600 * SECOND))
begun = st.builds(
    Clocks,
    st.integers(0, 10**18),
    st.fractions(-(10**18), 10**18, max_denominator=1000),
    drifts,
)
histories = st.lists(st.tuples(drifts, gaps, delays, delays, delays), min_size=1, max_size=30)


def off(clock: ClockOffset, clocks: Clocks) -> Fraction:
    """How far the estimate is from the truth."""
    assert clock.offset is not None
    return abs(clock.offset - clocks.offset)


def test_nothing_is_known_before_the_first_exchange() -> None:
    clock = ClockOffset()
    assert clock.offset is None
    assert clock.uncertainty == math.inf
    assert clock.uncertainty_at(5) == math.inf


def test_one_exchange_says_half_its_round_trip() -> None:
    clock = ClockOffset()
    assert clock.add(1000, 51_100, 51_200, 1300)
    assert clock.offset == -50_000
    assert 100 <= clock.uncertainty <= 103
    assert clock.uncertainty_at(1300 + SECOND) == clock.uncertainty + 100_000


@given(begun, histories)
def test_the_truth_lies_within_the_uncertainty(clocks: Clocks, history: Any) -> None:
    clock = ClockOffset()
    for drift, gap, *exchange in history:
        clocks.drift = drift
        now = clocks.wait(gap)
        if clock.offset is not None:
            assert off(clock, clocks) <= clock.uncertainty_at(now)
        assert clock.add(*clocks.exchange(*exchange))
        assert off(clock, clocks) <= clock.uncertainty


@given(begun, histories)
def test_no_exchange_alone_says_more(clocks: Clocks, history: Any) -> None:
    clock = ClockOffset()
    bounds = []
    for drift, gap, *exchange in history:
        clocks.drift = drift
        clocks.wait(gap)
        t0, t1, t2, t3 = clocks.exchange(*exchange)
        clock.add(t0, t1, t2, t3)
        bounds.append(((t3 - t0) - (t2 - t1), t0))
        age = [Fraction((t3 - begun) * DRIFT, 1_000_000) for _, begun in bounds]
        least = min(Fraction(trip, 2) + old for (trip, _), old in zip(bounds, age, strict=True))
        # readings and divisions are rounded to nanoseconds, the drift once an exchange
        assert clock.uncertainty <= least + 3 + len(bounds)


@given(begun, histories)
def test_the_estimate_moves_no_further_than_it_was_uncertain(clocks: Clocks, history: Any) -> None:
    clock = ClockOffset()
    for drift, gap, *exchange in history:
        clocks.drift = drift
        clocks.wait(gap)
        before = clock.offset
        asked = clocks.exchange(*exchange)
        allowed = clock.uncertainty_at(asked[3])
        clock.add(*asked)
        assert clock.offset is not None
        assert before is None or abs(clock.offset - before) <= allowed


@given(begun, st.permutations(range(8)), st.lists(st.tuples(delays, delays), min_size=8))
def test_exchanges_may_come_in_any_order(clocks: Clocks, order: Any, trips: Any) -> None:
    exchanges = []
    for there, back in trips[:8]:
        clocks.wait(1000)
        exchanges.append(clocks.exchange(there, 0, back))
    clock = ClockOffset()
    for index in order:
        assert clock.add(*exchanges[index])
    assert off(clock, clocks) <= clock.uncertainty


def test_a_quiet_line_serves_long_after_a_busy_one() -> None:
    clocks = Clocks(0, Fraction(7 * SECOND))
    clock = ClockOffset()
    clock.add(*clocks.exchange(50_000, 10, 50_000))
    for _ in range(100):
        clocks.wait(1_000_000)
        clock.add(*clocks.exchange(90_000_000, 10, 100_000))
    assert off(clock, clocks) <= clock.uncertainty < 2_000_000


def test_delays_that_differ_by_direction_are_told_apart() -> None:
    """Each direction's quickest message counts, whichever exchange it belongs to."""
    clocks = Clocks(0, Fraction(-3 * SECOND))
    clock = ClockOffset()
    clock.add(*clocks.exchange(10_000, 0, 5_000_000))
    clock.add(*clocks.exchange(5_000_000, 0, 10_000))
    assert clock.uncertainty < 20_000
    assert off(clock, clocks) <= clock.uncertainty


def test_drift_is_followed() -> None:
    clocks = Clocks(0, Fraction(0), drift=80)
    clock = ClockOffset()
    for _ in range(600):
        clocks.wait(SECOND)
        clock.add(*clocks.exchange(100_000, 1000, 100_000))
    assert clocks.offset < -40_000_000
    assert off(clock, clocks) <= clock.uncertainty < 250_000


@given(st.integers(1, 10**9), st.integers(0, 10**6))
def test_impossible_exchanges_are_ignored(early: int, held: int) -> None:
    clocks = Clocks(10 * SECOND, Fraction(SECOND))
    clock = ClockOffset()
    clock.add(*clocks.exchange(5000, 10, 5000))
    before = clock.offset, clock.uncertainty
    t0, t1, t2, t3 = clocks.exchange(100, held, 100)
    assert not clock.add(t0, t1, t2, t0 - early)
    assert not clock.add(t0, t1, t1 - early, t3)
    # the answer was held for longer than the exchange took, and by more than drift explains
    assert not clock.add(t0, t1, t2 + 1000 + early, t3)
    assert (clock.offset, clock.uncertainty) == before


def test_one_that_contradicts_the_others_changes_nothing() -> None:
    clocks = Clocks(0, Fraction(SECOND))
    clock = ClockOffset()
    for _ in range(20):
        clock.add(*clocks.exchange(1000, 0, 1000))
        before = clock.offset
        t0, t1, t2, t3 = clocks.exchange(1000, 0, 1000)
        clock.add(t0, t1 + SECOND, t2 + SECOND, t3)
        assert clock.offset == before
    assert off(clock, clocks) <= clock.uncertainty


def test_a_clock_that_was_set_is_believed_the_third_time() -> None:
    clocks = Clocks(0, Fraction(SECOND))
    clock = ClockOffset()
    clock.add(*clocks.exchange(1000, 0, 1000))
    clocks.ahead += 5 * SECOND
    for _ in range(2):
        clock.add(*clocks.exchange(1000, 0, 1000))
        assert off(clock, clocks) > clock.uncertainty
    clock.add(*clocks.exchange(1000, 0, 1000))
    assert off(clock, clocks) <= clock.uncertainty < 2000


def test_contradictions_that_do_not_agree_are_not_believed() -> None:
    clocks = Clocks(0, Fraction(0))
    clock = ClockOffset()
    clock.add(*clocks.exchange(1000, 0, 1000))
    before = clock.offset
    for step in range(1, 50):
        t0, t1, t2, t3 = clocks.exchange(1000, 0, 1000)
        clock.add(t0, t1 + step * SECOND, t2 + step * SECOND, t3)
        assert clock.offset == before
