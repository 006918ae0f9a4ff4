"""Apps made slow in a known way are told so, by real runs."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from support.slow_apps import SLOW_APPS, SlowApp

from holoflow.report.diagnosis.decision import explain
from holoflow.report.diagnosis.finding import Explanation

SLOWER = (1, 4, 16)
"""Where other programs take the cores, every call lasts some milliseconds longer, which is another
app. The slower all of it is, the less they matter."""
CROWDED = 0.4
"""Share of the cores that other programs take, from which they do."""


class Others:
    """How many cores other programs use meanwhile."""

    def __init__(self) -> None:
        self._total, self._own, self._since = _busy(), time.process_time(), time.monotonic()

    def cores(self) -> float:
        """Return the mean since it was made."""
        others = _busy() - self._total - (time.process_time() - self._own)
        return others / (time.monotonic() - self._since)


def _busy() -> float:
    """CPU seconds of all programs."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n")[0].split()[1:]]
    idle = fields[3] + fields[4]
    return (sum(fields[:8]) - idle) / os.sysconf("SC_CLK_TCK")


def named(explanation: Explanation) -> set[tuple[str, str]]:
    """All that is found, (cause, where)."""
    return {(f.cause, f.where) for f in (explanation.bottleneck, *explanation.others)}


CASES = [
    pytest.param(
        slow, id=slow.name, marks=() if slow.engine.name == "inline" else pytest.mark.holoscan
    )
    for slow in SLOW_APPS
]


@pytest.mark.parametrize("slow", CASES)
def test_the_cause_is_named(slow: SlowApp) -> None:
    for times in SLOWER:
        others = Others()
        explanation = explain(slow.run(times))
        found = explanation.bottleneck
        right = (found.cause, found.where) == (slow.cause, slow.where)
        if right and {*slow.others} <= named(explanation):
            return
        # Rightly so where other programs take the cores of the machine that runs the tests.
        assert others.cores() > CROWDED * len(os.sched_getaffinity(0)), explanation
        if found.cause == "crowded machine":
            return
    pytest.fail(f"even {times} times as slow: {explanation}")
