"""Payloads that are pictures: images, masks, volumes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from holoflow.core.array import (
    CLASSES,
    PIXELS,
    Array,
    check_above_zero,
    check_axes,
    check_names,
    namespace,
)
from holoflow.core.geometry import Geometry, check_grid

Colour: TypeAlias = Literal["gray", "rgb", "bgr", "rgba", "bgra", "ycbcr", "hsv", "lab"]

CHANNELS: dict[str, int] = {
    "gray": 1, "rgb": 3, "bgr": 3, "rgba": 4, "bgra": 4, "ycbcr": 3, "hsv": 3, "lab": 3,
}  # fmt: skip

_AXES: Final[dict[str, tuple[str, int, tuple[int, ...]]]] = {
    colour: (f"(height, width, {count}) for {colour}", 3, (count,))
    if count > 1
    else (f"(height, width) for {colour}", 2, ())
    for colour, count in CHANNELS.items()
}
"""For each colour order: its axes in words, their number, and the allowed lengths of the last."""


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """An image or a video frame.

    - `data`: (height, width) for `gray`, else (height, width, channels), numbers or bool; rows
      from the top. Integer dtypes use their full scale (uint8: 0 to 255), floating ones 0 to 1
      unless the operator that made them says otherwise.
    - `colour`: order of the channels: gray, rgb, bgr, rgba, bgra, ycbcr, hsv or lab.
    - `geometry`: where its pixels lie in its source, and how far apart; by default the image
      is its own source.
    """

    data: Array
    colour: Colour = "rgb"
    geometry: Geometry = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        try:
            expected, ndim, last = _AXES[self.colour]
        except (KeyError, TypeError):
            raise ValueError(
                f"Image.colour must be one of {', '.join(CHANNELS)}, got {self.colour!r}"
            ) from None
        check_axes("Image.data", self.data, expected, PIXELS, ndim, last)
        if self.geometry is None:
            height, width = self.data.shape[:2]
            object.__setattr__(self, "geometry", Geometry.of(width, height))
        else:
            check_grid("Image", self.geometry, self.data)

    @property
    def height(self) -> int:
        """Number of rows."""
        return int(self.data.shape[0])

    @property
    def width(self) -> int:
        """Number of columns."""
        return int(self.data.shape[1])

    @property
    def spacing_mm(self) -> tuple[float, float] | None:
        """Distance of the pixel centres down and across in mm; None if not known."""
        return self.geometry.spacing_mm

    def with_data(self, data: Array) -> Image:
        """Return an image in the same colour order with other pixels at the same places.

        If the number of rows or columns differs, it is unknown where the new pixels lie: the
        image is then its own source, without a spacing, and what is found in it is given in its
        own pixels. Use `cropped` and `resampled` to keep track. For pixels moved in other ways,
        mirrored or warped, make a new `Image`.

        Args:
            data: As in `Image.data`.
        """
        shape = getattr(data, "shape", ())
        same = tuple(shape[:2]) == (self.geometry.height, self.geometry.width)
        return Image(data, self.colour, self.geometry) if same else Image(data, self.colour)

    def cropped(self, left: int, top: int, right: int, bottom: int) -> Image:
        """Return the rectangle of columns `left` to `right` and rows `top` to `bottom`.

        The ends are exclusive, in pixels. The result shares the pixels.

        Raises:
            ValueError: The rectangle is empty or does not lie inside the image.
        """
        left, top, right, bottom = map(int, (left, top, right, bottom))
        if not (0 <= left < right <= self.width and 0 <= top < bottom <= self.height):
            raise ValueError(
                f"the rectangle does not lie inside the image: columns {left} to {right} of "
                f"{self.width}, rows {top} to {bottom} of {self.height}"
            )
        geometry = self.geometry.cropped(left, top, right - left, bottom - top)
        return Image(self.data[top:bottom, left:right, ...], self.colour, geometry)

    def resampled(self, data: Array) -> Image:
        """Return the same view at another resolution.

        Args:
            data: The resized pixels: (height, width[, channels]), in the same colour order.

        Raises:
            ValueError: Either image has no pixels.
        """
        height, width = data.shape[:2]
        return Image(data, self.colour, self.geometry.resampled(width, height))


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """Labels of pixels.

    - `data`: (height, width) integers (or bool): index of the class, 0 is background.
    - `names`: names of the classes, the background's first.
    - `geometry`: where its pixels lie in their source; None: that of the picture it is used
      with.
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

        Each pixel takes the class of the nearest one; what the mask does not cover is
        background. A mask without a geometry is returned unchanged.

        Raises:
            ValueError: `geometry` is of another source, or the mask has no pixels.
        """
        if self.geometry is None or self.geometry == geometry:
            return self
        scale, offset = geometry.way_to(self.geometry)
        if 0 in self.data.shape:
            raise ValueError(f"a mask without pixels, of shape {self.data.shape}, covers nothing")
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
        expected = "three distances above 0 mm"
        spacing = check_above_zero("Volume.spacing", self.spacing, expected, 3)
        object.__setattr__(self, "spacing", spacing)
