"""Statistics of a path, and measuring its frames as they reach its end."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from holoflow.stats.histogram import Histogram
from holoflow.stats.operator_stats import Jitter
from holoflow.stats.statistic import Times, counter, gauge, histogram

if TYPE_CHECKING:
    from holoflow.stats.spans import PathNode, Span

StepKind: TypeAlias = Literal["work", "serialise", "link"]


@dataclass(frozen=True)
class Step:
    """One step of a path, and its part of the end-to-end time."""

    kind: StepKind
    """`work`: a call of an operator. `serialise`, `link`: crossing from process to process."""
    operator: str
    """The operator; for a serialise or link step, the receiving one."""
    port: str
    """Its input port; empty for a source."""
    waiting: float = 0.0
    """Mean seconds of waiting before the step."""
    taking: float = 0.0
    """Mean seconds that the step itself took."""
    by_port: bool = False
    """Whether the port is part of the path's name because several flows join these operators."""


@dataclass(frozen=True)
class PathStats:
    """Statistics of all frames that took one path from a source to a sink.

    For each frame: end to end = working + waiting + link + serialising. Time begins with the
    capture and ends with the last operator's call. A frame is captured when its source has it; a
    frame with a due time (`wait`) is captured at that time, however late it was requested.
    """

    steps: tuple[Step, ...]
    """From source to sink."""
    critical: int = field(
        metadata=counter(
            "frames",
            "Frames whose latency this path determined.",
            lasting=True,
            metric="path_critical_frames",
        )
    )
    """Those for which this path was the last to arrive at every join."""
    end_to_end: Times = field(
        metadata=histogram(
            "From the source to the end of the sink's call.",
            lasting=True,
            metric="path_latency",
            column="end to end",
            shown=("mean", "p50", "p90", "p95", "p99", "p99.9", "max", "std"),
            compared="end to end",
        )
    )
    working: Times = field(metadata=histogram("Time for which operators worked on a frame."))
    waiting: Times = field(metadata=histogram("Time for which a frame waited for calls."))
    link: Times = field(metadata=histogram("Time that a frame spent on links."))
    serialising: Times = field(metadata=histogram("Time of packing and unpacking a frame."))
    jitter: Times = field(
        metadata=histogram(
            "Differences of successive intervals between ends.", column="jitter", shown=("mean",)
        )
    )
    """Absolute values."""
    closed_by_back_edge: bool = False
    """Whether it ends where a back edge leads a frame to an operator that it has passed before."""
    uncertainty: float = field(
        default=0.0,
        metadata=gauge(
            "seconds", "Possible error of the offset between the hosts' clocks.", merge="max"
        ),
    )
    """0 on one host."""

    @property
    def name(self) -> str:
        """`camera → detect → screen`."""
        return " → ".join(
            f"{step.operator}.{step.port}" if step.by_port else step.operator
            for step in self.steps
            if step.kind == "work"
        )

    @property
    def frames(self) -> int:
        """Number of frames."""
        return self.end_to_end.count


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
