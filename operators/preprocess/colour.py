"""`preprocess.colour`: conversion between colour orders."""

from __future__ import annotations

from typing import ClassVar, Literal

from holoflow import Image, Operator, param

from ._conversion import convert


class ColourOp(Operator):
    """Convert an image to another colour order.

    gray is the luma of ITU-R BT.601; ycbcr the full range of JFIF (ITU-T T.871), with chroma around
    the middle (128 in uint8); hsv that of Smith (1978), with a full turn of the hue as 256 in
    uint8, 65536 in uint16 and 1 in floats. Alpha is dropped if the new order has none, and opaque
    if the old one had none. The dtype is kept, and an image already in the requested order is
    passed on unchanged.

    Example:
        gray:
          type: preprocess.colour
          inputs: {image: camera}
          with: {to: gray}
    """

    stateless: ClassVar[bool] = True

    to: Literal["gray", "rgb", "bgr", "rgba", "bgra", "ycbcr", "hsv"] = param(
        doc="colour order of the result"
    )

    def process(self, image: Image) -> Image:
        """Return the image in the order `to`; raises ValueError if it is in lab."""
        if image.colour == self.to:
            return image
        return Image(convert(image.data, image.colour, self.to), self.to, image.geometry)
