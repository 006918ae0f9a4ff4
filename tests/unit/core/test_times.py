"""The clock model, against drawn sequences of times."""

from __future__ import annotations

from itertools import accumulate, pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from holoflow.core.times import DISORDER, LONGEST, SECOND, Pace, Timeline, at_rate

MS = 1_000_000
FRAME = 40 * MS

IN_ORDER = st.integers(0, 100 * MS)
DISORDERED = st.integers(-DISORDER // 4, 100 * MS)
ANY = st.one_of(
    st.just(FRAME), st.just(0), IN_ORDER, st.integers(-DISORDER // 4, 0),
    st.integers(-3600 * SECOND, -3 * DISORDER), st.integers(LONGEST, 40 * 3600 * SECOND),
)  # fmt: skip
"""Steps from a frame to the next."""


def times(steps: list[int], begin: int = 0) -> list[int]:
    return list(accumulate(steps, initial=begin))


# -- recordings ------------------------------------------------------------------------------


@given(st.lists(st.one_of(IN_ORDER, st.integers(LONGEST, 40 * 3600 * SECOND))), st.integers())
def test_what_lies_between_two_frames_is_kept(steps: list[int], begin: int) -> None:
    timeline = Timeline(FRAME)
    assert [timeline.place(time) for time in times(steps, begin)] == times(steps)


def test_frames_of_one_time_and_out_of_order_shift_none_after_them() -> None:
    timeline = Timeline(FRAME)
    ms = [0, 40, 40, 80, 60, 120, 120, 119, 160, 500]
    assert [timeline.place(t * MS) for t in ms] == [t * MS for t in ms]


@given(st.lists(ANY, max_size=30))
def test_a_reset_and_what_undoes_it_are_the_only_steps_that_are_changed(steps: list[int]) -> None:
    timeline = Timeline(FRAME)
    placed = [timeline.place(time, FRAME) for time in times(steps)]
    newest = placed[0]
    for step, (before, after) in zip(steps, pairwise(placed), strict=True):
        if before + step < newest - DISORDER:
            assert after >= newest + FRAME
        else:
            undone = step > LONGEST and -DISORDER <= after - newest <= LONGEST
            assert after - before == step or undone
        newest = max(newest, after)


@given(st.sets(st.integers(1, 98)), st.integers(LONGEST + SECOND, 40 * 3600 * SECOND))
def test_single_frames_from_hours_ago_shift_none_after_them(wrong: set[int], ago: int) -> None:
    timeline = Timeline(FRAME)
    true = [index * FRAME for index in range(100)]
    placed = [timeline.place(t - ago * (i in wrong), FRAME) for i, t in enumerate(true)]
    assert placed == true


def test_missing_times_are_a_step_apart() -> None:
    timeline = Timeline(step=40)
    assert [timeline.place(time) for time in (None, None, 100, None)] == [0, 40, 80, 120]


def test_a_recording_played_anew_goes_on_after_the_last_duration() -> None:
    timeline = Timeline(step=40)
    placed = []
    for _ in range(2):
        placed += [timeline.place(time, 30) for time in (7, 27, 57)]
        timeline.play_anew()
    assert placed == [0, 20, 50, 80, 100, 130]


# -- the pace --------------------------------------------------------------------------------


@given(st.lists(IN_ORDER))
def test_an_even_stream_is_played_as_it_was_captured(steps: list[int]) -> None:
    pace = Pace()
    assert [pace.due(time) for time in times(steps)] == [(time, 0) for time in times(steps)]


@given(st.lists(ANY, max_size=30))
@example([FRAME, 3600 * SECOND, FRAME, -7200 * SECOND, FRAME])
def test_nothing_is_held_for_longer_than_is_usual(steps: list[int]) -> None:
    pace = Pace()
    newest, reached, usual = 0, 0, 60 * SECOND
    for time in times(steps):
        step = time - newest
        due, skipped = pace.due(time)
        assert skipped in (0, step)
        assert due - reached <= max(LONGEST, 10 * usual)
        assert due == reached or skipped == 0
        usual = step if step > 0 else usual
        newest = time if skipped else max(newest, time)
        reached = max(reached, due)


def test_the_pace_goes_on_from_a_pause_and_from_a_reset() -> None:
    pace = Pace()
    hour = 3600 * SECOND
    stream = [0, FRAME, hour, hour + FRAME, 5 * FRAME, 6 * FRAME]
    assert [pace.due(time) for time in stream] == [
        (0, 0), (FRAME, 0), (FRAME, hour - FRAME), (2 * FRAME, 0),
        (2 * FRAME, 4 * FRAME - hour), (3 * FRAME, 0),
    ]  # fmt: skip


def test_a_slow_stream_is_held_as_long_as_it_is_usual() -> None:
    pace = Pace()
    slow = [index * 300 * SECOND for index in range(5)]
    assert [pace.due(time) for time in slow] == [(time, 0) for time in slow]


def test_a_simulated_clock_leaves_out_no_pause() -> None:
    pace = Pace(hold=False)
    assert pace.due(3600 * SECOND) == (3600 * SECOND, 0)


def test_a_rate_does_not_drift():
    assert at_rate(30_000 * 3600, 30_000 / 1001) == 1001 * 3600 * 10**9
