"""Geometry: where the pixels of a picture lie in its source."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import NoneType
from typing import Any, TypeAlias

from holoflow.core.array import Array, namespace

Spacing: TypeAlias = tuple[float, float]
"""Pixel distances down and across in mm."""


@dataclass(frozen=True, slots=True)
class Geometry:
    """Where the pixels of a picture lie in its source, the picture as a sensor or file gave it.

    Coordinates start at the upper left corner, x to the right and y down: pixel i spans i to
    i + 1 with its centre at i + 0.5, and the box (0, 0, width, height) contains everything. The
    point (x, y) of the picture is (x scale[0] + offset[0], y scale[1] + offset[1]) in the source.
    Raises ValueError for sizes below 0, and for other values that are not finite or, where
    required, not above 0.

    - `width`: columns of the picture.
    - `height`: rows of the picture.
    - `source`: columns and rows of the source.
    - `scale`: pixels of the source per pixel of the picture, across and down.
    - `offset`: where the picture's upper left corner lies, x and y in pixels of the source.
    - `source_spacing_mm`: distance of the source's pixel centres down and across in mm; None
      if not known.
    - `source_region`: left, top, right, bottom in pixels of the source: where the spacing
      holds; None: everywhere.
    """

    width: int
    height: int
    source: tuple[int, int]
    scale: tuple[float, float] = (1.0, 1.0)
    offset: tuple[float, float] = (0.0, 0.0)
    source_spacing_mm: Spacing | None = None
    source_region: tuple[float, float, float, float] | None = None

    def __post_init__(self) -> None:
        for name in ("source", "scale", "offset", "source_spacing_mm", "source_region"):
            value = getattr(self, name)
            if not isinstance(value, (tuple, NoneType)):  # geometries must be hashable
                object.__setattr__(self, name, tuple(value))
        sizes = (self.width, self.height, *self.source)
        if len(sizes) != 4 or not all(size >= 0 for size in sizes):
            raise ValueError(f"the sizes of a picture must be 0 or more, got {sizes}")
        if len(self.scale) != 2 or not _above_zero(self.scale):
            raise ValueError(f"Geometry.scale must be two finite factors above 0, got {self.scale}")
        if len(self.offset) != 2 or not all(map(math.isfinite, self.offset)):
            raise ValueError(f"Geometry.offset must be two finite numbers, got {self.offset}")
        spacing = self.source_spacing_mm
        if spacing is not None and (len(spacing) != 2 or not _above_zero(spacing)):
            raise ValueError(f"a spacing must be two finite distances above 0 mm, got {spacing}")
        region = self.source_region
        if region is not None and (len(region) != 4 or not all(map(math.isfinite, region))):
            raise ValueError(f"a region must be left, top, right and bottom, got {region}")

    @staticmethod
    def of(width: int, height: int, spacing_mm: Spacing | None = None) -> Geometry:
        """Return the geometry of a picture that is its own source.

        `spacing_mm` is the distance of its pixel centres down and across.
        """
        if spacing_mm is None:
            return _whole(width, height)
        return Geometry(width, height, (width, height), source_spacing_mm=spacing_mm)

    @property
    def is_plain(self) -> bool:
        """Whether the picture is its own source and nothing more is known."""
        return self is _whole(self.width, self.height) or self == _whole(self.width, self.height)

    @property
    def spacing_mm(self) -> Spacing | None:
        """Distance of the picture's pixel centres down and across in mm; None if not known."""
        if self.source_spacing_mm is None:
            return None
        down, across = self.source_spacing_mm
        return down * self.scale[1], across * self.scale[0]

    @property
    def of_source(self) -> Geometry:
        """The geometry of the source itself."""
        width, height = self.source
        return replace(self, width=width, height=height, scale=(1.0, 1.0), offset=(0.0, 0.0))

    def spacing_at(self, left: float, top: float, right: float, bottom: float) -> Spacing | None:
        """Return `spacing_mm` for a box in the picture; None unless it is known for all of it."""
        if self.source_region is None:
            return self.spacing_mm
        x0, y0, x1, y1 = self.source_region
        (across, down), (x, y) = self.scale, self.offset
        inside = x0 <= left * across + x and right * across + x <= x1
        inside = inside and y0 <= top * down + y and bottom * down + y <= y1
        return self.spacing_mm if inside else None

    def cropped(self, left: float, top: float, width: int, height: int) -> Geometry:
        """Return the geometry of a rectangle of the picture, in its pixels.

        The rectangle may extend beyond the picture, which gives it a border.
        """
        x, y = (
            at + scale * by
            for at, scale, by in zip(self.offset, self.scale, (left, top), strict=True)
        )
        return replace(self, width=width, height=height, offset=(x, y))

    def resampled(self, width: int, height: int) -> Geometry:
        """Return the geometry of the same view at another resolution.

        Raises:
            ValueError: One size is 0 and the other is not.
        """
        if (width, height) == (self.width, self.height):
            return self
        if 0 in (width, height, self.width, self.height):
            raise ValueError(
                f"a picture of {self.width} x {self.height} pixels cannot be resampled to "
                f"{width} x {height}"
            )
        across, down = self.scale
        scale = (across * self.width / width, down * self.height / height)
        return replace(self, width=width, height=height, scale=scale)

    def to(self, other: Geometry, points: Array) -> Array:
        """Return points of this picture as points of `other`.

        Args:
            other: The geometry of another picture of the same source.
            points: (..., 2): x and y in pixels of this picture.

        Returns:
            (..., 2): x and y in pixels of `other`; floating dtypes are kept, others become
            float64.

        Raises:
            ValueError: The sources differ in size.
        """
        if self == other:
            return points
        scale, offset = self.way_to(other)
        xp = namespace(points)
        if not xp.isdtype(points.dtype, "real floating"):
            points = xp.astype(points, xp.float64)
        moved: Array = points * _as(scale, points) + _as(offset, points)
        return moved

    def way_to(self, other: Geometry) -> tuple[tuple[float, float], tuple[float, float]]:
        """Return the scale and offset, x and y each, from this picture to `other`.

        Raises:
            ValueError: The sources differ in size, so that no mapping is known.
        """
        if self.source != other.source:
            raise ValueError(
                f"pixels of a picture whose source has {_size(self)} have no place in one whose "
                f"source has {_size(other)}; with_data, cropped and resampled of an image keep "
                f"track of its source, Image(…) and with_data with data of another size make a "
                f"new source"
            )
        scale = (self.scale[0] / other.scale[0], self.scale[1] / other.scale[1])
        offset = (
            (self.offset[0] - other.offset[0]) / other.scale[0],
            (self.offset[1] - other.offset[1]) / other.scale[1],
        )
        return scale, offset


