"""Curves over a run."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.snapshots import faces, times

from holoflow.stats.machine import MOST_SAMPLES, History


def test_a_sample_is_what_changed() -> None:
    history = History()
    first = faces(1.0)
    history.add(first, {"p": times(0.01)})
    more = tuple(replace(b, frames=b.frames + 7) for b in first.operators)
    history.add(replace(first, seconds=1.5, operators=more), {})
    a, b = history.samples
    assert (a.span, b.span, b.seconds) == (1.0, 0.5, 1.5)
    assert a.frames["detect"] == 300
    assert b.frames["detect"] == 7
    assert a.depth["camera.out -> detect.image"] == 2
    assert a.dropped["camera.out -> overlay.image"] == 10
    assert b.dropped["camera.out -> overlay.image"] == 0


@pytest.mark.slow
def test_it_never_grows_beyond_its_limit_and_loses_nothing() -> None:
    history = History()
    count = 5 * MOST_SAMPLES + 3
    for index in range(count):
        stats = tuple(replace(b, frames=index + 1) for b in faces().operators[:1])
        snapshot = replace(faces(), seconds=float(index + 1), operators=stats)
        history.add(snapshot, {"p": times(0.01, count=1)})
        assert len(history.samples) <= MOST_SAMPLES
    samples = history.samples
    assert sum(sample.frames["camera"] for sample in samples) == count
    assert sum(sample.latency["p"].count for sample in samples) == count
    assert sum(sample.span for sample in samples) == pytest.approx(count)
    seconds = [sample.seconds for sample in samples]
    assert seconds == sorted(seconds)
    assert seconds[-1] == count


def test_time_that_stands_still_is_no_sample() -> None:
    history = History()
    history.add(faces(1.0), {})
    history.add(faces(1.0), {})
    assert len(history.samples) == 1
