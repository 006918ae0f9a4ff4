"""The numbers that top shows."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
from support.snapshots import faces, operator

from holoflow.cli.top_view import as_plain, view
from holoflow.live.state import FragmentState, LiveState
from holoflow.stats.difference import difference
from holoflow.stats.snapshot import FragmentStats, Waiting

ALIVE = {"main": FragmentState(4711, True, 0.25)}


def live(snapshot, recent=None, **others):
    state = LiveState("live", snapshot.app, snapshot.run, snapshot, ALIVE, **others)
    shown = view(state, snapshot if recent is None else recent)
    return SimpleNamespace(
        **{
            key: [SimpleNamespace(**each) for each in value]
            if key in ("operators", "paths", "budgets")
            else value
            for key, value in as_plain(shown).items()
        }
    )


def test_nothing_but_the_state_is_known_before_the_first_snapshot():
    shown = view(LiveState("live", "faces", "1", None, ALIVE, problems=("x",)), None)
    assert (shown.state, shown.app, shown.run, shown.age) == ("live", "faces", "1", 0.25)
    assert (shown.operators, shown.bottleneck, shown.problems) == ((), None, ("x",))
    json.dumps(as_plain(shown), allow_nan=False)


def test_operators_with_their_queues_drops_and_reasons_of_waiting():
    shown = live(faces())
    assert [o.name for o in shown.operators] == ["camera", "detect", "overlay", "screen"]
    camera, detect, overlay, screen = shown.operators
    assert [o.rate for o in shown.operators] == [30.0] * 4
    assert shown.rate == 30.0
    assert detect.utilisation == pytest.approx(0.93)
    assert detect.p50 == pytest.approx(0.031, rel=0.05)
    assert detect.p99 > detect.p50
    assert (detect.waiting, detect.queue) == (2, 2)
    assert detect.waits == {
        "partner": 0.0, "turn": pytest.approx(0.06), "room": 0.0, "worker": pytest.approx(1e-4),
    }  # fmt: skip
    assert camera.waits == {"room": pytest.approx(9.1 / 300), "pace": 0.0}
    assert (overlay.dropped, overlay.dropping, overlay.queue) == ({"full": 10}, 1.0, 6)
    assert (screen.dropped, screen.queue) == ({}, 0)


def test_rates_and_percentiles_are_of_the_last_seconds_and_drops_of_the_whole_run():
    before = faces()
    detect = replace(before.operators[1], frames=310, busy=9.4, skipped=3)
    dropped = replace(before.flows[1], dropped={"full": 30}, sent=320)
    now = replace(
        before, seconds=12.0,
        operators=(before.operators[0], detect, *before.operators[2:]),
        flows=(before.flows[0], dropped, *before.flows[2:]),
        fragments=(replace(before.fragments[0], seconds=12.0),),
    )  # fmt: skip
    shown = live(now, difference(now, before))
    assert (shown.seconds, shown.span, shown.rate) == (12.0, 2.0, 0.0)
    camera, seen, overlay, _ = shown.operators
    assert (camera.rate, camera.p50, camera.p99) == (0.0, None, None)
    assert seen.rate == 5.0
    assert seen.utilisation == pytest.approx(0.05)
    assert seen.skipped == 3
    assert (overlay.dropped, overlay.dropping) == ({"full": 30}, 10.0)
    assert shown.paths == []


def test_a_fragment_has_its_own_time():
    machine = faces().fragments[0].machine
    short = FragmentStats("edge", 1, "box", "inline", "inline", 1, 5.0, machine)
    snapshot = replace(
        faces(), operators=(operator("camera", 0.01, fragment="edge"),), fragments=(short,)
    )
    (camera,) = live(snapshot).operators
    assert (camera.rate, camera.utilisation) == (60.0, pytest.approx(0.6))


def test_paths_the_worst_first_against_the_budget_of_their_ends():
    snapshot = faces()
    quick = replace(
        snapshot.paths[1], steps=snapshot.paths[1].steps[1:],
        end_to_end=snapshot.operators[3].working,
    )  # fmt: skip
    shown = live(replace(snapshot, paths=(quick, snapshot.paths[0])))
    worst, other = shown.paths
    assert (worst.worst, other.worst) == (True, False)
    assert worst.name == "camera → detect → overlay → screen"
    assert (worst.limits, worst.over) == ({"p99": 0.05}, ["p99"])
    assert (other.limits, other.over) == ({}, [])
    assert worst.p50 < worst.p99 <= worst.max
    (budget,) = shown.budgets
    assert (budget.name, budget.judged, budget.missed) == ("camera → screen", 20, 18)


def test_a_budget_that_is_kept():
    snapshot = faces()
    generous = replace(snapshot.budgets[0], limits={"p99": 1.0, "max": 2.0})
    shown = live(replace(snapshot, budgets=(generous,)))
    assert [path.over for path in shown.paths] == [[], []]
    assert shown.paths[0].limits == {"p99": 1.0, "max": 2.0}


def test_the_bottleneck_is_that_of_the_last_seconds():
    before = faces()
    assert live(before).bottleneck["where"] == "detect"
    assert live(before, replace(difference(before, before), seconds=1.0)).bottleneck is None
    assert live(before, difference(before, before)).bottleneck is None


def test_every_number_can_be_written_as_json():
    empty = replace(
        faces(0.0), operators=(operator("a", 0.0, frames=0, waiting=Waiting()),), flows=(),
        workers=faces().workers, fragments=(), paths=(), budgets=(),
    )  # fmt: skip
    for snapshot in (faces(), empty):
        state = LiveState("live", snapshot.app, snapshot.run, snapshot, ALIVE)
        shown = json.loads(json.dumps(as_plain(view(state, snapshot)), allow_nan=False))
        assert shown["operators"][0]["name"] == snapshot.operators[0].name
