"""Payloads refuse what they are not."""

from __future__ import annotations

from collections.abc import Callable

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
    Volume,
    to_numpy,
)

Z = np.zeros
TURN = Quaternion(np.array([1.0, 0, 0, 0]))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Image(Z((2, 3))), r"shape \(height, width, 3\), got shape \(2, 3\)"),
        (lambda: Image(Z((2, 3, 4)), "rgb"), r"got shape \(2, 3, 4\)"),
        (lambda: Image(Z((2, 3, 3)), "gray"), r"shape \(height, width\)"),
        (lambda: Image(Z((2, 3, 3)), "pink"), "unknown colour order 'pink'"),
        (lambda: Boxes(Z((2, 5))), r"shape \(N, 4\)"),
        (lambda: Boxes(Z((2, 4)), scores=Z(3)), r"Boxes.scores must have shape \(2,\)"),
        (lambda: Mask(Z((2, 3, 1))), r"shape \(height, width\)"),
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


def test_what_is_no_array_is_refused() -> None:
    with pytest.raises(TypeError, match="must be an array"):
        Boxes([[1, 2, 3, 4]])  # type: ignore[arg-type]


def test_nothing_is_something() -> None:
    assert len(Boxes.empty()) == 0
    assert len(Keypoints(Z((0, 5, 2)))) == 0
    assert len(PointCloud(Z((0, 3)))) == 0


def test_another_librarys_array_comes_to_main_memory() -> None:
    import array_api_strict

    array = np.arange(3)
    assert to_numpy(array) is array
    assert to_numpy(array_api_strict.asarray([1, 2])).tolist() == [1, 2]
