"""Books, snapshots and results for the tests of the command line."""

from types import SimpleNamespace

import pytest

from holoflow.engine.result import RunResult, Snapshot
from holoflow.flow.books import FlowBooks, OperatorBooks


def operator(name, frames, *, working=0.0, latency=0.0, skipped=0, **dropped):
    return OperatorBooks(name, frames, frames, skipped, working, working, latency, dropped)


def flow(source, target, sent, delivered, *, waiting=0, queue=2, **dropped):
    return FlowBooks(source, target, sent, delivered, dropped, waiting, queue)


def snapshot(seconds, frames, *, announcements=()):
    """A camera of so many frames that feeds a detector, on whose way five are lost."""
    return Snapshot(
        seconds,
        (
            operator("camera", frames, working=0.001 * frames, device=1),
            operator("detect", frames - 5, working=0.02 * (frames - 5), latency=0.045, skipped=2),
        ),
        (flow("camera.image", "detect.image", frames, frames - 5, waiting=1, full=3, late=2),),
        announcements,
    )


def result(outcome="done", *, failure=None, **last):
    return RunResult(outcome, "inline", snapshot(10.0, 1305, **last), failure)


@pytest.fixture
def made():
    return SimpleNamespace(operator=operator, flow=flow, snapshot=snapshot, result=result)
