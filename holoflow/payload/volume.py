"""Volumes: images with three axes."""

from __future__ import annotations

from dataclasses import dataclass

from holoflow.payload.array import PIXELS, Array, check_above_zero, check_axes


@dataclass(frozen=True, slots=True, eq=False)
class Volume:
    """A scalar volume.

    - `data`: (depth, height, width), numbers or bool.
    - `spacing`: distance of voxel centres along depth, height and width in millimetres.
    """

    data: Array
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)

    def __post_init__(self) -> None:
        check_axes("Volume.data", self.data, "(depth, height, width)", PIXELS, 3)
        told = "three distances above 0 mm"
        spacing = check_above_zero("Volume.spacing", self.spacing, told, 3)
        object.__setattr__(self, "spacing", spacing)
