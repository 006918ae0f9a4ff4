"""Whether a fragment is started again when its process has ended, and when."""

from __future__ import annotations

from holoflow.app.graph import Fragment, RestartPolicy
from holoflow.plan.plan import Plan

SOONEST = 0.25
"""Seconds before the first restart in a row; each further one waits twice as long, up to:"""
LATEST = 10.0
WELL = 60.0
"""Seconds without a failure after which a new row begins."""


def back_off(tries: int) -> float:
    """Return how long to wait, in seconds, after `tries` restarts in a row."""
    return min(SOONEST * 2.0 ** min(tries, 16), LATEST)


def in_a_row(tries: int, lived: float) -> int:
    """Return how many restarts are in a row, when the newest process ran for `lived` seconds."""
    return 0 if lived >= WELL else tries


def again(policy: RestartPolicy, limit: int, tries: int, *, well: bool) -> float | None:
    """Return after how many seconds a fragment that has ended is started again; None: not.

    `well` says that it ended by itself, and `tries` how many restarts in a row it has had, of
    which there may be `limit`.
    """
    wanted = policy == "always" or (policy == "on-failure" and not well)
    return back_off(tries) if wanted and tries < limit else None


def policy_of(plan: Plan, fragment: Fragment, *, bounded: bool) -> RestartPolicy:
    """Return when `fragment` is to be started again in this run.

    What ends well comes back with `always` only if it has ended by itself: not where the command
    line has bounded the run, nor where all that it does is fed by others, whose end its own is.
    """
    if fragment.restart != "always":
        return fragment.restart
    fed = {flow.target.operator for flow in plan.flows if not flow.back_edge}
    has_source = any(name not in fed for name in fragment.operators)
    return "always" if has_source and not bounded else "on-failure"
