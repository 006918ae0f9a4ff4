"""Payloads refuse what they are not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from holoflow import (
    Boxes,
    Image,
    Keypoints,
    Mask,
    PointCloud,
    Pose,
    Quaternion,
    Signal,
    Text,
    Volume,
    to_numpy,
)

Z = np.zeros
TURN = Quaternion(np.array([1.0, 0, 0, 0]))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Image(Z((2, 3))), r"shape \(height, width, 3\) for rgb, got shape \(2, 3\)"),
        (lambda: Image(Z((2, 3, 4)), "rgb"), r"got shape \(2, 3, 4\)"),
        (lambda: Image(Z((2, 3, 3)), "gray"), r"shape \(height, width\)"),
        (lambda: Image(Z((2, 3, 3)), "pink"), "one of gray, rgb, .*, got 'pink'"),
        (lambda: Boxes(Z((2, 5))), r"shape \(N, 4\)"),
        (lambda: Boxes(Z((2, 4)), scores=Z(3)), r"Boxes.scores must have shape \(2,\)"),
        (lambda: Mask(Z((2, 3, 1), int)), r"shape \(height, width\)"),
        (lambda: Keypoints(Z((2, 5, 4))), r"shape \(N, K, 2 or 3\)"),
        (lambda: Keypoints(Z((2, 5, 2)), scores=Z((2, 4))), r"must have shape \(2, 5\)"),
        (lambda: Signal(Z(8), 1.0), r"shape \(samples, channels\)"),
        (lambda: Signal(Z((8, 1)), 0), "above 0 samples/s"),
        (lambda: Volume(Z((2, 3))), r"shape \(depth, height, width\)"),
        (lambda: Volume(Z((2, 3, 4)), (1, 0, 1)), "above 0 mm"),
        (lambda: PointCloud(Z((2, 2))), r"shape \(N, 3\)"),
        (lambda: PointCloud(Z((2, 3)), intensity=Z(1)), r"must have shape \(2,\)"),
        (lambda: Quaternion(Z(3)), r"shape \(4,\)"),
        (lambda: Pose(Z(2), TURN), r"shape \(3,\)"),
    ],
)
def test_a_wrong_shape_is_refused(make: Callable[[], object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()


N = Z((2, 4))
WRONG: dict[str, tuple[Callable[[Any], object], list[Any]]] = {
    "Image.data must be an array of shape .height, width, 3. for rgb": (
        Image, [[[[1, 2, 3]]], b"abc", None],
    ),
    "Image.data must be an array of numbers or bool": (
        Image, [Z((1, 1, 3), "O"), Z((1, 1, 3), "U1")],
    ),
    "Image.colour must be one of gray": (lambda x: Image(Z((2, 3)), x), [["gray"], None, 1]),
    "Image.geometry must be a Geometry": (lambda x: Image(N, "gray", x), [(2, 4), N]),
    "Boxes.xyxy must be an array of shape .N, 4., real numbers": (Boxes, [[], [[1, 2, 3, 4]]]),
    "Boxes.scores must be an array": (lambda x: Boxes(N, x), [[0.1, 0.2], 1.0, Z(2, "U1")]),
    "Boxes.labels must be an array": (lambda x: Boxes(N, labels=x), [[0, 1], "ab", Z(2)]),
    "Boxes.ids must be an array": (lambda x: Boxes(N, ids=x), [(0, 1), Z(2, "O")]),
    "Boxes.names must be a tuple of str": (lambda x: Boxes(N, names=x), ["face", [1], 1, [b"a"]]),
    "Boxes.geometry must be a Geometry": (lambda x: Boxes(N, geometry=x), [(2, 4)]),
    "Mask.data must be an array": (Mask, [[[0, 1]], N]),
    "Mask.names must be a tuple of str": (lambda x: Mask(Z((2, 2), int), x), [{0: "a"}, "a"]),
    "Mask.geometry must be a Geometry": (lambda x: Mask(Z((2, 2), int), (), x), ["2x2"]),
    "Keypoints.points must be an array": (Keypoints, [[[[1, 2]]], Z((1, 1, 2), "c8")]),
    "Keypoints.scores must be an array": (lambda x: Keypoints(Z((1, 2, 2)), x), [[[1, 1]]]),
    "Keypoints.names must be a tuple": (lambda x: Keypoints(Z((1, 2, 2)), names=x), ["nose"]),
    "Keypoints.edges must be pairs of points": (
        lambda x: Keypoints(Z((1, 2, 2)), edges=x),
        [[0, 1], 1, [("a", "b")], [(0, 2)], [(0,)], ((-1, 0),), [(0, 0.5)]],
    ),
    "Signal.data must be an array": (lambda x: Signal(x, 1), [[[1]], Z((1, 1), bool)]),
    "Signal.rate must be a number above 0": (
        lambda x: Signal(N, x), ["1", None, np.nan, np.inf, -1, N],
    ),
    "Signal.units must be a tuple of str": (lambda x: Signal(N, 1, (), x), ["mV", 1]),
    "Volume.data must be an array": (Volume, [[[[1]]], Z((1, 1, 1), "O")]),
    "Volume.spacing must be three distances": (
        lambda x: Volume(Z((1, 1, 1)), x), [1.0, "abc", (1, 1), (1, 1, np.nan)],
    ),
    "PointCloud.points must be an array": (PointCloud, [[[1, 2, 3]]]),
    "PointCloud.intensity must be an array": (lambda x: PointCloud(Z((2, 3)), x), [[1, 2]]),
    "PointCloud.labels must be an array": (lambda x: PointCloud(Z((2, 3)), None, x), [Z(2), [1]]),
    "Quaternion.wxyz must be an array": (Quaternion, [[1, 0, 0, 0], Z(4, "c8")]),
    "Pose.position must be an array": (lambda x: Pose(x, TURN), [(1, 2, 3)]),
    "Pose.orientation must be a Quaternion": (lambda x: Pose(Z(3), x), [None, Z(4)]),
    "Text.text must be a str": (Text, [3, None, b"a", ["a"]]),
}  # fmt: skip


@pytest.mark.parametrize("words", WRONG)
def test_what_a_field_does_not_take_is_refused_at_once_by_its_name(words: str) -> None:
    make, values = WRONG[words]
    for value in values:
        with pytest.raises((TypeError, ValueError), match=words):
            make(value)


def test_sequences_of_names_and_distances_become_tuples() -> None:
    assert Boxes(N, names=["a", "b"]).names == ("a", "b")  # type: ignore[arg-type]
    keypoints = Keypoints(Z((1, 2, 2)), edges=[[0, 1]])  # type: ignore[list-item, arg-type]
    assert keypoints.edges == ((0, 1),)
    spacing = Volume(Z((1, 1, 1)), np.array([1, 2, 3])).spacing  # type: ignore[arg-type]
    assert spacing == (1, 2, 3)
    assert type(spacing) is tuple


def test_arrays_of_any_library_are_taken() -> None:
    import array_api_strict as xp

    boxes = Boxes(xp.zeros((2, 4)), labels=xp.zeros(2, dtype=xp.int64))
    assert len(boxes) == 2
    with pytest.raises(ValueError, match=r"Boxes\.labels must be an array of integers"):
        Boxes(xp.zeros((2, 4)), labels=xp.zeros(2))


def test_nothing_is_something() -> None:
    assert len(Boxes.empty()) == 0
    assert len(Keypoints(Z((0, 5, 2)))) == 0
    assert len(PointCloud(Z((0, 3)))) == 0


def test_another_librarys_array_comes_to_main_memory() -> None:
    import array_api_strict

    array = np.arange(3)
    assert to_numpy(array) is array
    assert to_numpy(array_api_strict.asarray([1, 2])).tolist() == [1, 2]
