"""Keypoints, or landmarks: named points of each object."""

from __future__ import annotations

from dataclasses import dataclass, replace

from holoflow.payload.array import Array, check_shape
from holoflow.payload.geometry import Geometry


@dataclass(frozen=True, slots=True, eq=False)
class Keypoints:
    """K points of each of N objects; N may be 0."""

    points: Array
    """(N, K, 2) float32: x, y in pixels of the image; or (N, K, 3) in the unit of the source."""
    scores: Array | None = None
    """(N, K) float32, 0 to 1."""
    names: tuple[str, ...] = ()
    """Names of the K points."""
    edges: tuple[tuple[int, int], ...] = ()
    """Pairs of points to draw a line between."""
    geometry: Geometry | None = None
    """Of the picture whose pixels these are; None: of whichever picture they are used with."""

    def __post_init__(self) -> None:
        check_shape("Keypoints.points", self.points, "shape (N, K, 2 or 3)", ndim=(3,), last=(2, 3))
        if self.scores is not None and tuple(self.scores.shape) != tuple(self.points.shape[:2]):
            raise ValueError(
                f"Keypoints.scores must have shape {tuple(self.points.shape[:2])}, one for each "
                f"point, got {tuple(self.scores.shape)}"
            )

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
