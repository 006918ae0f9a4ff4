"""What is drawn: labels, places, colours."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from holoflow import Boxes, Keypoints, Mask
from holoflow.operators.visualize._marks import PALETTE, box_marks, mask_colours, points

ALL = ("name", "id", "score")


def boxes(**parts):
    return Boxes(np.array([[1, 2, 3, 4]], np.float32), **parts)


@pytest.mark.parametrize(
    ("given_boxes", "label"),
    [
        (boxes(), ""),
        (boxes(scores=np.array([0.926])), "0.93"),
        (boxes(labels=np.array([1]), names=("a", "b")), "b"),
        (boxes(labels=np.array([5]), names=("a", "b")), "5"),
        (boxes(labels=np.array([-1]), names=("a", "b")), "-1"),
        (boxes(ids=np.array([7])), "#7"),
        (boxes(ids=np.array([-1])), ""),
        (
            boxes(labels=np.array([0]), names=("a",), ids=np.array([0]), scores=np.array([1.0])),
            "a #0 1.00",
        ),
    ],
)
def test_labels_say_what_is_known(given_boxes, label):
    assert [mark.label for mark in box_marks(given_boxes, ALL)] == [label]


def test_labels_hold_the_chosen_parts_in_their_order():
    one = boxes(labels=np.array([0]), names=("a",), ids=np.array([3]), scores=np.array([0.5]))
    assert box_marks(one, ("score", "name"))[0].label == "0.50 a"


def test_colours_follow_the_class_and_repeat():
    many = Boxes(np.zeros((3, 4)), labels=np.array([0, 3, 3 + len(PALETTE)]))
    assert [mark.colour for mark in box_marks(many, ())] == [0, 3, 3]


def test_boxes_without_a_place_are_left_out_and_far_ones_stay_in_reach():
    far = Boxes(np.array([[np.nan, 0, 1, 1], [-1e30, 0, 1e30, 1], [0, 0, np.inf, 1]]))
    (mark,) = box_marks(far, ())
    assert mark.xyxy == (-30_000, 0, 30_000, 1)


def test_points_without_a_place_are_none():
    assert points(Keypoints(np.array([[[1, 2], [np.nan, 2]]]))) == [[(1, 2), None]]


def test_points_in_space_are_refused():
    with pytest.raises(ValueError, match="place on the picture in pixels"):
        points(Keypoints(np.zeros((1, 1, 3))))


@settings(max_examples=60)
@given(
    hnp.arrays(
        st.sampled_from([np.uint8, np.int64, np.int16, np.bool_]),
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=8),
        elements=None,
    )
)
def test_mask_colours_put_back_in_place_give_the_mask(data):
    before = data.copy()
    part, left, top = mask_colours(Mask(data))
    whole = np.zeros(data.shape, np.uint8)
    whole[top : top + part.shape[0], left : left + part.shape[1]] = part
    expected = np.where(data > 0, (data.astype(np.int64) - 1) % len(PALETTE) + 1, 0)
    assert np.array_equal(whole, expected)
    assert np.array_equal(data, before)
    if part.size:  # no larger than need be
        assert part[0].any()
        assert part[-1].any()
        assert part[:, 0].any()
        assert part[:, -1].any()


def test_a_score_that_is_no_number_is_not_written():
    found = Boxes(np.ones((1, 4)), np.array([np.nan], np.float32), np.array([0]), ("cat",))
    assert [mark.label for mark in box_marks(found, ("name", "score"))] == ["cat"]


def test_boxes_outside_of_the_picture_have_no_mark():
    found = Boxes(np.array([[-9, 2, -1, 8], [2, 60, 9, 90], [-9, 2, 1, 8], [95, 40, 120, 70.0]]))
    assert [mark.xyxy[0] for mark in box_marks(found, (), 100, 50)] == [-9, 95]
