"""Histograms, against NumPy on the values themselves."""

from __future__ import annotations

import json
import math
import sys
import tracemalloc
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from holoflow.stats.histogram import ACCURACY, LEAST, MOST, Histogram

ROUNDING = 1e-9
QUANTILES = (0.0, 0.001, 0.1, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0)

seconds = st.one_of(
    st.floats(LEAST, MOST),
    st.floats(1e-9, 10.0),
    st.floats(-1.0, 0.0),
    st.sampled_from(
        [0.0, 5e-324, sys.float_info.min, LEAST, 1e-9, 1.0, MOST, 1e200, sys.float_info.max]
    ),
)
several = st.lists(seconds, min_size=1, max_size=200)


def histogram(values: Any) -> Histogram:
    """Return one of `values`."""
    made = Histogram()
    made.add(np.array(values, dtype=float))
    return made


def known(values: Any) -> Any:
    """Return `values` as a histogram takes them."""
    return np.clip(values, 0.0, MOST)


def nearest(values: Any, q: float) -> tuple[float, ...]:
    """Return the value of nearest rank, on either side of what rounding may make of `q`."""
    shares = (q * (1 - 1e-12), q)
    return tuple(np.quantile(values, shares, method="inverted_cdf").tolist())


def close(found: float, true: float) -> bool:
    """Whether a percentile is as good as is promised."""
    return abs(found - true) <= ACCURACY * true * (1 + ROUNDING) + (LEAST if true < LEAST else 0)


def assert_same(a: Histogram, b: Histogram) -> None:
    """Check that all but the rounding of moments is equal."""
    one, other = a.to_plain(), b.to_plain()
    for name in ("count", "zeros", "bins", "min", "max"):
        assert one[name] == other[name], name
    assert a.mean == pytest.approx(b.mean, rel=ROUNDING)
    assert abs(a.std - b.std) <= ROUNDING * a.max + 1e-6 * a.std


@given(several, st.floats(0, 1))
@example([5e-324], 0.5)
@example([sys.float_info.max, 0.0], 1.0)
def test_percentiles_are_within_one_percent(values: list[float], q: float) -> None:
    made = histogram(values)
    for share in (q, *QUANTILES):
        found, true = made.quantile(share), nearest(known(values), share)
        assert any(close(found, value) for value in true), (share, found, true)


@given(several)
def test_moments_are_exact(values: list[float]) -> None:
    made, taken = histogram(values), known(values)
    assert (made.count, made.min, made.max) == (len(values), taken.min(), taken.max())
    assert made.mean == pytest.approx(taken.mean(), rel=ROUNDING)
    assert made.total == pytest.approx(taken.sum(), rel=ROUNDING)
    assert abs(made.std - taken.std()) <= ROUNDING * made.max


@given(st.data(), several)
def test_merging_is_adding_all(data: Any, values: list[float]) -> None:
    owners = data.draw(
        st.lists(st.integers(0, 4), min_size=len(values), max_size=len(values)), "parts"
    )
    order = data.draw(st.permutations(range(5)), "order")
    parts = [
        histogram([v for v, owner in zip(values, owners, strict=True) if owner == part])
        for part in range(5)
    ]
    before = [part.to_plain() for part in parts]
    merged = Histogram()
    for index in order:
        merged.merge(parts[index])
    assert_same(merged, histogram(values))
    assert [part.to_plain() for part in parts] == before
    piecewise = Histogram()
    for value in values:
        piecewise.add(np.array([value]))
    assert_same(piecewise, merged)


@given(several, several)
def test_a_copy_is_apart(values: list[float], others: list[float]) -> None:
    made = histogram(values)
    copy = made.copy()
    assert copy == made
    copy.add(np.array(others))
    assert made == histogram(values)
    made.merge(made)
    assert_same(made, histogram(values * 2))


@given(st.lists(seconds, max_size=50))
def test_json_gives_an_equal_one(values: list[float]) -> None:
    made = histogram(values)
    read = Histogram.from_plain(json.loads(json.dumps(made.to_plain())))
    assert read == made
    assert read.statistics() == made.statistics()
    read.merge(made)
    assert_same(read, histogram(values * 2))


@given(several, st.lists(seconds.map(abs), max_size=10).map(sorted))
def test_below_is_right_to_one_percent(values: list[float], bounds: list[float]) -> None:
    made, taken = histogram(values), known(values)
    counts = made.below(bounds)
    assert all(a <= b for a, b in pairwise(counts))
    for bound, count in zip(bounds, counts, strict=True):
        slack = bound * ACCURACY * (1 + ROUNDING)
        assert count >= (taken <= bound - slack).sum()
        assert count <= (taken <= max(bound + slack, LEAST)).sum()
    assert made.below([made.max]) == [len(values)]


@given(several)
def test_bins_hold_all_values_in_order(values: list[float]) -> None:
    bins = list(histogram(values).bins())
    assert sum(count for *_, count in bins) == len(values)
    for (_, upper, _), (lower, *_) in pairwise(bins):
        assert upper <= lower * (1 + ROUNDING)
    taken = known(values)
    for lower, upper, count in bins:
        edge = 1 + ROUNDING
        inside = (taken > lower / edge) & (taken <= upper * edge) if upper else taken < LEAST
        assert inside.sum() >= count > 0


