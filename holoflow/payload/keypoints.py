"""Keypoints, or landmarks: named points of each object."""

from __future__ import annotations

from dataclasses import dataclass

from holoflow.payload.array import Array, check_shape


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

    def __post_init__(self) -> None:
        check_shape("Keypoints.points", self.points, "shape (N, K, 2 or 3)", ndim=(3,), last=(2, 3))
        if self.scores is not None and tuple(self.scores.shape) != tuple(self.points.shape[:2]):
            raise ValueError(
                f"Keypoints.scores must have shape {tuple(self.points.shape[:2])}, one for each "
                f"point, got {tuple(self.scores.shape)}"
            )

    def __len__(self) -> int:
        return int(self.points.shape[0])
