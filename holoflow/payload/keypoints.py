"""Keypoints, or landmarks: named points of each object."""

from __future__ import annotations

import functools
import operator
from dataclasses import dataclass, replace
from typing import Any

from holoflow.payload.array import REAL, Array, check_axes, check_each, check_names
from holoflow.payload.geometry import Geometry, check_geometry


@dataclass(frozen=True, slots=True, eq=False)
class Keypoints:
    """K points of each of N objects; N may be 0.

    - `points`: (N, K, 2) float32: x, y in pixels of the image; or (N, K, 3) in the unit of
      the source.
    - `scores`: (N, K) float32, 0 to 1.
    - `names`: names of the K points.
    - `edges`: pairs of points to draw a line between.
    - `geometry`: of the picture whose pixels these are; None: of whichever picture they are
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

        They stay as they are where their own geometry is not known, and in space. Raises
        ValueError for another source.
        """
        if self.geometry is None or self.geometry == geometry or self.points.shape[2] != 2:
            return self
        return replace(self, points=self.geometry.to(geometry, self.points), geometry=geometry)

    def __len__(self) -> int:
        return int(self.points.shape[0])


def _pairs(edges: Any, points: int) -> tuple[tuple[int, int], ...]:
    """Return `edges` as a tuple of pairs; raises where they are no pairs of `points` points."""
    try:
        return _checked_pairs(edges, points)
    except TypeError:  # lists have no hash
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
