"""Calls that do not return: from when on that is said of them, and when they are given up."""

from __future__ import annotations

import math

from holoflow.stats.snapshot import FragmentStats

LONG = 10.0
"""Seconds below which no call is called long, whatever calls of its operator took before."""
UNUSUAL = 3.0
"""How many times as long as the longest call before a call must go on to be called long."""
LAST = 10.0
"""How many times as long a call may go on once the run is to end."""


def stuck(stats: FragmentStats) -> str:
    """Say which call of a process hangs, or goes on for far longer than usual; else nothing."""
    if not is_stuck(stats.call_for, stats.call_usual, stats.call_hang or math.inf):
        return ""
    return f"{at_work(stats.call, stats.call_frame)} for {stats.call_for:.0f} s"


def is_stuck(seconds: float, usual: float, hang: float) -> bool:
    """Whether a call goes on for longer than it may (`hang`), or for far longer than is usual."""
    return seconds > min(max(LONG, UNUSUAL * usual), hang)


def at_work(operator: str, frame: str) -> str:
    """Say what an operator is at: `detect has been at work on frame 60 of camera`."""
    return f"{operator} has been at work on {frame or 'one frame'}"


def patience(hang: float, usual: float, *, ending: bool) -> float:
    """Return for how many seconds a call may go on before its operator is taken to hang.

    `hang` is what the app says, and `usual` how long the longest call before took, 0 where there
    was none. Where the run is `ending`, what has long been unusual is not waited for.
    """
    if not (ending and usual):
        return hang
    return min(hang, max(LONG, LAST * usual))
