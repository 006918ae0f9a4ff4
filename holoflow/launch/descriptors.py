"""Files that the processes of a run may have open: as many as they need, or it does not begin.

libzmq ends its process by SIGABRT where a peer connects and there is no descriptor left for it,
and a link that cannot be opened is waited for. So it is looked at before anything is started.
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
"""Descriptors of a process with links: Holoscan, the engine, sockets to watch it at, and some for
what operators open. Measured were up to 40."""
_FLOW: Final = 6
"""More of them for each flow to or from another process. Measured were up to 5."""
_LAUNCHER: Final = 24
"""What the launcher opens itself, beside what it is started with."""
_FRAGMENT: Final = 4
"""What it opens for each fragment."""
_ENOUGH: Final = 1024
"""What is advised at least: the default of most systems."""


def needed(plan: Plan, fragment: str) -> int:
    """Return how many descriptors the process of `fragment` has to have, as a sound estimate."""
    ends = Counter[str]()
    for flow in plan.flows:
        if flow.link != "none":
            ends.update({fragment_of(plan.app, e.operator) for e in (flow.source, flow.target)})
    return _BASE + _FLOW * ends[fragment]


def provide(plan: Plan, supervisors: list[FragmentSupervisor]) -> None:
    """See to it that the processes of `supervisors`, and this one, may open as many as they need.

    Where the limit is too low, it is raised as far as this user may. Raises ShortageError where
    that is not enough.
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
            f"too few open files are allowed: {who} needs about {most}, a process may have {hard}; "
            f"allow more with `ulimit -n {advised}` (systemd: LimitNOFILE={advised}, "
            f"of a container: --ulimit nofile={advised})"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _allows(limit: int, wanted: int) -> bool:
    return limit == resource.RLIM_INFINITY or limit >= wanted


def _open() -> int:
    """Return how many descriptors this process has open."""
    return len(os.listdir("/proc/self/fd" if sys.platform == "linux" else "/dev/fd"))
