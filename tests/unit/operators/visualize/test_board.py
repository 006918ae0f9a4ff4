"""The dashboard's messages: what they say of a run, and what has changed since the last."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holoflow.operators.visualize._page.board import FAR, PATHS, Board
from holoflow.operators.visualize._page.look import FLOOR, NONE, ROWS, TimeSummary
from holoflow.stats.histogram import Histogram
from holoflow.stats.snapshot import Step
from tests.support.snapshots import faces, history, path, times

CAMERA, DETECT, OVERLAY, SCREEN = range(4)


def later(snapshot, seconds=0.5, **changes):
    return replace(snapshot, seconds=snapshot.seconds + seconds, **changes)


def busier(snapshot, number, frames, working):
    """Return `snapshot` after another second in which an operator had so many frames."""
    stats = snapshot.operators[number]
    grown = stats.working.copy()
    grown.add(np.full(frames, working))
    changed = replace(
        stats, frames=stats.frames + frames, busy=stats.busy + frames * working, working=grown
    )
    operators = (*snapshot.operators[:number], changed, *snapshot.operators[number + 1 :])
    return later(snapshot, 1.0, operators=operators)


def hello(update):
    return json.loads(update.hello)


def now(update):
    return json.loads(update.text)


# ---- times ----


@given(
    st.lists(st.floats(1e-7, 100), min_size=1, max_size=60),
    st.lists(st.floats(1e-7, 100), max_size=60),
)
def test_what_came_after_is_what_was_added(first, second):
    before, after = Histogram(), Histogram()
    before.add(np.array(first))
    after.add(np.array(first + second))
    found = TimeSummary.of(after).since(TimeSummary.of(before))
    alone = Histogram()
    alone.add(np.array(second))
    assert found.count == len(second)
    for share, quantile in zip((0.5, 0.99), found.quantiles((0.5, 0.99)), strict=True):
        if second:
            assert quantile == pytest.approx(alone.quantile(share), rel=0.021)
        else:
            assert quantile is None
    if second:
        assert found.max == pytest.approx(max(second), rel=0.021)


def test_a_count_that_has_begun_anew_is_taken_as_a_whole():
    many, few = TimeSummary.of(times(0.1, count=50)), TimeSummary.of(times(0.2, count=5))
    assert few.since(many) is few
    assert few.since(few) is NONE


@given(st.lists(st.floats(1e-9, 1e4), min_size=1, max_size=60))
def test_cells_hold_all_and_lie_where_the_values_are(values):
    histogram = Histogram()
    histogram.add(np.array(values))
    cells = TimeSummary.of(histogram).cells()
    assert sum(n for _, n in cells) == len(values)
    assert [row for row, _ in cells] == sorted(row for row, _ in cells)
    assert cells[0][0] >= 0
    top = FLOOR * 2 ** ((cells[-1][0] + 1) / ROWS)
    assert top >= max(values) * 0.97


# ---- updates ----


def test_the_first_message_tells_everything():
    snapshot = faces()
    said = hello(Board(lambda: history(snapshot)).update(snapshot))
    assert [one["name"] for one in said["graph"]["operators"]] == [
        "camera", "detect", "overlay", "screen",
    ]  # fmt: skip
    assert said["paths"][0]["name"] == "camera → detect → overlay → screen"
    assert said["paths"][0]["operators"] == [CAMERA, DETECT, OVERLAY, SCREEN]
    assert [said["graph"]["flows"][n]["name"] for n in said["paths"][1]["flows"]] == [
        "camera.out -> overlay.image", "overlay.out -> screen.image",
    ]  # fmt: skip
    assert said["paths"][0]["limits"] == [{"name": "p99", "seconds": 0.05}]
    assert len(said["history"]) == 20
    assert sum(n for _, n in said["history"][0]["cells"][0]) == 15
    assert said["history"][0]["drops"] == {}
    assert said["now"]["verdict"]["where"] == "detect"
    assert said["now"]["flows"][1]["dropped"] == {"full": 10}
    assert said["now"]["budgets"][0]["over"] is True


def test_an_update_tells_of_the_last_seconds():
    board, snapshot = Board(tuple), faces()
    first = board.update(snapshot)
    assert now(first)["operators"][DETECT]["rate"] == pytest.approx(30)
    snapshot = busier(snapshot, DETECT, 10, 0.09)
    second = board.update(snapshot)
    assert second.generation == first.generation
    detect = now(second)["operators"][DETECT]
    assert detect["rate"] == pytest.approx(10)
    assert detect["busy"] == pytest.approx(0.9, rel=0.01)
    assert detect["p50"] == pytest.approx(0.09, rel=0.02)
    assert now(second)["operators"][CAMERA]["rate"] == 0
    assert now(second)["operators"][CAMERA]["p50"] is None


def test_what_is_long_ago_is_forgotten():
    board, snapshot = Board(tuple), faces()
    for _ in range(30):
        snapshot = busier(snapshot, DETECT, 10, 0.09)
        board.update(snapshot)
    for _ in range(7):
        snapshot = busier(snapshot, DETECT, 20, 0.01)
        update = board.update(snapshot)
    assert now(update)["operators"][DETECT]["p99"] == pytest.approx(0.01, rel=0.02)
    assert len(board._looks) <= FAR + 2


def test_a_path_is_told_of_lately_over_the_run_and_since_the_last_update():
    board, snapshot = Board(tuple), faces()
    board.update(snapshot)
    slow, other = snapshot.paths
    grown = slow.end_to_end.copy()
    grown.add(np.full(4, 2.0))
    snapshot = later(snapshot, paths=(replace(slow, end_to_end=grown), other))
    said = now(board.update(snapshot))["paths"]
    assert said[0]["recent"] == [pytest.approx(2, rel=0.02)] * 3
    assert said[0]["run"][0] == pytest.approx(slow.end_to_end.quantile(0.5), rel=0.03)
    assert said[0]["cells"] == [[round(ROWS * np.log2(2.0 / FLOOR) - 0.5), 4]]
    assert said[1]["recent"] == [None] * 3
    assert said[1]["cells"] == []


def test_drops_rise_by_cause_and_what_a_newer_one_replaces_is_no_alarm():
    board, snapshot = Board(tuple), faces()
    board.update(snapshot)
    flows = list(snapshot.flows)
    flows[1] = replace(flows[1], dropped={"full": 12, "late": 3})
    flows[2] = replace(flows[2], dropped={"replaced": 7})
    said = now(board.update(later(snapshot, flows=tuple(flows))))
    assert said["drops"] == {"full": 2, "late": 3, "replaced": 7}
    assert [one["rising"] for one in said["flows"]] == [0, 5, 0, 0]
    said = now(board.update(later(snapshot, 1.0, flows=tuple(flows))))
    assert said["drops"] == {}


def without_budget(snapshot):
    return replace(snapshot, budgets=())


def test_the_worst_path_misses_its_budget_or_is_the_slowest():
    snapshot = faces()
    paths = (
        path(Step("work", "camera", ""), Step("work", "screen", "image", 0.5, 0.5)),
        path(Step("work", "camera", ""), Step("work", "detect", "image", 0.1, 0.1)),
    )
    budget = replace(snapshot.budgets[0], target="detect")
    said = now(Board(tuple).update(replace(snapshot, paths=paths, budgets=(budget,))))
    assert (said["worst"], said["over"]) == (1, True)
    kept = replace(budget, now={"p99": 0.01})
    said = now(Board(tuple).update(replace(snapshot, paths=paths, budgets=(kept,))))
    assert (said["worst"], said["over"]) == (0, False)
    said = now(Board(tuple).update(replace(snapshot, paths=())))
    assert (said["worst"], said["over"]) == (None, False)


def test_a_path_that_another_waits_for_is_not_the_worst():
    fast, slow = reversed(faces().paths)
    snapshot = without_budget(replace(faces(), paths=(replace(fast, critical=0), slow)))
    assert now(Board(tuple).update(snapshot))["worst"] == 1


def test_the_mark_does_not_jump_between_paths_that_are_as_slow():
    board, snapshot = Board(tuple), without_budget(faces())
    a, b = snapshot.paths
    first = now(board.update(snapshot))["worst"]
    for step in range(1, 6):
        slower = [stats.end_to_end.copy() for stats in (a, b)]
        slower[1 - first].add(np.full(100, 0.21))
        slower[first].add(np.full(100, 0.2))
        a, b = (replace(x, end_to_end=y) for x, y in zip((a, b), slower, strict=True))
        assert now(board.update(later(snapshot, step, paths=(a, b))))["worst"] == first


def test_a_new_path_or_another_run_is_a_new_generation():
    board, snapshot = Board(tuple), faces()
    one = board.update(replace(snapshot, paths=snapshot.paths[:1])).generation
    assert board.update(later(snapshot, paths=snapshot.paths[:1])).generation == one
    # The order in which they come may change; then nothing is built anew.
    two = board.update(later(snapshot, 1.0)).generation
    assert board.update(later(snapshot, 1.5, paths=snapshot.paths[::-1])).generation == two
    again = board.update(replace(snapshot, run="another", seconds=1.0))
    assert one < two < again.generation
    assert now(again)["span"] == 1.0


def test_with_tracking_off_or_without_a_run_it_says_so():
    assert json.loads(Board(tuple).update(None).hello) == {"kind": "nothing"}
    blank = Histogram()
    operators = tuple(replace(b, working=blank, waits=blank) for b in faces().operators)
    untracked = replace(faces(), operators=operators, paths=())
    assert now(Board(tuple).update(untracked))["tracked"] is False
    assert now(Board(tuple).update(faces()))["tracked"] is True


def test_a_pause_leaves_the_verdict_as_it_was():
    board, snapshot = Board(tuple), faces()
    found = now(board.update(snapshot))["verdict"]
    assert found["where"] == "detect"
    for seconds in (3.0, 20.0, 40.0):
        assert now(board.update(later(snapshot, seconds)))["verdict"] == found


def test_drops_of_the_past_are_of_one_cause_where_that_is_certain():
    snapshot = faces()
    flows = (replace(snapshot.flows[0], dropped={"full": 4, "late": 4}), *snapshot.flows[1:])
    snapshot = replace(snapshot, flows=flows)
    sample = replace(
        history(snapshot)[0], dropped={flows[0].name: 2, flows[1].name: 3, flows[2].name: 0}
    )
    said = hello(Board(lambda: (sample,)).update(snapshot))
    assert said["history"][0]["drops"] == {"several": 2, "full": 3}


def test_no_more_paths_than_can_be_shown():
    snapshot = faces()
    paths = tuple(
        path(Step("work", "camera", ""), Step("work", "screen", f"in{n}", 0.1, 0.1, by_port=True))
        for n in range(PATHS + 5)
    )
    said = hello(Board(tuple).update(replace(snapshot, paths=paths, unfollowed=3)))
    assert len(said["paths"]) == len(said["now"]["paths"]) == PATHS
    assert said["unshown"] == 8
