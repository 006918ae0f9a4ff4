from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from holoflow.operators.capture._timeline import Timeline, at_rate

TIMES = st.one_of(st.none(), st.integers(-(10**12), 10**12))


@given(st.lists(st.tuples(TIMES, st.one_of(st.none(), st.integers(0, 10**9)))))
def test_elapsed_begins_at_zero_and_only_rises(frames):
    timeline = Timeline(step=40)
    elapsed = [timeline.place(time, duration) for time, duration in frames]
    assert elapsed[:1] in ([], [0])
    assert all(a < b for a, b in pairwise(elapsed))


def test_a_recording_that_rises_keeps_its_distances():
    timeline = Timeline(step=40)
    assert [timeline.place(time) for time in (-5, 0, 100, 101)] == [0, 5, 105, 106]


def test_missing_times_are_a_step_apart():
    timeline = Timeline(step=40)
    assert [timeline.place(time) for time in (None, None, 100, None)] == [0, 40, 80, 120]


def test_a_recording_played_anew_goes_on_after_the_last_duration():
    timeline = Timeline(step=40)
    times = [timeline.place(time, 30) for time in (7, 27, 57, 7, 27, 57)]
    assert times == [0, 20, 50, 80, 100, 130]


def test_a_rate_does_not_drift():
    assert at_rate(30_000 * 3600, 30_000 / 1001) == 1001 * 3600 * 10**9
