"""Point clouds."""

from __future__ import annotations

from dataclasses import dataclass

from holoflow.payload.array import Array, check_shape


@dataclass(frozen=True, slots=True, eq=False)
class PointCloud:
    """N points in space; N may be 0 and differ from message to message."""

    points: Array
    """(N, 3) float32: x forward, y left, z up, in metres, in the frame of the sensor."""
    intensity: Array | None = None
    """(N,) strength of the return."""
    labels: Array | None = None
    """(N,) integers: class or cluster of each point."""

    def __post_init__(self) -> None:
        check_shape("PointCloud.points", self.points, "shape (N, 3)", ndim=(2,), last=(3,))
        for name in ("intensity", "labels"):
            value = getattr(self, name)
            if value is not None and tuple(value.shape) != (self.points.shape[0],):
                raise ValueError(
                    f"PointCloud.{name} must have shape ({self.points.shape[0]},), "
                    f"got {tuple(value.shape)}"
                )

    def __len__(self) -> int:
        return int(self.points.shape[0])
