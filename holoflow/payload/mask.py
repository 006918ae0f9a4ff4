"""Masks: a class for each pixel or voxel."""

from __future__ import annotations

from dataclasses import dataclass

from holoflow.payload.array import Array, check_shape


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """Labels of pixels."""

    data: Array
    """(height, width) integers (or bool): index of the class, 0 is background."""
    names: tuple[str, ...] = ()
    """Names of the classes, the background's first."""

    def __post_init__(self) -> None:
        check_shape("Mask.data", self.data, "shape (height, width)", ndim=(2,))
