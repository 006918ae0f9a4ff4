"""Cutting out a part of an image."""

from __future__ import annotations

from holoflow import Image, Operator, param


class CropOp(Operator):
    """Cut a rectangle out of an image.

    The result shares the pixels of the image that came in: nothing is copied.

    Example:
        sector:
          type: preprocess.crop
          inputs: {image: cine}
          with: {left: 40, top: 16, width: 260, height: 190}
    """

    left: int = param(0, ge=0, doc="first column of the result, in pixels")
    top: int = param(0, ge=0, doc="first row of the result, in pixels")
    width: int | None = param(None, ge=1, doc="columns, in pixels; all to the right without it")
    height: int | None = param(None, ge=1, doc="rows, in pixels; all below without it")

    def process(self, image: Image) -> Image:
        """Return the rectangle; raises ValueError where it does not lie inside the image."""
        right = image.width if self.width is None else self.left + self.width
        bottom = image.height if self.height is None else self.top + self.height
        if not (self.left < right <= image.width and self.top < bottom <= image.height):
            raise ValueError(
                f"the rectangle does not lie inside the image: columns {self.left} to {right} of "
                f"{image.width}, rows {self.top} to {bottom} of {image.height}"
            )
        return image.with_data(image.data[self.top : bottom, self.left : right, ...])
