"""What is wrong with a process."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.graphs import fragment

from holoflow.core.processes import describe_exit
from holoflow.launch.process import ProcessSample, judge
from holoflow.stats.snapshot import FragmentStats, MachineStats

PLACED = fragment("a", hang=10.0, memory=500_000_000)


def call(seconds: float) -> FragmentStats:
    """Return the statistics of a process in which a call goes on for so long."""
    idle = FragmentStats("a", 1, "box", "inline", "inline", 1, 60.0, MachineStats(2, 1.0, 1))
    return replace(idle, call="detect", call_frame="frame 7 of camera", call_for=seconds)


@pytest.mark.parametrize(
    ("sample", "words"),
    [
        (ProcessSample(silent=9.9, stats=call(9.9), memory=500_000_000), None),
        (ProcessSample(silent=10.1), "it hangs: it has sent nothing for 10.1 s"),
        (ProcessSample(silent=29.0, new=True), None),
        (ProcessSample(silent=31.0, new=True), "it hangs: it has sent nothing for 31 s"),
        (
            ProcessSample(0.1, stats=call(12.0)),
            "it hangs: detect has been at work on frame 7 of camera for 12 s",
        ),
        (
            ProcessSample(0.1, memory=1_234_000_000),
            "it uses 1.23 GB of memory, but may use 500 MB",
        ),
    ],
)
def test_judgement(sample: ProcessSample, words: str | None) -> None:
    assert judge(sample, PLACED) == words


def test_memory_is_not_bounded_where_the_app_does_not_say_so() -> None:
    assert judge(ProcessSample(0.1, memory=1 << 50), fragment("a")) is None


def test_a_new_process_has_as_long_as_any_other() -> None:
    assert judge(ProcessSample(50.0, new=True), fragment("a", hang=60.0)) is None


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (3, "its process ended with exit status 3"),
        (-9, "its process was killed by SIGKILL"),
        (-11, "its process was killed by SIGSEGV"),
        (-60, "its process was killed by signal 60"),
    ],
)
def test_how_a_process_ended(status: int, words: str) -> None:
    assert describe_exit(status) == words
