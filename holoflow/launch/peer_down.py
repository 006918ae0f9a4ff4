"""Telling other hosts that a fragment is not coming back, where its process has died silently.

Launchers on other hosts cannot see that. So this one stands in for the fragment at the ends of
its links, says that its streams have ended and that it takes nothing more, and goes.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from holoflow.core.errors import HoloflowError
from holoflow.link.ends import LinkedFlow
from holoflow.link.opening import open_zeromq
from holoflow.plan.hosts import crosses_hosts
from holoflow.plan.plan import Plan, fragment_of
from holoflow.stats.counters import Counters

PATIENCE: Final = 10.0
"""Seconds that other hosts get to hear it."""
GOOD_BYE: Final = 2.0
"""Seconds that they get to confirm it, once they are reached."""
LOOK: Final = 0.02

_log = logging.getLogger("holoflow.launch")


@dataclass(frozen=True)
class Standing:
    """What it takes to stand in for a fragment."""

    folder: Path
    """The run's."""
    run: str
    digest: str
    """What both ends of a link must agree on."""
    hosts: Mapping[str, str]
    """Addresses of hosts, by their names in the app."""


class _Nobody:
    """Producer and consumer of a fragment that is no more."""

    def wake(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""

    def deliver(self, number: int, head: Any, buffers: Sequence[Any]) -> None:
        """Nothing is fetched."""


def take_leave(
    plan: Plan, counters: Counters, fragment: str, standing: Standing
) -> threading.Thread | None:
    """Begin to tell other hosts; returns the thread that does, None where there is nobody to tell.

    The rows of the fragment's flows say already that it sends and takes nothing more.
    """
    sends: list[LinkedFlow] = []
    takes: list[LinkedFlow] = []
    for number, (flow, row) in enumerate(zip(plan.flows, counters.rows, strict=True)):
        source, target = (fragment_of(plan.app, end.operator) for end in (flow.source, flow.target))
        if flow.link == "zeromq" and fragment in (source, target) and crosses_hosts(plan, flow):
            linked = LinkedFlow(number, flow, source, target, row)
            (sends if source == fragment else takes).append(linked)
    if not (sends or takes):
        return None
    given = (plan, fragment, standing, sends, takes)
    thread = threading.Thread(target=_tell, args=given, name=f"farewell of {fragment}", daemon=True)
    thread.start()
    return thread


def _tell(
    plan: Plan,
    fragment: str,
    standing: Standing,
    sends: Sequence[LinkedFlow],
    takes: Sequence[LinkedFlow],
) -> None:
    try:
        link = open_zeromq(
            plan, fragment, standing.folder, standing.run, standing.digest, standing.hosts
        )
    except HoloflowError as error:
        _log.warning("other hosts are not told: %s", error, extra={"fragment": fragment})
        return
    nobody = _Nobody()
    for linked in takes:
        link.inlet(linked, nobody).abandon()
    for linked in sends:
        link.outlet([linked], nobody).close()
    link.accept()
    deadline = time.monotonic() + PATIENCE
    while link.waits_for() and time.monotonic() < deadline:
        time.sleep(LOOK)
    if lacking := link.waits_for():
        _log.warning("not told that it is gone: %s", lacking, extra={"fragment": fragment})
    link.close(GOOD_BYE)
