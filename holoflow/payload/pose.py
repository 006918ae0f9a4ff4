"""Orientation and pose."""

from __future__ import annotations

from dataclasses import dataclass

from holoflow.payload.array import REAL, Array, check_each


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
    """Where something is and how it is turned.

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
