"""Measuring the frames of one path as they reach its end."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from holoflow.stats.histogram import Histogram
from holoflow.stats.operator_stats import Jitter
from holoflow.stats.snapshot import PathStats, Step

if TYPE_CHECKING:
    from holoflow.stats.spans import PathNode, Span

_PARTS = {"work": "working", "serialise": "serialising", "link": "link"}


class PathMeter:
    """Running totals of one path. Any thread may append to `spans` and call `fold`."""

    def __init__(self, nodes: Sequence[PathNode]) -> None:
        """Measure the path over `nodes`, from its source to its end."""
        self._nodes = list(nodes)
        self.steps = steps = [node.step for node in nodes]
        self.spans: deque[Span] = deque()
        """Last spans of frames that have reached the end and are not folded yet. Appending needs no
        lock, because `append` and `popleft` of a deque are atomic."""
        self.critical = 0
        self._lock = threading.Lock()
        self.recent = Histogram()
        """End-to-end times since the last call of `take_recent`."""
        self._end_to_end = Histogram()
        self._parts = {name: Histogram() for name in ("working", "waiting", "link", "serialising")}
        self._jitter = Jitter()
        self._waits = np.zeros(len(steps))
        self._takes = np.zeros(len(steps))

    def fold(self) -> None:
        """Add the new frames to the totals."""
        with self._lock:
            take = self.spans.popleft
            spans = [take() for _ in range(len(self.spans))]
            if spans:
                self._fold(spans)

    def _fold(self, spans: Sequence[Any]) -> None:
        start = np.empty((len(self.steps), len(spans)), np.int64)
        end = np.empty_like(start)
        # From the last step back to the source.
        for step in reversed(range(len(self.steps))):
            before, _, start[step], end[step], _ = zip(*spans, strict=True)
            spans = before
        waits = np.empty_like(start)
        takes = end - start
        # A source has the frame from its first time on and sends it at the second: it waits.
        waits[0], takes[0] = takes[0], 0
        waits[1:] = start[1:] - end[:-1]
        self.add(waits.T, takes.T, end[-1])

    def add(self, waits: NDArray[np.int64], takes: NDArray[np.int64], ends: Any) -> None:
        """Add n frames.

        Args:
            waits: How long each waited before each step, in ns, of shape (n, steps).
            takes: How long each step took, likewise.
            ends: When each frame reached the end, in ns, of shape (n,).
        """
        working = takes[:, [step.kind == "work" for step in self.steps]].sum(axis=1)
        waiting = waits.sum(axis=1)
        end_to_end = waiting + takes.sum(axis=1)
        self.recent.add(end_to_end / 1e9)
        self._parts["working"].add(working / 1e9)
        self._parts["waiting"].add(waiting / 1e9)
        for kind in ("serialise", "link"):
            mine = [step.kind == kind for step in self.steps]
            self._parts[_PARTS[kind]].add(takes[:, mine].sum(axis=1) / 1e9)
        self._jitter.add(ends)
        self._waits += waits.sum(axis=0) / 1e9
        self._takes += takes.sum(axis=0) / 1e9

    def take_recent(self) -> Histogram:
        """Return the end-to-end times since the last call."""
        with self._lock:
            recent, self.recent = self.recent, Histogram()
            self._end_to_end.merge(recent)
            return recent

    def stats(self) -> PathStats:
        """Return the statistics of all frames folded so far."""
        with self._lock:
            return self._stats()

    def _stats(self) -> PathStats:
        end_to_end = self._end_to_end.copy()
        end_to_end.merge(self.recent)
        count = max(end_to_end.count, 1)
        steps = tuple(
            Step(step.kind, step.operator, step.port, wait / count, take / count, step.by_port)
            for step, wait, take in zip(
                self.steps, self._waits.tolist(), self._takes.tolist(), strict=True
            )
        )
        return PathStats(
            steps=steps,
            critical=self.critical,
            end_to_end=end_to_end,
            **{name: histogram.copy() for name, histogram in self._parts.items()},
            jitter=self._jitter.times.copy(),
            closed_by_back_edge=self.steps[-1].back_edge,
            uncertainty=max(node.uncertainty for node in self._nodes) / 1e9,
        )
