"""What is told as a change between two runs, and what is noise."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from support import random_snapshots
from support.reports import report
from support.snapshots import faces, operator, times

from holoflow.report.comparison import (
    compare,
    differ,
    distance,
    means_differ,
    shares_differ,
    to_plain,
)
from holoflow.stats.histogram import Histogram


def drawn(scale=1.0, count=3000, seed=1, tail=0.0):
    values = scale * np.random.default_rng(seed).lognormal(-4, 0.3, count)
    values[: int(tail * count)] *= 10
    made = Histogram()
    made.add(values)
    return made


def with_working(name, working):
    snapshot = faces()
    return report(
        replace(
            snapshot,
            operators=tuple(
                replace(stats, working=working) if stats.name == name else stats
                for stats in snapshot.operators
            ),
        )
    )


def changes(a, b):
    return {item.name: item.change for item in compare(a, b).times if item.change}


def test_a_run_is_no_different_from_itself():
    compared = compare(report(faces()), report(faces()))
    assert compared.changes == compared.added == compared.removed == ()
    assert {item.ratio("p50") for item in compared.times if item.a.count} == {1.0}


@pytest.mark.parametrize("seed", range(20))
def test_chance_is_not_told(seed):
    a, b = drawn(seed=seed), drawn(seed=seed + 100)
    assert changes(with_working("detect", a), with_working("detect", b)) == {}


@pytest.mark.parametrize(("scale", "change"), [(1.3, "slower"), (0.75, "faster")])
def test_what_has_changed_is_told(scale, change):
    compared = compare(
        with_working("detect", drawn()), with_working("detect", drawn(scale, seed=2))
    )
    (item,) = [item for item in compared.times if item.change]
    assert (item.kind, item.name, item.what, item.change) == (
        "operator", "detect", "working", change,
    )  # fmt: skip
    assert item.ratio("p50") == pytest.approx(scale, rel=0.05)
    assert any(f"operator detect: working {change}: p50" in words for words in compared.changes)


def test_a_small_change_is_not_told_however_sure_it_is():
    a, b = drawn(count=200_000), drawn(1.03, count=200_000, seed=2)
    assert differ(a, b)
    assert changes(with_working("detect", a), with_working("detect", b)) == {}


@pytest.mark.parametrize(("seconds", "told"), [(100.0, {}), (0.3, {"detect": "faster"})])
def test_a_change_that_matters_to_nobody_is_not_told(seconds, told):
    """Microseconds of a sink's work: nothing in 33 ms between frames, much in 0.1 ms."""
    a, b = (
        report(replace(with_working("detect", working).snapshot, seconds=seconds))
        for working in (drawn(0.002), drawn(0.001, seed=2))
    )
    assert a.snapshot.operator("detect").working.quantile(0.5) == pytest.approx(37e-6, rel=0.1)
    assert changes(a, b) == told


def test_few_frames_tell_nothing():
    few = drawn(count=20)
    assert changes(with_working("detect", few), with_working("detect", drawn(5, count=20))) == {}


def test_a_tail_is_told_where_the_middle_has_not_changed():
    a, b = with_working("detect", drawn()), with_working("detect", drawn(seed=2, tail=0.05))
    assert changes(a, b) == {"detect": "slower tail"}
    assert changes(b, a) == {"detect": "faster tail"}


def test_what_was_added_and_removed_is_named():
    more = replace(faces(), operators=(*faces().operators, operator("extra", 0.1)))
    compared = compare(report(faces()), report(more))
    assert compared.added == (("operator", "extra"),)
    assert compare(report(more), report(faces())).removed == (("operator", "extra"),)
    assert "operator extra: added" in compared.changes


def test_drops_and_budgets():
    better = replace(
        faces(),
        flows=tuple(replace(stats, sent=10_000, dropped={}) for stats in faces().flows),
        budgets=tuple(replace(stats, missed=0) for stats in faces().budgets),
    )
    worse = replace(
        better,
        flows=tuple(replace(stats, dropped={"full": 300}) for stats in better.flows[:1])
        + better.flows[1:],
        budgets=faces().budgets,
    )
    compared = compare(report(better), report(worse))
    assert "flow camera.out -> detect.image: more dropped: 0% to 3%" in compared.changes
    assert "budget camera → screen: missed now" in compared.changes
    assert "budget camera → screen: kept now" in compare(report(worse), report(better)).changes


def test_a_rate_is_told_where_it_differs_more_than_it_varied():
    half = tuple(
        replace(s, frames={name: n // 2 for name, n in s.frames.items()})
        for s in report(faces()).history
    )
    slower = replace(
        faces(), operators=tuple(replace(stats, frames=150) for stats in faces().operators)
    )
    compared = compare(report(faces()), report(slower, half))
    assert "operator camera: fewer frames per second: -50%" in compared.changes
    # without curves nobody knows how much rates vary
    assert not [rate for rate in compare(report(faces()), report(slower, ())).rates if rate.changed]


def test_distance_of_what_has_nothing_in_common_is_1_and_of_nothing_0():
    assert distance(times(0.001), times(1.0)) == pytest.approx(1)
    assert distance(times(0.001), times(0.001)) == 0
    assert distance(Histogram(), times(1.0)) == 0


def test_proportions_and_means():
    assert shares_differ(0, 1000, 100, 1000)
    assert not shares_differ(10, 1000, 12, 1000)
    assert not shares_differ(0, 0, 5, 10)
    assert not shares_differ(0, 1000, 0, 1000)
    assert means_differ([10, 11, 10, 9, 10], [20, 21, 19, 20, 20])
    assert not means_differ([5, 15, 10, 8, 12], [9, 16, 6, 14, 10])
    assert not means_differ([10, 10], [20, 20])


@settings(max_examples=40)
@given(random_snapshots.snapshots, random_snapshots.snapshots)
def test_any_two_runs_can_be_compared(one, other):
    compared = compare(report(one, ()), report(other, ()))
    document = json.loads(json.dumps(to_plain(compared), allow_nan=False))
    assert document["changes"] == list(compared.changes)
