"""From when on a call is said to be stuck, and when it is given up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from holoflow.stats.snapshot import FragmentStats, MachineStats
from holoflow.stats.standing import patience, stuck


def test_what_takes_longer_than_it_may_is_stuck_however_little_that_is() -> None:
    stats = FragmentStats(
        "main", 1, "box", "inline", "inline", 1, 60.0, MachineStats(2, 1.0, 1),
        call="detect", call_for=3.2, call_usual=2.0, call_hang=3.0,
    )  # fmt: skip
    assert stuck(stats) == "detect has been at work on one frame for 3.2 s"
    assert not stuck(replace(stats, call_for=2.9))


@pytest.mark.parametrize(
    ("seconds", "usual", "said"),
    [
        (4.0, 0.001, ""),
        (12.0, 0.001, "detect has been at work on frame 60 of camera for 12 s"),
        (12.0, 0.0, "detect has been at work on frame 60 of camera for 12 s"),
        (25.0, 9.0, ""),
        (28.0, 9.0, "detect has been at work on frame 60 of camera for 28 s"),
    ],
)
def test_what_takes_far_longer_than_usual_is_stuck(seconds: float, usual: float, said: str) -> None:
    stats = FragmentStats(
        "main", 1, "box", "inline", "inline", 1, 60.0, MachineStats(2, 1.0, 1),
        call="detect", call_frame="frame 60 of camera", call_for=seconds, call_usual=usual,
    )  # fmt: skip
    assert stuck(stats) == said


@pytest.mark.parametrize(
    ("hang", "usual", "ending", "seconds"),
    [
        (30.0, 0.1, False, 30.0),
        (30.0, 0.1, True, 10.0),
        (30.0, 2.0, True, 20.0),
        (30.0, 9.0, True, 30.0),
        (30.0, 0.0, True, 30.0),  # the first call may load a model
        (5.0, 0.1, True, 5.0),
    ],
)
def test_a_run_that_ends_waits_less_for_what_is_unusual(
    hang: float, usual: float, ending: bool, seconds: float
) -> None:
    assert patience(hang, usual, ending=ending) == seconds
