"""The statistics of the last seconds of a run."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.snapshots import faces, operator
from support.stats import alike

from holoflow.live.state import WINDOW, Recent
from holoflow.stats.difference import difference
from holoflow.stats.histogram import Histogram
from holoflow.stats.merge import merge
from holoflow.stats.snapshot import Snapshot

SECONDS = st.lists(st.floats(1e-9, 1e4) | st.just(0.0), max_size=30)


def held(values):
    made = Histogram()
    made.add(np.array(values))
    return made


@given(SECONDS, SECONDS)
def test_what_is_left_of_a_histogram_is_what_was_added(before, added):
    left = held(before + added).without(held(before))
    truth = held(added)
    assert left.count == truth.count
    assert list(left.bins()) == list(truth.bins())
    total = sum(before) + sum(added)
    assert left.total == pytest.approx(truth.total, rel=1e-6, abs=1e-9 * total)
    for q in (0.0, 0.5, 0.99, 1.0):
        assert left.quantile(q) == pytest.approx(truth.quantile(q), rel=0.0201, abs=1e-300)
    assert left.max == pytest.approx(truth.max, rel=0.0101, abs=1e-300)
    assert left.min == pytest.approx(truth.min, rel=0.0101, abs=1e-300)
    if max(added, default=0) > max(before, default=0):
        assert left.max == truth.max


def test_a_histogram_that_began_anew_is_taken_as_a_whole():
    now = held([1.0, 2.0])
    assert now.without(held([1.0, 3.0])) == now
    assert now.without(held([0.0])) == now
    assert now.without(Histogram()) == now


def seen(snapshot: Snapshot, times: int) -> Snapshot:
    """Return what a run leaves that did the same as in `snapshot` several times over."""
    return replace(merge([snapshot] * times), seconds=snapshot.seconds * times)


def test_before_and_difference_merged_are_now():
    before = faces()
    now = replace(
        seen(before, 3),
        fragments=(replace(before.fragments[0], seconds=30.0),),
        budgets=before.budgets,
        flows=tuple(replace(b, waiting=1, sent=b.sent + 1) for b in seen(before, 3).flows),
    )
    between = difference(now, before)
    assert between.seconds == 20.0
    assert between.fragments[0].seconds == 20.0
    assert between.operators[1].frames == 600
    assert between.operators[1].busy == pytest.approx(2 * before.operators[1].busy)
    assert between.flows[1].dropped == {"full": 20}
    assert between.flows[1].waiting == 1
    assert between.budgets == now.budgets
    assert between.workers[0].busy == pytest.approx(19.0)
    assert [path.frames for path in between.paths] == [600, 600]
    for a, b in zip(between.paths, before.paths, strict=True):
        assert a.end_to_end.mean == pytest.approx(b.end_to_end.mean)
        assert [s.waiting for s in a.steps] == pytest.approx([s.waiting for s in b.steps])
    again = merge([before, replace(between, flows=(), budgets=())])
    for one, other in zip(again.operators, now.operators, strict=True):
        assert alike(one, other)


def test_a_time_in_which_nothing_happened():
    between = difference(replace(faces(), seconds=12.0), faces())
    assert between.seconds == 2.0
    assert between.paths == ()
    assert {stats.frames for stats in between.operators} == {0}
    assert {stats.lost for stats in between.flows} == {0}


def test_what_was_started_again_counts_from_its_beginning():
    before = faces()
    detect = operator("detect", 0.01, frames=5)
    now = replace(
        before, seconds=11.0, workers=tuple(replace(w, busy=0.5) for w in before.workers),
        operators=(before.operators[0], detect, *before.operators[2:]),
        flows=tuple(replace(b, sent=3, delivered=3, dropped={}) for b in before.flows),
        fragments=(replace(before.fragments[0], pid=1, seconds=1.0),),
    )  # fmt: skip
    between = difference(now, before)
    assert between.operators[1] == detect
    assert between.operators[0].frames == 0
    assert {stats.sent for stats in between.flows} == {3}
    assert between.workers == now.workers
    assert between.fragments == now.fragments


def test_every_counter_of_a_process_is_that_of_the_time_between():
    before = faces()
    (main,) = before.fragments
    main = replace(main, refused={"size": 2}, restarts=1)
    later = replace(
        main, seconds=12.0, refused={"size": 5, "token": 1}, restarts=2,
        machine=replace(main.machine, cpu=main.machine.cpu + 1.5),
    )  # fmt: skip
    between = difference(
        replace(before, fragments=(later,)), replace(before, fragments=(main,))
    ).fragments[0]
    assert (between.seconds, between.restarts) == (2.0, 1)
    assert between.refused == {"size": 3, "token": 1}
    assert between.machine.cpu == pytest.approx(1.5)
    assert between.machine.memory == later.machine.memory


def test_recent_has_the_last_seconds_and_at_first_the_whole_run():
    recent = Recent()
    first = faces()
    assert recent.add(first) is first
    assert recent.add(first) is first
    for second in range(1, 20):
        span = recent.add(replace(first, seconds=10.0 + second)).seconds
        assert span == min(second, WINDOW)
    # However long nothing came, there is something to compare with.
    assert recent.add(replace(first, seconds=99.0)).seconds == 70.0


def test_another_run_begins_anew():
    recent = Recent()
    recent.add(faces())
    other = replace(faces(), run="other")
    assert recent.add(other) is other
    restarted = replace(other, seconds=1.0)
    assert recent.add(restarted) is restarted
