"""Peer-down notices: telling other hosts that a fragment whose process has died will not return.

Launchers on other hosts cannot see that. So this one takes the place of the fragment at the ends of
its links, announces that its streams have ended and that it takes nothing more, and disconnects.
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
"""Seconds for which other hosts are contacted."""
CONFIRMATION: Final = 2.0
"""Seconds that they have to confirm the notice once they are reached."""
POLL: Final = 0.02

_log = logging.getLogger("holoflow.launch")


@dataclass(frozen=True)
class PeerIdentity:
    """What is needed to act as a fragment at the ends of its links."""

    folder: Path
    """Folder of the run."""
    run: str
    digest: str
    """Digest of the plan, which both ends of a link must share."""
    hosts: Mapping[str, str]
    """Addresses of hosts, by their names in the app."""


class _Absent:
    """Producer and consumer of a fragment that is gone."""

    def wake(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""

    def deliver(self, number: int, head: Any, buffers: Sequence[Any]) -> None:
        """Do nothing: no message is accepted."""


def announce_peer_down(
    plan: Plan, counters: Counters, fragment: str, identity: PeerIdentity
) -> threading.Thread | None:
    """Announce in a thread that `fragment` will not return.

    The counter blocks of its flows already say that it sends and takes nothing more.

    Returns:
        The thread; None if no flow of the fragment leads to another host.
    """
    sends: list[LinkedFlow] = []
    takes: list[LinkedFlow] = []
    for number, (flow, block) in enumerate(zip(plan.flows, counters.blocks, strict=True)):
        source, target = (fragment_of(plan.app, end.operator) for end in (flow.source, flow.target))
        if flow.link == "zeromq" and fragment in (source, target) and crosses_hosts(plan, flow):
            linked = LinkedFlow(number, flow, source, target, block)
            (sends if source == fragment else takes).append(linked)
    if not (sends or takes):
        return None
    given = (plan, fragment, identity, sends, takes)
    thread = threading.Thread(
        target=_announce, args=given, name=f"peer down {fragment}", daemon=True
    )
    thread.start()
    return thread


def _announce(
    plan: Plan,
    fragment: str,
    identity: PeerIdentity,
    sends: Sequence[LinkedFlow],
    takes: Sequence[LinkedFlow],
) -> None:
    try:
        link = open_zeromq(
            plan, fragment, identity.folder, identity.run, identity.digest, identity.hosts
        )
    except HoloflowError as error:
        _log.warning("other hosts are not notified: %s", error, extra={"fragment": fragment})
        return
    absent = _Absent()
    for linked in takes:
        link.inlet(linked, absent).abandon()
    for linked in sends:
        link.outlet([linked], absent).close()
    link.accept()
    deadline = time.monotonic() + PATIENCE
    while link.waits_for() and time.monotonic() < deadline:
        time.sleep(POLL)
    if missing := link.waits_for():
        _log.warning("not notified that it is gone: %s", missing, extra={"fragment": fragment})
    link.close(CONFIRMATION)
