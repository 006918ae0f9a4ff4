"""Point clouds."""

from __future__ import annotations

from dataclasses import dataclass

from holoflow.payload.array import INTEGERS, REAL, Array, check_axes, check_each


@dataclass(frozen=True, slots=True, eq=False)
class PointCloud:
    """N points in space; N may be 0 and differ from message to message.

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
