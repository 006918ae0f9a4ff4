"""What is said of a run in which nothing moves."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.snapshots import faces

from holoflow.report.diagnosis.decision import explain
from holoflow.stats.snapshot import FlowStats, Snapshot
from holoflow.stats.standing import frames_wait, standing, trouble

FLOW = FlowStats("camera.out", "pair.image", 9, 5, {}, waiting=4, queue=4)
WAITS = {"pair": "'boxes' from detect.boxes of fragment gpu on host box (5 sent)"}
SAID = (
    "nothing has moved for 40 s: pair waits for 'boxes' from detect.boxes of fragment gpu on "
    "host box (5 sent); frames wait for pair.image (4)"
)


def snapshot(*still: float, flow: FlowStats = FLOW, **changes: object) -> Snapshot:
    """Return that of a run with a process for each of `still`, all of which wait."""
    made = faces(60.0)
    (stats,) = made.fragments
    fragments = tuple(
        replace(stats, name=f"f{number}", still=seconds, held=True, **changes)
        for number, seconds in enumerate(still)
    )
    first = replace(fragments[0], awaits=WAITS)
    return replace(made, flows=(flow,), fragments=(first, *fragments[1:]))


def test_who_waits_for_what_and_where_frames_are() -> None:
    stands = snapshot(40.0, 55.0)
    assert standing(stands) == trouble(stands) == SAID
    found = explain(stands).bottleneck
    assert (found.cause, found.evidence) == ("standstill", SAID)


@pytest.mark.parametrize(
    "moves", [snapshot(40.0, 0.5), snapshot(9.0)], ids=["elsewhere", "a little ago"]
)
def test_something_moves(moves: Snapshot) -> None:
    assert standing(moves) == trouble(moves) == ""
    assert explain(moves).bottleneck.cause != "standstill"


@pytest.mark.parametrize(
    "idle",
    [
        snapshot(40.0, flow=replace(FLOW, waiting=0)),
        snapshot(40.0, flow=replace(FLOW, latest=True)),
        replace(
            snapshot(40.0),
            fragments=tuple(replace(b, held=False) for b in snapshot(40.0).fragments),
        ),
    ],
    ids=["no frame is under way", "only the newest value is kept", "a source may have nothing"],
)
def test_nothing_is_amiss(idle: Snapshot) -> None:
    assert "nothing has moved for 40 s" in standing(idle)
    assert trouble(idle) == ""


def test_what_has_ended_does_not_count() -> None:
    both = snapshot(40.0, 0.5)
    ended = tuple(replace(b, over=not b.awaits) for b in both.fragments)
    assert trouble(replace(both, fragments=ended)) == SAID
    assert frames_wait(both)


def test_a_call_that_goes_on_is_named() -> None:
    calling = snapshot(40.0, call="detect", call_frame="frame 7 of camera", call_for=39.0)
    assert "detect has been at work on frame 7 of camera for 39 s" in standing(calling)


def test_a_run_that_was_ended_for_it_says_so_in_its_report() -> None:
    ended = replace(snapshot(0.0), stood=SAID)
    assert explain(ended).bottleneck.evidence == SAID
