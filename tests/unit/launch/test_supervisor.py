"""A fragment whose process has ended."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from support.graphs import fragment
from support.snapshots import faces

from holoflow.launch.channel import Ended, Failed, Refused
from holoflow.launch.supervisor import FragmentSupervisor, describe_failure, ended_well, failure_of


def process(**known: Any) -> Any:
    """Return what is known of a process."""
    fields = {"fragment": "a", "ended": None, "killed": None, "refused": None, "began": None}
    return SimpleNamespace(**{**fields, **known})


FAILED = Ended("failed", "inline", faces(), Failed("work", "frame 3 of camera", "OSError", "…"))


@pytest.mark.parametrize(
    ("ended", "status", "well", "said", "log"),
    [
        (process(ended=Ended("done", "inline", faces())), 0, True, None, None),
        (process(ended=Ended("interrupted", "inline", faces())), 0, True, None, None),
        (
            process(ended=FAILED), 0, False,
            "operator 'work' of fragment 'a' failed on frame 3 of camera: OSError",
            "operator 'work' of fragment 'a' failed on frame 3 of camera: OSError",
        ),
        (
            process(), -9, False, "fragment 'a' failed: its process was killed by SIGKILL",
            "its process was killed by SIGKILL",
        ),
        (process(killed="it hangs"), -9, False, "fragment 'a' failed: it hangs", "it hangs"),
        (process(refused=Refused("no key")), 0, False, "fragment 'a' failed: no key", "no key"),
    ],
)  # fmt: skip
def test_how_a_process_ended(
    ended: Any, status: int, well: bool, said: str | None, log: str | None
) -> None:
    assert ended_well(ended) == well
    if not well:
        failure = failure_of(ended, status)
        assert (str(failure), describe_failure(failure)) == (said, log)


def test_restarts_in_a_row_end_and_begin_anew_after_a_minute() -> None:
    supervisor = FragmentSupervisor(fragment("a", restarts=2), "on-failure")
    never_began = process()
    assert [supervisor.retry(never_began, 5.0, well=False) for _ in range(3)] == [0.25, 0.5, None]
    supervisor = FragmentSupervisor(fragment("a", restarts=2), "on-failure")
    lived = process(began=5.0)
    assert [supervisor.retry(lived, 64.0, well=False) for _ in range(2)] == [0.25, 0.5]
    assert supervisor.retry(lived, 65.0, well=False) == 0.25
    assert supervisor.retry(lived, 6.0, well=True) is None


def test_a_process_whose_run_has_ended_does_not_report_that_it_waits() -> None:
    supervisor = FragmentSupervisor(fragment("a"), "on-failure")
    assert supervisor.report is None
    (stats,) = faces().fragments
    supervisor.process = process(stats=stats)
    assert supervisor.report is stats
    supervisor.process = process(stats=stats, ended=FAILED)
    assert supervisor.report is None  # it may be restarted: nobody knows yet what waits for it
