"""Volumes: images with three axes."""

from __future__ import annotations

from dataclasses import dataclass

from holoflow.payload.array import Array, check_shape


@dataclass(frozen=True, slots=True, eq=False)
class Volume:
    """A scalar volume."""

    data: Array
    """(depth, height, width)."""
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Distance of voxel centres along depth, height and width in millimetres."""

    def __post_init__(self) -> None:
        check_shape("Volume.data", self.data, "shape (depth, height, width)", ndim=(3,))
        if len(self.spacing) != 3 or not all(step > 0 for step in self.spacing):
            raise ValueError(
                f"Volume.spacing must be three distances above 0 mm, got {self.spacing!r}"
            )
