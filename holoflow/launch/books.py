"""The books of a run in several processes, of those that have ended too."""

from __future__ import annotations

import socket
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from holoflow.engine.result import EngineName
from holoflow.flow.books import FragmentBooks, Machine, Sample, Snapshot
from holoflow.flow.counts import with_counts
from holoflow.flow.histogram import Histogram
from holoflow.flow.history import History
from holoflow.flow.ledger import Ledger
from holoflow.flow.live.difference import subtract
from holoflow.flow.machine import cores
from holoflow.flow.merge import merge
from holoflow.flow.records import Records
from holoflow.plan.plan import Plan


class RunBooks:
    """What is known of all fragments, over all their processes."""

    def __init__(self, plan: Plan, run: str, ledger: Ledger) -> None:
        """Nothing is known yet of the `run` of `plan`, which counts in `ledger`."""
        self._plan = plan
        self._run = run
        self._ledger = ledger
        self._past: dict[str, Snapshot] = {}
        """What the processes of a fragment have done that have ended."""
        self._now: dict[str, Snapshot] = {}
        self._seen: dict[str, Snapshot] = {}
        self._fragments: dict[str, FragmentBooks] = {}
        self._ended: dict[str, FragmentBooks] = {}
        """Those of a fragment's processes that have ended, as one."""
        self._announcements: dict[tuple[str, str], None] = {}
        self._history = History()
        self._times: Mapping[str, Histogram] = {}

    @property
    def samples(self) -> tuple[Sample, ...]:
        """Curves over the run."""
        return self._history.samples

    def start(self, fragment: str, pid: int, engine: EngineName) -> None:
        """Note that a fragment's process was started, of which nothing else is known yet."""
        (process,) = [p for p in self._plan.processes if p.fragment == fragment]
        kind = process.scheduler.kind
        inline = engine == "inline"
        books = FragmentBooks(
            name=fragment,
            pid=pid,
            host=socket.gethostname(),
            engine=engine,
            scheduler="inline" if inline else kind,
            workers=1 if inline else process.workers,
            seconds=0.0,
            machine=Machine(cores(), 0.0, 0),
        )
        self._fragments.setdefault(fragment, books)

    def note(self, fragment: str, snapshot: Snapshot, begun: float) -> None:
        """Note the state of a fragment whose sources began `begun` seconds after those of all."""
        if self._seen.get(fragment) is snapshot:
            return
        self._seen[fragment] = snapshot
        for books in snapshot.fragments:
            self._fragments[fragment] = _added(self._ended.get(fragment), books)
        self._announcements.update(dict.fromkeys(snapshot.announcements))
        self._now[fragment] = replace(snapshot, seconds=snapshot.seconds + begun, fragments=())

    def end(self, fragment: str) -> None:
        """Note that the process of a fragment has ended: what it did stays."""
        if (last := self._now.pop(fragment, None)) is not None:
            before = self._past.get(fragment)
            self._past[fragment] = last if before is None else merge([before, last])
            if (books := self._fragments.get(fragment)) is not None:
                self._ended[fragment] = books
                self._fragments[fragment] = replace(books, over=True)

    def look(self, restarts: Mapping[str, int]) -> Snapshot:
        """Return the state of the run; `restarts` says how often fragments were started again."""
        parts = [
            part
            for name in restarts
            for part in (self._past.get(name), self._now.get(name))
            if part is not None
        ]
        merged = merge(parts) if parts else self._nothing()
        snapshot = replace(
            with_counts(merged, self._plan, self._ledger),
            fragments=tuple(
                replace(self._fragments[name], restarts=number)
                for name, number in restarts.items()
                if name in self._fragments
            ),
            announcements=tuple(self._announcements),
        )
        times = {path.name: path.end_to_end for path in snapshot.paths}
        fresh = {
            name: subtract(now, self._times.get(name, Histogram())) for name, now in times.items()
        }
        self._history.add(snapshot, fresh)
        self._times = times
        return snapshot

    def _nothing(self) -> Snapshot:
        return Snapshot(self._plan.app.name, self._run, time.time(), 0.0, (), ())


def _added(before: FragmentBooks | None, now: FragmentBooks) -> FragmentBooks:
    """Return the books of a fragment's processes that have ended, and of its newest, as one."""
    if before is None:
        return now
    machine = replace(now.machine, cpu=before.machine.cpu + now.machine.cpu)
    refused = Counter(before.refused) + Counter(now.refused)
    seconds = before.seconds + now.seconds
    return replace(now, seconds=seconds, machine=machine, refused=dict(refused))


def joined(records: Sequence[Records]) -> Records | None:
    """Return the raw calls of all processes as those of one run."""
    if not records:
        return None
    calls = sorted((c for part in records for c in part.calls), key=lambda call: call.end)
    return replace(records[0], calls=tuple(calls))
