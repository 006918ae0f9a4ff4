"""Orientation and pose."""

from __future__ import annotations

from dataclasses import dataclass

from holoflow.payload.array import Array


@dataclass(frozen=True, slots=True, eq=False)
class Quaternion:
    """A rotation from the body's to the world's axes."""

    wxyz: Array
    """(4,) float64: w, x, y, z; of length 1."""

    def __post_init__(self) -> None:
        if tuple(self.wxyz.shape) != (4,):
            raise ValueError(f"Quaternion.wxyz must have shape (4,), got {tuple(self.wxyz.shape)}")


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """Where something is and how it is turned."""

    position: Array
    """(3,) float64: x, y, z in metres."""
    orientation: Quaternion

    def __post_init__(self) -> None:
        if tuple(self.position.shape) != (3,):
            raise ValueError(
                f"Pose.position must have shape (3,), got {tuple(self.position.shape)}"
            )
