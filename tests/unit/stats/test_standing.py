"""What is said of a run in which nothing moves."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.snapshots import faces, times

from holoflow.report.diagnosis.decision import explain
from holoflow.report.measures import utilisation
from holoflow.stats.snapshot import FlowStats, Snapshot
from holoflow.stats.standing import frames_wait, standing, trouble, waits

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
    assert (found.cause, found.evidence) == ("stall", SAID)


@pytest.mark.parametrize(
    "moves", [snapshot(40.0, 0.5), snapshot(9.0)], ids=["elsewhere", "a little ago"]
)
def test_something_moves(moves: Snapshot) -> None:
    assert standing(moves) == trouble(moves) == ""


def test_nothing_keeps_up_while_a_queue_is_full_and_nothing_moves() -> None:
    found = explain(snapshot(2.5)).bottleneck
    said = "nothing has moved for 2.5 s; 4 of 4 frames wait for pair.image"
    assert (found.cause, found.evidence) == ("stall", said)
    for moves in (snapshot(40.0, 0.5), snapshot(1.5), snapshot(9.0, flow=replace(FLOW, waiting=3))):
        assert explain(moves).bottleneck.cause != "stall"


def test_a_call_that_lasts_is_told_before_it_is_a_fault_and_counts_as_work() -> None:
    made = replace(faces(60.0), flows=())
    call = {"call": "overlay", "call_frame": "frame 60 of camera", "call_usual": 0.01}
    lasts = snapshot(0.0, call_for=3.0, **call)
    found = explain(lasts).bottleneck
    said = "overlay has been at work on frame 60 of camera for 3 s"
    assert (found.cause, found.where, found.evidence) == ("stall", "overlay", said)
    assert waits(lasts) == said
    assert trouble(lasts) == ""
    before, now = (utilisation(s, s.operator("overlay")) for s in (made, lasts))
    assert now == pytest.approx(before + 3.0 / 60.0)
    for usual in (
        snapshot(0.0, **call, call_for=1.9),
        snapshot(0.0, **call | {"call_usual": 1.1}, call_for=3.0),
    ):
        assert explain(usual).bottleneck.cause != "stall"
        assert waits(usual) == ""


def test_a_source_may_wait_for_its_device() -> None:
    waits_for = snapshot(0.0, call="camera", call_for=9.0)
    assert explain(waits_for).bottleneck.cause != "stall"


def test_a_process_that_does_not_report_is_told() -> None:
    found = explain(snapshot(0.0, silent=4.0)).bottleneck
    said = "f0 (process 4711 on box) has not reported for 4 s"
    assert (found.cause, found.where, found.evidence) == ("stall", "f0", said)
    assert waits(snapshot(0.0, silent=4.0)) == said
    assert explain(snapshot(0.0, silent=4.0, over=True)).bottleneck.cause != "stall"


def test_a_long_call_counts_as_the_time_it_took_and_not_as_an_average() -> None:
    made = faces(60.0)
    usual = made.operator("overlay")
    took = replace(usual, working=times(*[0.003] * 299, 20.0), busy=299 * 0.003 + 20.0)
    others = tuple(took if b is usual else b for b in made.operators)
    found = explain(replace(made, operators=others, budgets=())).bottleneck
    assert (found.cause, found.where) == ("stall", "overlay")
    assert found.evidence == ("one call of overlay took 20 s; half of its calls took 3 ms or less")


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
