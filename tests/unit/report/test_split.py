from itertools import pairwise

import pytest
from hypothesis import given, settings
from support import random_snapshots
from support.snapshots import faces, flow, operator, path

from holoflow.report.measures import split, totals
from holoflow.stats.snapshot import Snapshot, Step, Waiting


def snapshot(*operators, flows=()):
    return Snapshot("app", "a1b2", 0.0, 10.0, tuple(operators), tuple(flows))


def test_parts_follow_one_another_from_the_source_to_the_sink():
    parts = split(faces().paths[0], faces())
    assert [part.operator for part in parts] == ["camera", "detect", "overlay", "screen"]
    for before, after in pairwise(parts):
        assert after.begin == pytest.approx(before.begin + before.total)


def test_waiting_is_split_by_the_reasons_of_the_operator():
    waiting = Waiting(turn=6.0, room=3.0, worker=1.0)
    detect = operator("detect", 0.03, waiting=waiting)
    way = path(Step("work", "camera", ""), Step("work", "detect", "image", 0.02, 0.03))
    (part,) = split(way, snapshot(operator("camera", 0.0), detect))[1:]
    assert part.seconds == pytest.approx(
        {"working": 0.03, "turn": 0.012, "room": 0.006, "worker": 0.002}
    )


def test_the_partner_of_a_join_waits_for_it_as_long_as_its_leader_waits_less():
    parts = split(faces().paths[1], faces())
    assert parts[1].seconds == pytest.approx({"working": 0.003, "partner": 0.091, "worker": 1e-4})


def test_the_leader_of_a_join_has_the_reasons_that_were_measured():
    join = operator("join", 0.001, waiting=Waiting(partner=3.0, turn=1.5, worker=0.3))
    flows = (flow("a.out", "join.x"), flow("b.out", "join.y"))
    way = path(Step("work", "a", ""), Step("work", "join", "x", 4.8 / 300, 0.001))
    part = split(way, snapshot(operator("a", 0.0), join, flows=flows))[1]
    assert part.seconds == pytest.approx(
        {"working": 0.001, "partner": 0.01, "turn": 0.005, "worker": 0.001}
    )


def test_what_lies_between_processes_belongs_to_the_operator_that_receives():
    way = path(
        Step("work", "camera", "", 0.001),
        Step("serialise", "detect", "image", 0.0, 0.002),
        Step("link", "detect", "image", 0.003, 0.004),
        Step("work", "detect", "image", 0.0, 0.005),
    )
    stats = (operator("camera", 0.0, held=1.0, waiting=Waiting()), operator("detect", 0.005))
    camera, detect = split(way, snapshot(*stats))
    assert camera.seconds == {"room": 0.001}
    assert detect.seconds == pytest.approx(
        {"working": 0.005, "other": 0.003, "link": 0.004, "serialising": 0.002}
    )


@settings(max_examples=60)
@given(random_snapshots.snapshots)
def test_no_time_is_lost_or_counted_twice(made):
    for way in made.paths:
        works = [number for number, step in enumerate(way.steps) if step.kind == "work"]
        counted = way.steps[: works[-1] + 1] if works else ()
        whole = sum(step.waiting + step.taking for step in counted)
        parts = split(way, made)
        assert sum(part.total for part in parts) == pytest.approx(whole)
        assert sum(totals(parts).values()) == pytest.approx(whole)
        assert all(seconds > 0 for part in parts for seconds in part.seconds.values())