@functools.lru_cache(256)
def _whole(width: int, height: int) -> Geometry:
    return Geometry(width, height, (width, height))


def check_geometry(field: str, geometry: Any) -> None:
    """Raise TypeError unless `geometry` is a Geometry."""
    if not isinstance(geometry, Geometry):
        raise TypeError(f"{field} must be a Geometry, got {type(geometry).__name__}")


def check_grid(owner: str, geometry: Any, array: Any) -> None:
    """Raise unless `geometry` is a Geometry with as many rows and columns as `array`.

    Raises:
        TypeError: `geometry` is not a Geometry.
        ValueError: The sizes differ.
    """
    check_geometry(f"{owner}.geometry", geometry)
    height, width = array.shape[:2]
    if (geometry.width, geometry.height) != (width, height):
        raise ValueError(
            f"{owner}.geometry has {geometry.width} x {geometry.height} pixels, "
            f"its data have {width} x {height}: Image.cropped and Image.resampled change both"
        )


def _above_zero(values: Sequence[float]) -> bool:
    return all(math.isfinite(value) and value > 0 for value in values)


def _as(pair: tuple[float, float], like: Array) -> Array:
    made: Array = namespace(like).asarray(pair, dtype=like.dtype)
    return made


def _size(geometry: Geometry) -> str:
    return f"{geometry.source[0]} x {geometry.source[1]} pixels"
