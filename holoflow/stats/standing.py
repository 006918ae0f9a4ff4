"""Stalls (standstills, lasting calls): when they are told of, and when a call is given up."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from holoflow.core.text import duration
from holoflow.stats.snapshot import FragmentStats, Snapshot

LONG_CALL = 10.0
"""Seconds below which no call is considered long, however short earlier calls of its operator
were."""
UNUSUAL = 3.0
"""A call is considered long once it takes this many times as long as the longest one before."""
TOLD = 2.0
"""Seconds after which a call, a silent process and queues that stand are told of. That need not be
a fault."""
LAST = 10.0
"""How many times as long as the longest one before a call may take once the run is to end."""


def stuck(stats: FragmentStats) -> str:
    """Describe the call of a process that hangs or takes far longer than usual; else return ""."""
    if not is_stuck(stats.call_for, stats.call_usual, stats.call_hang or math.inf):
        return ""
    return f"{at_work(stats.call, stats.call_frame)} for {duration(stats.call_for)}"


def lasting(stats: FragmentStats) -> str:
    """Describe the call of a process that takes long, and longer than usual; else return "".

    It may be at work or hang: nobody knows yet.
    """
    if stats.over or not stats.call or stats.call_for < max(TOLD, UNUSUAL * stats.call_usual):
        return ""
    return f"{at_work(stats.call, stats.call_frame)} for {duration(stats.call_for)}"


def unheard(stats: FragmentStats) -> str:
    """Describe a process that has not reported for long, or return ""."""
    if stats.over or stats.silent < TOLD:
        return ""
    who = f"{stats.name} (process {stats.pid} on {stats.host})"
    return f"{who} has not reported for {duration(stats.silent)}"


def is_stuck(seconds: float, usual: float, hang: float) -> bool:
    """Whether a call has taken longer than permitted (`hang`), or far longer than `usual`."""
    return seconds > min(max(LONG_CALL, UNUSUAL * usual), hang)


def at_work(operator: str, frame: str) -> str:
    """Describe a call: `detect has been at work on frame 60 of camera`."""
    return f"{operator} has been at work on {frame or 'one frame'}"


def patience(hang: float, usual: float, *, ending: bool) -> float:
    """Return how many seconds a call may take before its operator is considered hanging.

    Args:
        hang: The limit that the app sets, in seconds.
        usual: Duration of the longest earlier call; 0 without one.
        ending: The run is to end: a call that takes far longer than usual is not waited for.
    """
    if not (ending and usual):
        return hang
    return min(hang, max(LONG_CALL, LAST * usual))


LONG = 10.0
"""Seconds without any message having moved after which a standstill is reported."""
MOST = 4
"""Number of stages, and of queues, that are named."""


def standing(snapshot: Snapshot) -> str:
    """Describe a standstill: for how long nothing has moved and who waits for what; else return "".

    A standstill need not be a fault: a device may have nothing to deliver.
    """
    going = _going(snapshot)
    still = min((stats.still for stats in going), default=0.0)
    if still < LONG:
        return ""
    said = [*_reasons(going), *_queues(snapshot)]
    return f"nothing has moved for {duration(still)}" + (f": {'; '.join(said)}" if said else "")


def waits(snapshot: Snapshot) -> str:
    """Describe what a run waits for that need not be a fault.

    That is a standstill, a process that does not report, or a call that lasts.
    """
    said = (unheard(stats) or lasting(stats) for stats in snapshot.fragments)
    return standing(snapshot) or next(filter(None, said), "")


def stands_full(snapshot: Snapshot) -> str:
    """Describe a full queue while nothing has moved for a while; else return ""."""
    still = min((stats.still for stats in _going(snapshot)), default=0.0)
    full = next((f for f in snapshot.flows if f.lossless and f.waiting >= f.queue > 0), None)
    if still < TOLD or full is None:
        return ""
    return (
        f"nothing has moved for {duration(still)}; "
        f"{full.waiting:,} of {full.queue:,} frames wait for {full.target}"
    )


def trouble(snapshot: Snapshot) -> str:
    """Describe a standstill that is a fault; else return "".

    It is one if frames wait and no source, timer or call is the cause. The snapshot must be of the
    whole app, since the cause may be on another host.
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
    # The value of a `Latest` input, or of a back edge, may wait for as long as it likes.
    full = {
        flow.target: flow.waiting
        for flow in snapshot.flows
        if flow.waiting > 0 and not (flow.latest or flow.back_edge)
    }
    if full:
        most = sorted(full, key=lambda target: -full[target])[:MOST]
        yield "frames wait for " + ", ".join(f"{target} ({full[target]})" for target in most)
