"""The statistics of a run in several processes, and the detection that it is stalled."""

from __future__ import annotations

import socket
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from holoflow.engine.control import EngineName
from holoflow.plan.plan import Plan
from holoflow.stats.counters import Counters
from holoflow.stats.difference import with_counts
from holoflow.stats.histogram import Histogram
from holoflow.stats.machine import History, cores
from holoflow.stats.merge import merge
from holoflow.stats.records import Records
from holoflow.stats.snapshot import FragmentStats, MachineStats, Sample, Snapshot


class RunStatistics:
    """The statistics of all fragments, over all their processes."""

    def __init__(self, plan: Plan, run: str, counters: Counters) -> None:
        """Begin the statistics of the `run` of `plan`, which counts in `counters`."""
        self._plan = plan
        self._run = run
        self._counters = counters
        self._past: dict[str, Snapshot] = {}
        """By fragment: the merged statistics of its processes that have ended."""
        self._now: dict[str, Snapshot] = {}
        self._seen: dict[str, Snapshot] = {}
        self._fragments: dict[str, FragmentStats] = {}
        self._ended: dict[str, FragmentStats] = {}
        """By fragment: those of its processes that have ended, as one."""
        self._announcements: dict[tuple[str, str], None] = {}
        self._history = History()
        self._times: Mapping[str, Histogram] = {}

    @property
    def samples(self) -> tuple[Sample, ...]:
        """Curves over the run."""
        return self._history.samples

    def start(self, fragment: str, pid: int, engine: EngineName) -> None:
        """Note that the process of `fragment` was started."""
        (process,) = [p for p in self._plan.processes if p.fragment == fragment]
        kind = process.scheduler.kind
        stats = FragmentStats(
            name=fragment,
            pid=pid,
            host=socket.gethostname(),
            engine=engine,
            scheduler=kind if engine == "holoscan" else engine,
            workers=1 if engine == "inline" else process.workers,
            seconds=0.0,
            machine=MachineStats(cores(), 0.0, 0),
        )
        self._fragments.setdefault(fragment, stats)

    def note(self, fragment: str, snapshot: Snapshot, begun: float) -> None:
        """Note the state of a fragment whose sources began `begun` seconds after the run's."""
        if self._seen.get(fragment) is snapshot:
            return
        self._seen[fragment] = snapshot
        for stats in snapshot.fragments:
            self._fragments[fragment] = _added(self._ended.get(fragment), stats)
        self._announcements.update(dict.fromkeys(snapshot.announcements))
        self._now[fragment] = replace(snapshot, seconds=snapshot.seconds + begun, fragments=())

    def end(self, fragment: str) -> None:
        """Note that the process of a fragment has ended; its statistics are kept."""
        if (last := self._now.pop(fragment, None)) is not None:
            before = self._past.get(fragment)
            self._past[fragment] = last if before is None else merge([before, last])
            if (stats := self._fragments.get(fragment)) is not None:
                self._ended[fragment] = stats
                self._fragments[fragment] = replace(stats, over=True)

    def poll(self, restarts: Mapping[str, int], silent: Mapping[str, float]) -> Snapshot:
        """Return the state of the run.

        Args:
            restarts: Number of restarts by fragment.
            silent: For how many seconds the process of a fragment has not reported.
        """
        parts = [
            part
            for name in restarts
            for part in (self._past.get(name), self._now.get(name))
            if part is not None
        ]
        merged = merge(parts) if parts else self._nothing()
        snapshot = replace(
            with_counts(merged, self._plan, self._counters),
            fragments=tuple(
                replace(self._fragments[name], restarts=number, silent=silent.get(name, 0.0))
                for name, number in restarts.items()
                if name in self._fragments
            ),
            announcements=tuple(self._announcements),
        )
        times = {path.name: path.end_to_end for path in snapshot.paths}
        fresh = {
            name: now.without(self._times.get(name, Histogram())) for name, now in times.items()
        }
        self._history.add(snapshot, fresh)
        self._times = times
        return snapshot

    def _nothing(self) -> Snapshot:
        return Snapshot(self._plan.app.name, self._run, time.time(), 0.0, (), ())


def _added(before: FragmentStats | None, now: FragmentStats) -> FragmentStats:
    """Return the statistics of a fragment's ended processes and of its newest, as one."""
    if before is None:
        return now
    machine = replace(now.machine, cpu=before.machine.cpu + now.machine.cpu)
    refused = Counter(before.refused) + Counter(now.refused)
    seconds = before.seconds + now.seconds
    return replace(now, seconds=seconds, machine=machine, refused=dict(refused))


def merge_records(records: Sequence[Records]) -> Records | None:
    """Return the recorded calls of all processes as those of one run."""
    if not records:
        return None
    calls = sorted((c for part in records for c in part.calls), key=lambda call: call.end)
    return replace(records[0], calls=tuple(calls))


LOOKS = 4
"""How often in a row every process must report that it waits; they report every half second."""


class RunStallDetector:
    """Detects that no process of a run can continue."""

    def __init__(self) -> None:
        """Begin without any reports."""
        self._moved: Any = None
        self._reports: list[FragmentStats | None] = []
        self._times = 0

    def poll(self, reports: Sequence[FragmentStats | None], moved: Any) -> Mapping[str, str]:
        """Return what each stage waits for, if no stage of the run can ever continue; else nothing.

        `reports` has the newest of each process, None for a missing one: each must
        have reported again since the last poll that counts, so that a process which is stopped, or
        whose machine is suspended, is not mistaken for one that waits. `moved` differs from that of
        the last poll if a message has moved meanwhile.
        """
        still = bool(reports) and all(stats is not None and stats.waits for stats in reports)
        if not still or moved != self._moved or len(reports) != len(self._reports):
            self._times, self._moved, self._reports = 0, moved, list(reports)
            return {}
        if all(now is not before for now, before in zip(reports, self._reports, strict=True)):
            self._times, self._reports = self._times + 1, list(reports)
        if self._times < LOOKS:
            return {}
        return {
            stage: what
            for stats in reports
            if stats is not None
            for stage, what in stats.waits.items()
        }
