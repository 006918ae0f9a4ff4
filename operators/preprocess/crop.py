"""`preprocess.crop`: cutting out a part of an image."""

from __future__ import annotations

from typing import ClassVar

from holoflow import Image, Operator, param


class CropOp(Operator):
    """Cut a rectangle out of an image.

    The result shares the pixels of the input: nothing is copied. Its geometry says where it is, so
    that anything found in it can be given in pixels of the whole image.

    Example:
        sector:
          type: preprocess.crop
          inputs: {image: cine}
          with: {left: 40, top: 16, width: 260, height: 190}
    """

    stateless: ClassVar[bool] = True

    left: int = param(0, ge=0, doc="first column of the result, in pixels", live=True)
    top: int = param(0, ge=0, doc="first row of the result, in pixels", live=True)
    width: int | None = param(None, ge=1, doc="columns, in pixels; by default up to the right edge")
    height: int | None = param(None, ge=1, doc="rows, in pixels; by default down to the lower edge")

    def process(self, image: Image) -> Image:
        """Return the rectangle; raises ValueError if it is not within the image."""
        right = image.width if self.width is None else self.left + self.width
        bottom = image.height if self.height is None else self.top + self.height
        return image.cropped(self.left, self.top, right, bottom)