def test_an_empty_one_says_nothing() -> None:
    made = Histogram()
    made.add(np.array([]))
    statistics = made.statistics()
    assert statistics.count == statistics.max == statistics.p99 == statistics.tail == 0
    assert list(made.bins()) == []
    assert made.below([1.0]) == [0]
    assert Histogram.from_plain(made.to_plain()) == made == made.copy()


def test_statistics_by_name() -> None:
    made = histogram(np.arange(1, 1001) / 1000)
    assert made.statistic("mean") == pytest.approx(0.5005)
    assert made.statistic("max") == 1.0
    assert made.statistic("std") == pytest.approx(np.arange(1, 1001).std() / 1000)
    assert made.statistic("p50") == pytest.approx(0.5, rel=ACCURACY)
    assert made.statistic("p99.9") == pytest.approx(0.999, rel=ACCURACY)
    said = made.statistics()
    assert said.tail == pytest.approx(0.05, abs=0.02)
    assert said.flatness == pytest.approx(0.8, abs=0.02)


def test_percentiles_are_not_led_astray_by_fractions() -> None:
    """99.9 / 100 * 1000 is a little more than 999 to a computer."""
    made = histogram([1.0] * 999 + [2.0])
    assert made.statistic("p99.9") == pytest.approx(1.0, rel=ACCURACY)
    for percent in range(1, 100):
        made = histogram([1.0] * percent + [2.0] * (100 - percent))
        assert made.statistic(f"p{percent}") == pytest.approx(1.0, rel=ACCURACY)


def test_a_million_values_at_once() -> None:
    values = np.random.default_rng(1).lognormal(-5, 2, 1_000_000)
    made = histogram(values)
    for q in QUANTILES:
        assert any(close(made.quantile(q), true) for true in nearest(values, q))


# -- what is read ------------------------------------------------------------------------------

anything = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5),
        st.integers(min_value=10**300, max_value=10**400),
    ),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=20,
)  # fmt: skip
numbers = st.one_of(st.integers(), st.floats(), st.integers(-2000, 2000), anything)
alike = st.fixed_dictionaries(
    dict.fromkeys(("count", "mean", "m2", "min", "max", "zeros"), numbers)
    | {"bins": st.lists(st.lists(numbers, min_size=1, max_size=3)) | anything}
)


def read(data: Any) -> None:
    """Read what may not be a histogram; where it is taken for one it must be usable."""
    try:
        made = Histogram.from_plain(data)
    except ValueError:
        return
    made.merge(made.copy())
    assert all(map(math.isfinite, vars(made.statistics()).values()))
    assert Histogram.from_plain(json.loads(json.dumps(made.to_plain()))) == made


@given(anything | alike)
def test_anything_read_is_a_histogram_or_refused(data: Any) -> None:
    read(data)


@given(st.data(), several)
def test_what_was_tampered_with_is_a_histogram_or_refused(data: Any, values: list[float]) -> None:
    plain = histogram(values).to_plain()
    for entry in data.draw(st.lists(st.sampled_from(plain["bins"] or [[0, 0]]), max_size=2)):
        entry[data.draw(st.integers(0, 1))] = data.draw(numbers)
    for name in data.draw(st.lists(st.sampled_from(sorted(plain)), max_size=2)):
        plain[name] = data.draw(numbers)
    read(plain)


@pytest.mark.parametrize(
    "change",
    [
        {"count": 3},
        {"zeros": -1, "count": 1},
        {"bins": [[0, -1], [1, 3]]},
        {"bins": [[40_000, 2]]},
        {"bins": [[-40_000, 2]]},
        {"bins": [[0, 1 << 53]], "count": 1 << 53},
        {"bins": [[0]]},
        {"bins": None},
        {"mean": math.nan},
        {"mean": 1e300},
        {"m2": math.inf},
        {"m2": -1.0},
        {"min": 2.0, "max": 1.0},
        {"max": "much"},
    ],
    ids=str,
)
def test_what_cannot_be_is_refused(change: dict[str, Any]) -> None:
    sound = {"count": 2, "mean": 1, "m2": 0, "min": 1, "max": 1, "zeros": 0, "bins": [[0, 2]]}
    assert Histogram.from_plain(sound).count == 2
    with pytest.raises(ValueError, match=r".+"):
        Histogram.from_plain({**sound, **change})


def test_a_few_bytes_do_not_take_much_memory() -> None:
    keys = [round(math.log(v) / math.log(1.01 / 0.99)) for v in (LEAST * 1.1, MOST / 1.1)]
    plain = {"count": 2, "mean": 1, "m2": 1, "min": 0, "max": 1, "zeros": 0,
             "bins": [[key, 1] for key in keys]}  # fmt: skip
    tracemalloc.start()
    try:
        made = Histogram.from_plain(plain)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert made.count == 2
    assert most < 100_000
