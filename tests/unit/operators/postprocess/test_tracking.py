"""`postprocess.tracking` follows objects that move, cross and hide."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holoflow import Boxes, Image, MissingExtraError
from holoflow.operators.postprocess.tracking import TrackingOp

OBJECTS = np.array([[20, 30, 60, 80], [300, 100, 340, 160], [100, 30, 140, 70]], float)
SPEED = np.array([[3, 0, 3, 0], [-3, 0, -3, 0], [0, 1, 0, 1]], float)


def started(**parameters):
    op = TrackingOp(**parameters)
    op.start()
    return op


def frame(number, order, noise):
    xyxy = (OBJECTS + number * SPEED + noise.normal(0, 1, (3, 4))).astype(np.float32)[order]
    xyxy.flags.writeable = False
    scores = np.array([0.9, 0.6, 0.8], np.float32)[order]
    labels = (np.array([0, 1, 0])[order] + (number == 7)) % 2  # the detector errs once
    return Boxes(xyxy, scores, labels, ("a", "b"))


def test_ids_stay_with_their_objects_through_a_gap():
    op, noise, seen = started(), np.random.default_rng(0), {0: set(), 1: set(), 2: set()}
    for number in range(60):
        order = [i for i in noise.permutation(3) if i or not 20 <= number < 25]
        boxes = frame(number, order, noise)
        found = op.process(boxes)
        np.testing.assert_array_equal(found.xyxy, boxes.xyxy)
        np.testing.assert_array_equal(found.labels, boxes.labels)
        assert found.names == ("a", "b")
        for index, identity in zip(order, found.ids.tolist(), strict=True):
            seen[index].add(identity)
    assert [len(ids) for ids in seen.values()] == [1, 1, 1]
    assert set.union(*seen.values()) == {1, 2, 3}


def test_who_is_gone_for_longer_than_patience_comes_back_as_another():
    op = started(patience=3)
    box = Boxes(np.array([[0, 0, 10, 10]], np.float32))
    first = op.process(box).ids.tolist()
    for _ in range(3):
        assert op.process(Boxes.empty()).ids.shape == (0,)
    assert op.process(box).ids.tolist() == first
    for _ in range(4):
        op.process(Boxes.empty())
    assert op.process(box).ids.tolist() != first


def test_a_weak_box_begins_no_track():
    op = started(threshold=0.5)
    xyxy = np.array([[0, 0, 10, 10], [50, 50, 70, 70]], np.float32)
    found = op.process(Boxes(xyxy, np.array([0.4, 0.9], np.float32)))
    assert found.ids.tolist() == [-1, 1]


def test_starting_again_forgets():
    op = started()
    box = Boxes(np.array([[0, 0, 10, 10]], np.float32))
    op.process(box)
    op.start()
    assert op.process(box).ids.tolist() == [1]


def test_the_extra_is_named_where_the_library_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "ioutrack", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'holoflow\[tracking\]'"):
        TrackingOp().start()


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, unique=True))
@settings(max_examples=40)
def test_what_stands_still_keeps_its_id_also_at_the_edges(cells):
    op = started()
    corner = 40.0 * np.array(cells, np.float32)
    boxes = Boxes(np.concatenate([corner, corner + 30], axis=1))
    ids = op.process(boxes).ids.tolist()
    assert sorted(ids) == list(range(1, len(cells) + 1))
    for _ in range(4):
        assert op.process(boxes).ids.tolist() == ids


@pytest.mark.parametrize("confirm", [1, 2, 4])
@pytest.mark.parametrize("before", [0, 5])
def test_an_id_comes_with_the_frame_that_confirms_and_stays(confirm, before):
    """Also in the first frames of a run, and after a frame in which nothing is seen."""
    op = started(confirm=confirm)
    box = Boxes(np.array([[10, 10, 50, 50]], np.float32))
    for _ in range(before):
        op.process(Boxes.empty())
    seen = [op.process(box).ids.tolist() for _ in range(6)]
    assert seen == [[-1]] * (confirm - 1) + [[1]] * (7 - confirm)
    op.process(Boxes.empty())
    assert op.process(box).ids.tolist() == [1]


def test_what_flickers_is_never_confirmed():
    op = started(confirm=2)
    box = Boxes(np.array([[10, 10, 50, 50]], np.float32))
    for _ in range(5):
        assert op.process(box).ids.tolist() == [-1]
        op.process(Boxes.empty())
    assert [op.process(box).ids.tolist() for _ in range(2)] == [[-1], [1]]


def test_objects_that_were_given_up_are_forgotten():
    op = started(patience=2)
    for number in range(20):
        corner = 100 * number
        op.process(Boxes(np.array([[corner, 0, corner + 30, 30]], np.float32)))
    assert len(op._followed) <= 4


VALUES = st.sampled_from([0.0, 1.0, 40.0, -3.0, 1e6, 1e19, 1e38, np.nan, np.inf, -np.inf])


@given(st.lists(st.tuples(*[VALUES] * 5), min_size=1, max_size=6), st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_boxes_that_are_none_swap_no_track(others, at):
    op = started()
    good = (200.0, 200.0, 260.0, 250.0, 0.8)
    for number in range(5):
        rows = others[:number]
        place = min(at, len(rows))
        rows = np.array([*rows[:place], good, *rows[place:]], np.float32)
        found = op.process(Boxes(rows[:, :4], rows[:, 4]))
        assert found.ids[place] == 1
        bad = ~np.isfinite(rows).all(axis=1)
        assert (found.ids[bad] == -1).all()


def test_a_part_that_moves_over_the_source_changes_no_id():
    op = started()
    whole = Image(np.zeros((200, 400), np.uint8), "gray")
    for left in (0, 90, 180):
        part = whole.cropped(left, 0, left + 200, 200)
        xyxy = np.array([[190 - left, 50, 199 - left, 90]], np.float32)
        assert op.process(Boxes(xyxy, geometry=part.geometry)).ids.tolist() == [1]
