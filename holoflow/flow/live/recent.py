"""The last seconds of a run that is being watched."""

from __future__ import annotations

from collections import deque

from holoflow.flow.books import Snapshot
from holoflow.flow.live.difference import difference

WINDOW = 5.0
"""Seconds over which rates and percentiles are taken."""


class Recent:
    """Turns the snapshots of a run into books of its last `WINDOW` seconds."""

    def __init__(self) -> None:
        """Nothing has been seen yet."""
        self._seen: deque[Snapshot] = deque()

    def add(self, snapshot: Snapshot) -> Snapshot:
        """Return the books of the time up to `snapshot`: of the whole run for its first one."""
        if self._seen and not _goes_on(self._seen[-1], snapshot):
            self._seen.clear()
        if not self._seen or self._seen[-1] is not snapshot:
            self._seen.append(snapshot)
        # At least two are kept, however far apart, as there is nothing to tell from one.
        while len(self._seen) > 2 and snapshot.seconds - self._seen[1].seconds >= WINDOW:
            self._seen.popleft()
        first = self._seen[0]
        return snapshot if first is snapshot else difference(snapshot, first)


def _goes_on(before: Snapshot, now: Snapshot) -> bool:
    return (before.app, before.run) == (now.app, now.run) and before.seconds <= now.seconds
