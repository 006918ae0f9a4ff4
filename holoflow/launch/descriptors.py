"""Limits of open files: enough for all processes of a run, or the run does not begin.

libzmq aborts its process if a peer connects and no descriptor is left, and the others would wait
for a link that cannot be opened. So the limits are checked before anything is started.
"""

from __future__ import annotations

import os
import resource
import sys
from collections import Counter
from typing import Final

from holoflow.core.errors import ShortageError
from holoflow.launch.supervisor import FragmentSupervisor
from holoflow.plan.plan import Plan, fragment_of

_BASE: Final = 48
"""Descriptors of a process with links: Holoscan, the engine, sockets for watching, and some for
what operators open. Up to 40 were measured."""
_FLOW: Final = 6
"""Further ones for each flow to or from another process. Up to 5 were measured."""
_LAUNCHER: Final = 24
"""Descriptors that the launcher opens itself, besides those it is started with."""
_FRAGMENT: Final = 4
"""Descriptors that it opens for each fragment."""
_ENOUGH: Final = 1024
"""Lowest limit that is advised: the default of most systems."""


def needed(plan: Plan, fragment: str) -> int:
    """Return a safe estimate of how many descriptors the process of `fragment` needs."""
    ends = Counter[str]()
    for flow in plan.flows:
        if flow.link != "none":
            ends.update({fragment_of(plan.app, e.operator) for e in (flow.source, flow.target)})
    return _BASE + _FLOW * ends[fragment]


def provide(plan: Plan, supervisors: list[FragmentSupervisor]) -> None:
    """Ensure that the processes of `supervisors`, and this one, may open as many files as needed.

    A limit that is too low is raised as far as this user may. Raises ShortageError if that is not
    enough.
    """
    wants = {f"fragment {c.name!r}": needed(plan, c.name) for c in supervisors}
    wants["the launcher"] = _open() + _LAUNCHER + _FRAGMENT * len(supervisors)
    who, most = max(wants.items(), key=lambda want: want[1])
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if _allows(soft, most):
        return
    if not _allows(hard, most):
        advised = max(most, _ENOUGH)
        raise ShortageError(
            f"the limit of open files is too low: {who} needs about {most}, a process may have "
            f"{hard}",
            f"allow more with `ulimit -n {advised}` (systemd: LimitNOFILE={advised}, "
            f"container: --ulimit nofile={advised})",
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _allows(limit: int, wanted: int) -> bool:
    return limit == resource.RLIM_INFINITY or limit >= wanted


def _open() -> int:
    """Return how many descriptors this process has open."""
    return len(os.listdir("/proc/self/fd" if sys.platform == "linux" else "/dev/fd"))
