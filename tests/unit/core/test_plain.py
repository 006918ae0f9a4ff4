import json
import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from holoflow import (
    Arrays,
    Boxes,
    Geometry,
    Image,
    Keypoints,
    Mask,
    PointCloud,
    Pose,
    Quaternion,
    Signal,
    Text,
    Volume,
)  # fmt: skip
from holoflow.core.plain import SPELLED_OUT, to_plain

FLOATS = st.one_of(
    arrays.arrays(dtype, arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
    for dtype in (np.float16, np.float32, np.float64)
)


def flattened(value):
    if isinstance(value, list):
        return [x for item in value for x in flattened(item)]
    return [value]


@settings(max_examples=60)
@given(FLOATS)
def test_floats_come_back_as_they_were(array):
    plain = json.loads(json.dumps(to_plain(array), allow_nan=False))
    with np.errstate(over="ignore"):
        back = np.array([math.nan if v is None else v for v in flattened(plain)], array.dtype)
    expected = np.where(np.isfinite(array), array, np.nan).reshape(-1)
    np.testing.assert_array_equal(back, expected)


def test_floats_have_no_more_digits_than_their_type():
    assert to_plain(np.float32(0.1)) == 0.1
    assert to_plain(np.array([0.1, 1 / 3], np.float16)) == [0.1, 0.3333]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None), (True, True), (np.bool_(False), False), (3, 3), (np.uint8(3), 3), (2.5, 2.5),
        (math.nan, None), (math.inf, None), (np.float64("-inf"), None), ("é", "é"),
        (1 + 2j, [1, 2]), ((1, [2.0]), [1, [2.0]]),
        (np.array([1j], np.complex64), [[0, 1]]), (np.array(["a"]), ["a"]),
        ({1: np.int8(2)}, {"1": 2}), (b"abc", {"bytes": 3}), (Text("two\nlines"), "two\nlines"),
        (Arrays(a=np.zeros(2)), {"a": [0, 0]}),
    ],
)  # fmt: skip
def test_simple_values(value, expected):
    assert to_plain(value) == expected
    assert type(to_plain(value)) is type(expected)


def test_large_arrays_are_described():
    assert to_plain(np.zeros(SPELLED_OUT, np.int8)) == [0] * SPELLED_OUT
    assert to_plain(np.zeros((SPELLED_OUT, 2), np.int8)) == {
        "shape": [SPELLED_OUT, 2], "dtype": "int8",
    }  # fmt: skip


def test_boxes():
    boxes = Boxes(
        np.array([[0, 1, 2, 3.3], [4, 5, 6, 7]], np.float32), np.array([0.1, 1], np.float32),
        np.array([1, 5]), ("cat", "dog"), np.array([-1, 9]),
    )  # fmt: skip
    assert to_plain(boxes) == [
        {"xyxy": [0, 1, 2, 3.3], "score": 0.1, "label": "dog"},
        {"xyxy": [4, 5, 6, 7], "score": 1.0, "label": 5, "id": 9},
    ]
    assert to_plain(Boxes.empty()) == []
    assert to_plain(Boxes(np.ones((1, 4)))) == [{"xyxy": [1, 1, 1, 1]}]


def test_keypoints():
    points = np.array([[[1, 2], [3, math.nan]]], np.float32)
    scores = np.array([[0.5, 0.25]], np.float32)
    assert to_plain(Keypoints(points)) == [{"points": [[1, 2], [3, None]]}]
    assert to_plain(Keypoints(points, scores, ("eye", "nose"))) == [
        {"points": {"eye": [1, 2], "nose": [3, None]}, "scores": {"eye": 0.5, "nose": 0.25}}
    ]


@settings(max_examples=60)
@given(
    arrays.arrays(
        st.sampled_from([np.bool_, np.uint8, np.int64]),
        arrays.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=8),
        elements=st.integers(0, 1),
    )
)
def test_the_runs_of_a_mask_make_the_mask(data):
    plain = json.loads(json.dumps(to_plain(Mask(data))))
    labels = [label for label, length in plain["runs"] for _ in range(length)]
    np.testing.assert_array_equal(np.array(labels, int).reshape(plain["size"]), data.astype(int))
    assert all(a[0] != b[0] for a, b in zip(plain["runs"], plain["runs"][1:], strict=False))
    assert sum(plain["counts"].values()) == data.size


def test_the_classes_of_a_mask_are_named():
    mask = Mask(np.array([[0, 0, 1], [1, 2, 2]]), ("background", "tool"))
    assert to_plain(mask) == {
        "size": [2, 3], "counts": {"background": 2, "tool": 2, "2": 2},
        "runs": [["background", 2], ["tool", 2], [2, 2]],
    }  # fmt: skip


def test_what_is_described():
    assert to_plain(Image(np.zeros((2, 3, 4), np.uint8), "bgra")) == {
        "shape": [2, 3, 4], "dtype": "uint8", "colour": "bgra",
    }  # fmt: skip
    scaled = Image(np.zeros((2, 3), bool), "gray", Geometry.of(3, 2, (0.5, 0.25)))
    assert to_plain(scaled) == {
        "shape": [2, 3], "dtype": "bool", "colour": "gray", "spacing_mm": [0.5, 0.25],
    }  # fmt: skip
    assert to_plain(Volume(np.zeros((2, 3, 4)), (1.5, 1, 1))) == {
        "shape": [2, 3, 4], "dtype": "float64", "spacing": [1.5, 1, 1],
    }  # fmt: skip
    cloud = PointCloud(np.zeros((9, 3), np.float32))
    assert to_plain(cloud) == {"shape": [9, 3], "dtype": "float32"}


def test_pose_and_signal():
    pose = Pose(np.arange(3.0), Quaternion(np.array([1.0, 0, 0, 0])))
    assert to_plain(pose) == {"position": [0, 1, 2], "orientation": [1, 0, 0, 0]}
    signal = Signal(np.array([[1], [2]]), 250.0, units=("mV",))
    assert to_plain(signal) == {"data": [[1], [2]], "rate": 250.0, "units": ["mV"]}


def test_the_dataclass_of_an_app():
    @dataclass
    class Verdict:
        score: float
        boxes: Boxes
        why: str | None = None

    plain = to_plain(Verdict(math.nan, Boxes.empty()))
    assert plain == {"score": None, "boxes": []}


@pytest.mark.parametrize("value", [object(), {1}, np.array([object()]), Boxes])
def test_anything_else_is_an_error(value):
    with pytest.raises(TypeError, match="no plain form"):
        to_plain(value)


def test_nothing_is_changed():
    boxes = Boxes(np.ones((1, 4)), np.array([math.nan]))
    to_plain(boxes)
    np.testing.assert_array_equal(boxes.xyxy, np.ones((1, 4)))
    assert np.isnan(boxes.scores).all()
