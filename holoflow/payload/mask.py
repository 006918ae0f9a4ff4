"""Masks: a class for each pixel or voxel."""

from __future__ import annotations

from dataclasses import dataclass

from holoflow.payload.array import CLASSES, Array, check_axes, check_names, namespace
from holoflow.payload.geometry import Geometry, check_grid


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """Labels of pixels.

    - `data`: (height, width) integers (or bool): index of the class, 0 is background.
    - `names`: names of the classes, the background's first.
    - `geometry`: where its pixels lie in their source; None: as those of the picture it is
      used with.
    """

    data: Array
    names: tuple[str, ...] = ()
    geometry: Geometry | None = None

    def __post_init__(self) -> None:
        check_axes("Mask.data", self.data, "(height, width)", CLASSES, 2)
        if self.names != ():
            object.__setattr__(self, "names", check_names("Mask.names", self.names))
        if self.geometry is not None:
            check_grid("Mask", self.geometry, self.data)

    def on(self, geometry: Geometry) -> Mask:
        """Return the mask for the pixels of another picture of the same source.

        Each pixel takes the class of the nearest one, and what the mask does not reach is
        background. It stays as it is where its own geometry is not known. Raises ValueError for
        another source, and for a mask without pixels.
        """
        if self.geometry is None or self.geometry == geometry:
            return self
        scale, offset = geometry.way_to(self.geometry)
        if 0 in self.data.shape:
            raise ValueError(f"a mask without pixels, of shape {self.data.shape}, reaches nothing")
        xp = namespace(self.data)
        data = self.data
        reached = []
        for axis, length in ((1, geometry.width), (0, geometry.height)):
            centres = xp.arange(length, dtype=xp.float64) + 0.5
            places = xp.floor(centres * scale[1 - axis] + offset[1 - axis])
            last = data.shape[axis] - 1
            reached.append((places >= 0) & (places <= last))
            nearest = xp.astype(xp.clip(places, 0, last), xp.int64)
            data = xp.take(data, nearest, axis=axis)
        inside = reached[1][:, None] & reached[0][None, :]
        data = xp.where(inside, data, xp.zeros_like(data))
        return Mask(data, self.names, geometry)
