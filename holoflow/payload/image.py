"""Images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from holoflow.payload.array import PIXELS, Array, check_axes
from holoflow.payload.geometry import Geometry, check_grid

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
"""What is told of the axes of each, how many, and the length of the last."""


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """An image or a frame of a clip.

    - `data`: (height, width) for `gray`, else (height, width, channels), numbers or bool; rows
      from the top. Integer dtypes use their full scale (uint8: 0 to 255), floating ones 0 to 1
      unless the operator that made them says otherwise.
    - `colour`: order of the channels: gray, rgb, bgr, rgba, bgra, ycbcr, hsv or lab.
    - `geometry`: where its pixels lie in its source, and how far apart; by default it is its
      own source.
    """

    data: Array
    colour: Colour = "rgb"
    geometry: Geometry = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        try:
            told, ndim, last = _AXES[self.colour]
        except (KeyError, TypeError):
            raise ValueError(
                f"Image.colour must be one of {', '.join(CHANNELS)}, got {self.colour!r}"
            ) from None
        check_axes("Image.data", self.data, told, PIXELS, ndim, last)
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
        """Distance of its pixel centres down and across in mm; None where not known."""
        return self.geometry.spacing_mm

    def with_data(self, data: Array) -> Image:
        """Return an image in the same colour order with other pixels at the same places.

        With rows or columns of another number nobody knows where the new pixels lie: the image
        is then its own source, without a spacing, and what is found in it is given in its own
        pixels. `cropped` and `resampled` know. For pixels that have moved otherwise, mirrored
        or warped, make a new `Image`.
        """
        shape = getattr(data, "shape", ())
        same = tuple(shape[:2]) == (self.geometry.height, self.geometry.width)
        return Image(data, self.colour, self.geometry) if same else Image(data, self.colour)

    def cropped(self, left: int, top: int, right: int, bottom: int) -> Image:
        """Return the rectangle of columns `left` to `right` and rows `top` to `bottom`.

        The ends do not belong to it. Shares the pixels. Raises ValueError unless the rectangle
        has pixels and lies inside the image.
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
        """Return the same view in another number of pixels: `data`, as any resize gives them.

        Raises ValueError where either has no pixels.
        """
        height, width = data.shape[:2]
        return Image(data, self.colour, self.geometry.resampled(width, height))
