"""Curves over a run: samples of what changed, fewer and coarser the longer it runs."""

from __future__ import annotations

from collections.abc import Mapping

from holoflow.flow.books import Sample, Snapshot
from holoflow.flow.histogram import Histogram

MOST = 240
"""Samples kept; when there are more, neighbours are joined."""


class History:
    """Samples of a run, never more than `MOST`."""

    def __init__(self) -> None:
        """Nothing has been sampled."""
        self.samples: tuple[Sample, ...] = ()
        self._frames: Mapping[str, int] = {}
        self._dropped: Mapping[str, int] = {}
        self._seconds = 0.0

    def add(self, snapshot: Snapshot, latency: Mapping[str, Histogram]) -> None:
        """Add what has changed since the last call; `latency` has the new times by path."""
        span = snapshot.seconds - self._seconds
        if span <= 0:
            return
        frames = {b.name: b.frames for b in snapshot.operators if b.frames is not None}
        dropped = {books.name: books.lost for books in snapshot.flows}
        sample = Sample(
            seconds=snapshot.seconds,
            span=span,
            frames=_differences(frames, self._frames),
            depth={b.name: float(b.waiting) for b in snapshot.flows if b.queue},
            dropped=_differences(dropped, self._dropped),
            latency=latency,
        )
        self._frames, self._dropped, self._seconds = frames, dropped, snapshot.seconds
        samples = (*self.samples, sample)
        if len(samples) > MOST:
            rest = samples[len(samples) // 2 * 2 :]
            pairs = zip(samples[::2], samples[1::2], strict=False)
            samples = (*(_join(a, b) for a, b in pairs), *rest)
        self.samples = samples


def _differences(now: Mapping[str, int], before: Mapping[str, int]) -> dict[str, int]:
    return {name: count - before.get(name, 0) for name, count in now.items()}


def _sum(a: Mapping[str, int], b: Mapping[str, int]) -> dict[str, int]:
    return {name: a.get(name, 0) + b.get(name, 0) for name in {**a, **b}}


def _join(a: Sample, b: Sample) -> Sample:
    """Return one sample for the time of two."""
    latency = {name: times.copy() for name, times in a.latency.items()}
    for name, times in b.latency.items():
        latency.setdefault(name, Histogram()).merge(times)
    return Sample(
        seconds=b.seconds,
        span=a.span + b.span,
        frames=_sum(a.frames, b.frames),
        depth={n: max(a.depth.get(n, 0.0), b.depth.get(n, 0.0)) for n in {**a.depth, **b.depth}},
        dropped=_sum(a.dropped, b.dropped),
        latency=latency,
    )
