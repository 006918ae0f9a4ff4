"""Snapshots and results for the tests of the command line."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from support import snapshots

from holoflow.engine.control import RunResult
from holoflow.stats.snapshot import Snapshot


def operator(name, frames, *, working=0.0, latency=0.0, skipped=0, **dropped):
    """Return an operator; every call takes the same seconds; no times are taken of 0."""
    measured = {
        key: snapshots.times(seconds, count=frames if seconds else 0, spread=0)
        for key, seconds in (("working", working), ("latency", latency))
    }
    made = snapshots.operator(name, working, frames=frames, skipped=skipped, dropped=dropped)
    return replace(made, **measured)


def flow(source, target, sent, delivered, *, waiting=0, queue=2, **dropped):
    return snapshots.flow(
        source, target, sent=sent, delivered=delivered, waiting=waiting, queue=queue,
        dropped=dropped,
    )  # fmt: skip


def snapshot(seconds, frames, *, announcements=()):
    """A camera of so many frames that feeds a detector, on whose way five are lost."""
    return Snapshot(
        app="faces", run="a1b2c3", time=1.79e9, seconds=seconds,
        operators=(
            replace(operator("camera", frames, working=0.001, device=1), source=True),
            operator("detect", frames - 5, working=0.02, latency=0.045, skipped=2),
        ),
        flows=(
            flow("camera.image", "detect.image", frames, frames - 5, waiting=1, full=3, late=2),
        ),
        announcements=announcements,
    )  # fmt: skip


def result(outcome="done", *, failure=None, **last):
    return RunResult(outcome, "inline", snapshot(10.0, 1305, **last), failure)


@pytest.fixture
def made():
    return SimpleNamespace(operator=operator, flow=flow, snapshot=snapshot, result=result)
