"""Payloads that locate things: boxes, keypoints, point clouds, poses."""

from __future__ import annotations

import functools
import operator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from holoflow.core.array import (
    INTEGERS,
    REAL,
    Array,
    check_axes,
    check_each,
    check_names,
    namespace,
)
from holoflow.core.geometry import Geometry, check_geometry


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """Axis-parallel boxes in one image; N may be 0.

    - `xyxy`: (N, 4) float32: left, top, right, bottom in pixels from the image's upper left
      corner.
    - `scores`: (N,) float32, 0 to 1; None if there are no confidences.
    - `labels`: (N,) integers, indices into `names`.
    - `names`: names of the classes.
    - `ids`: (N,) integers that stay with an object across frames; negative if not yet known.
    - `geometry`: of the picture whose pixels these are; None: that of the picture they are
      used with.
    """

    xyxy: Array
    scores: Array | None = None
    labels: Array | None = None
    names: tuple[str, ...] = ()
    ids: Array | None = None
    geometry: Geometry | None = None

    def __post_init__(self) -> None:
        check_axes("Boxes.xyxy", self.xyxy, "(N, 4)", REAL, 2, (4,))
        each = (self.xyxy.shape[0],)
        if self.scores is not None:
            check_each("Boxes.scores", self.scores, each, REAL, "box")
        if self.labels is not None:
            check_each("Boxes.labels", self.labels, each, INTEGERS, "box")
        if self.ids is not None:
            check_each("Boxes.ids", self.ids, each, INTEGERS, "box")
        if self.names != ():
            object.__setattr__(self, "names", check_names("Boxes.names", self.names))
        if self.geometry is not None:
            check_geometry("Boxes.geometry", self.geometry)

    def __len__(self) -> int:
        return int(self.xyxy.shape[0])

    def on(self, geometry: Geometry) -> Boxes:
        """Return the boxes in pixels of another picture of the same source.

        Boxes without a geometry are returned unchanged.

        Raises:
            ValueError: `geometry` is of another source.
        """
        if self.geometry is None or self.geometry == geometry:
            return self
        corners = namespace(self.xyxy).reshape(self.xyxy, (-1, 2, 2))
        moved = self.geometry.to(geometry, corners)
        xyxy = namespace(moved).reshape(moved, (-1, 4))
        return replace(self, xyxy=xyxy, geometry=geometry)

    @staticmethod
    def empty(names: tuple[str, ...] = ()) -> Boxes:
        """Return zero boxes."""
        return Boxes(
            np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64), names
        )


@dataclass(frozen=True, slots=True, eq=False)
class Keypoints:
    """K points of each of N objects; N may be 0.

    - `points`: (N, K, 2) float32: x, y in pixels of the image; or (N, K, 3) in the unit of
      the source.
    - `scores`: (N, K) float32, 0 to 1.
    - `names`: names of the K points.
    - `edges`: pairs of points to draw a line between.
    - `geometry`: of the picture whose pixels these are; None: that of the picture they are
      used with.
    """

    points: Array
    scores: Array | None = None
    names: tuple[str, ...] = ()
    edges: tuple[tuple[int, int], ...] = ()
    geometry: Geometry | None = None

    def __post_init__(self) -> None:
        check_axes("Keypoints.points", self.points, "(N, K, 2 or 3)", REAL, 3, (2, 3))
        if self.scores is not None:
            each = tuple(self.points.shape[:2])
            check_each("Keypoints.scores", self.scores, each, REAL, "point")
        if self.names != ():
            object.__setattr__(self, "names", check_names("Keypoints.names", self.names))
        if self.edges != ():
            object.__setattr__(self, "edges", _pairs(self.edges, self.points.shape[1]))
        if self.geometry is not None:
            check_geometry("Keypoints.geometry", self.geometry)

    def on(self, geometry: Geometry) -> Keypoints:
        """Return the points in pixels of another picture of the same source.

        Points in space, and points without a geometry, are returned unchanged.

        Raises:
            ValueError: `geometry` is of another source.
        """
        if self.geometry is None or self.geometry == geometry or self.points.shape[2] != 2:
            return self
        return replace(self, points=self.geometry.to(geometry, self.points), geometry=geometry)

    def __len__(self) -> int:
        return int(self.points.shape[0])


def _pairs(edges: Any, points: int) -> tuple[tuple[int, int], ...]:
    """Return `edges` as a tuple of pairs; raise unless each is a pair of indices below `points`."""
    try:
        return _checked_pairs(edges, points)
    except TypeError:  # lists are not hashable
        try:
            return _checked_pairs(tuple(tuple(pair) for pair in edges), points)
        except TypeError:
            raise TypeError(f"Keypoints.edges must be pairs of points, got {edges!r:.80}") from None


@functools.lru_cache(256)
def _checked_pairs(edges: tuple[tuple[int, int], ...], points: int) -> tuple[tuple[int, int], ...]:
    for pair in edges:
        if len(pair) != 2 or not all(0 <= operator.index(point) < points for point in pair):
            raise ValueError(
                f"Keypoints.edges must be pairs of points from 0 to {points - 1}, got {pair!r}"
            )
    return edges


@dataclass(frozen=True, slots=True, eq=False)
class PointCloud:
    """N points in space; N may be 0 and may differ from message to message.

    - `points`: (N, 3) float32: x forward, y left, z up, in metres, in the frame of the
      sensor.
    - `intensity`: (N,) real: strength of the return, in the unit of the sensor.
    - `labels`: (N,) integers: class or cluster of each point.
    """

    points: Array
    intensity: Array | None = None
    labels: Array | None = None

    def __post_init__(self) -> None:
        check_axes("PointCloud.points", self.points, "(N, 3)", REAL, 2, (3,))
        each = (self.points.shape[0],)
        if self.intensity is not None:
            check_each("PointCloud.intensity", self.intensity, each, REAL, "point")
        if self.labels is not None:
            check_each("PointCloud.labels", self.labels, each, INTEGERS, "point")

    def __len__(self) -> int:
        return int(self.points.shape[0])


@dataclass(frozen=True, slots=True, eq=False)
class Quaternion:
    """A rotation from the body's to the world's axes.

    - `wxyz`: (4,) float64: w, x, y, z; of length 1.
    """

    wxyz: Array

    def __post_init__(self) -> None:
        check_each("Quaternion.wxyz", self.wxyz, (4,), REAL)


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """Position and orientation of a body.

    - `position`: (3,) float64: x, y, z in metres.
    - `orientation`: from the body's to the world's axes.
    """

    position: Array
    orientation: Quaternion

    def __post_init__(self) -> None:
        check_each("Pose.position", self.position, (3,), REAL)
        if not isinstance(self.orientation, Quaternion):
            raise TypeError(
                f"Pose.orientation must be a Quaternion, got {type(self.orientation).__name__}"
            )
