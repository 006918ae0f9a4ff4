"""Runs in which nothing moves, and calls that do not return: for how long, who waits for what.

From when on that is said of them, and when a call is given up.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from holoflow.core.text import duration
from holoflow.stats.snapshot import FragmentStats, Snapshot

LONG_CALL = 10.0
"""Seconds below which no call is called long, whatever calls of its operator took before."""
UNUSUAL = 3.0
"""How many times as long as the longest call before a call must go on to be called long."""
LAST = 10.0
"""How many times as long a call may go on once the run is to end."""


def stuck(stats: FragmentStats) -> str:
    """Say which call of a process hangs, or goes on for far longer than usual; else nothing."""
    if not is_stuck(stats.call_for, stats.call_usual, stats.call_hang or math.inf):
        return ""
    return f"{at_work(stats.call, stats.call_frame)} for {duration(stats.call_for)}"


def is_stuck(seconds: float, usual: float, hang: float) -> bool:
    """Whether a call goes on for longer than it may (`hang`), or for far longer than is usual."""
    return seconds > min(max(LONG_CALL, UNUSUAL * usual), hang)


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
    return min(hang, max(LONG_CALL, LAST * usual))


LONG = 10.0
"""Seconds without a message that has moved, from which on that is said."""
MOST = 4
"""Stages, and queues, that are named."""


def standing(snapshot: Snapshot) -> str:
    """Say that nothing of a run has moved for long, and what is waited for; else nothing.

    That need not be amiss: a device may have nothing to give.
    """
    going = _going(snapshot)
    still = min((stats.still for stats in going), default=0.0)
    if still < LONG:
        return ""
    said = [*_reasons(going), *_queues(snapshot)]
    return f"nothing has moved for {duration(still)}" + (f": {'; '.join(said)}" if said else "")


def trouble(snapshot: Snapshot) -> str:
    """Say the same only where frames wait, and no source, timer or call is the cause; else nothing.

    The snapshot is one of all of the app: what is on other hosts may be the cause.
    """
    held = all(stats.held for stats in _going(snapshot))
    return standing(snapshot) if held and frames_wait(snapshot) else ""


def frames_wait(snapshot: Snapshot) -> bool:
    """Whether frames are under way."""
    return any(_queues(snapshot))


def _going(snapshot: Snapshot) -> list[FragmentStats]:
    return [stats for stats in snapshot.fragments if not stats.over]


def _reasons(going: Sequence[FragmentStats]) -> Iterator[str]:
    for stats in going:
        if stats.call_for >= LONG:
            yield f"{at_work(stats.call, stats.call_frame)} for {duration(stats.call_for)}"
    waits = [f"{stage} waits for {what}" for b in going for stage, what in b.awaits.items()]
    yield from waits[:MOST]
    if len(waits) > MOST:
        yield f"{len(waits) - MOST} more wait"


def _queues(snapshot: Snapshot) -> Iterator[str]:
    # What a `Latest` input holds, or a back edge, waits for no longer than it may.
    full = {
        flow.target: flow.waiting
        for flow in snapshot.flows
        if flow.waiting > 0 and not (flow.latest or flow.back_edge)
    }
    if full:
        most = sorted(full, key=lambda target: -full[target])[:MOST]
        yield "frames wait for " + ", ".join(f"{target} ({full[target]})" for target in most)
