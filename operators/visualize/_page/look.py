"""Two looks at a run, and what has changed between them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from holoflow.operators.visualize._page.times import NONE, Times
from holoflow.stats.snapshot import Snapshot

Kind: TypeAlias = Literal["operators", "flows", "paths", "workers", "fragments"]


class Look:
    """A snapshot, its books by name, and the bins of those histograms that were asked for."""

    def __init__(self, snapshot: Snapshot) -> None:
        """Look at `snapshot`."""
        self.snapshot = snapshot
        self.seconds = snapshot.seconds
        self._stats: dict[Kind, Mapping[Any, Any]] = {
            "operators": {stats.name: stats for stats in snapshot.operators},
            "flows": {stats.name: stats for stats in snapshot.flows},
            "paths": {stats.name: stats for stats in snapshot.paths},
            "workers": {(stats.fragment, stats.name): stats for stats in snapshot.workers},
            "fragments": {(b.name, b.host, b.pid): b for b in snapshot.fragments},
        }
        self._times: dict[tuple[Kind, Any, str], Times] = {}

    def find(self, kind: Kind, name: Any) -> Any:
        """Return the books of that name; None if there are none."""
        return self._stats[kind].get(name)

    def times(self, kind: Kind, name: Any, field: str) -> Times:
        """Return the histogram `field` of the books of that name; empty if there are none."""
        key = (kind, name, field)
        if key not in self._times:
            stats = self.find(kind, name)
            if stats is None:
                return NONE
            self._times[key] = Times.of(getattr(stats, field))
        return self._times[key]


class Change:
    """What happened from one look (or the beginning of the run) to a later one.

    Whatever counts from the beginning again, because its process was started again, is taken as
    a whole.
    """

    def __init__(self, before: Look | None, now: Look) -> None:
        """Compare two looks at one run."""
        self.before = before
        self.now = now
        self.seconds = now.seconds - (before.seconds if before else 0.0)

    def times(self, kind: Kind, name: Any, field: str) -> Times:
        """Return what was added to the histogram `field`."""
        now = self.now.times(kind, name, field)
        return now.since(self.before.times(kind, name, field)) if self.before else now

    def number(self, kind: Kind, name: Any, *fields: str) -> float:
        """Return by how much `fields`, one within the other, has grown."""
        now = _number(self.now.find(kind, name), fields)
        before = _number(self.before.find(kind, name), fields) if self.before else 0.0
        return now - before if now >= before else now

    def share(self, kind: Kind, name: Any, *fields: str) -> float:
        """Return the same as a share of the time."""
        return self.number(kind, name, *fields) / self.seconds if self.seconds > 0 else 0.0

    def dropped(self, kind: Literal["operators", "flows"], name: str) -> dict[str, int]:
        """Return how many messages were dropped, by cause; none are left out."""
        now = self.now.find(kind, name)
        before = self.before.find(kind, name) if self.before else None
        past = before.dropped if before is not None else {}
        grown = {cause: n - past.get(cause, 0) for cause, n in now.dropped.items()}
        return {c: n if n >= 0 else now.dropped[c] for c, n in grown.items() if n}


def _number(stats: Any, fields: tuple[str, ...]) -> float:
    for field in fields:
        if stats is None:
            return 0.0
        stats = getattr(stats, field)
    return float(stats or 0.0)
