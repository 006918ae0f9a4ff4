"""Whether no process of a run can ever go on."""

from __future__ import annotations

from dataclasses import replace

from holoflow.launch.statistics import LOOKS, RunStallDetector
from holoflow.stats.snapshot import FragmentStats, MachineStats

WAITS = FragmentStats(
    "edge", 1, "box", "inline", "inline", 1, 60.0, MachineStats(2, 1.0, 1),
    waits={"camera": "room in the queue of view.image"},
)  # fmt: skip


def said(waits: str = "room") -> FragmentStats:
    """Return what a process says anew."""
    return replace(WAITS, waits={"view": waits} if waits else {})


def looks(standstill: RunStallDetector, times: int, moved: int = 0) -> bool:
    """Look so many times at two processes that say something new each time; what came of it."""
    return any(standstill.poll([replace(WAITS), said()], moved) for _ in range(times))


def test_all_wait_and_nothing_moves() -> None:
    standstill = RunStallDetector()
    assert not looks(standstill, LOOKS)
    assert standstill.poll([replace(WAITS), said("a partner")], 0) == {
        "camera": "room in the queue of view.image", "view": "a partner",
    }  # fmt: skip


def test_a_message_has_moved() -> None:
    standstill = RunStallDetector()
    assert not any(looks(standstill, LOOKS, moved) for moved in range(5))


def test_one_can_go_on_now_and_then() -> None:
    standstill = RunStallDetector()
    for _ in range(5):
        assert not looks(standstill, LOOKS - 1)
        assert not standstill.poll([replace(WAITS), said("")], 0)


def test_one_is_about_to_be_started_again() -> None:
    standstill = RunStallDetector()
    assert not any(standstill.poll([replace(WAITS), None], 0) for _ in range(5 * LOOKS))


def test_one_says_nothing_new_for_it_is_stopped() -> None:
    standstill, stopped = RunStallDetector(), said()
    assert not any(standstill.poll([replace(WAITS), stopped], 0) for _ in range(5 * LOOKS))


def test_one_has_ended_meanwhile() -> None:
    standstill = RunStallDetector()
    assert not looks(standstill, LOOKS)
    assert not any(standstill.poll([said()], 0) for _ in range(LOOKS))
    assert standstill.poll([said()], 0)
