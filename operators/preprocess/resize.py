"""Resampling to another size."""

from __future__ import annotations

from typing import Any

from holoflow import Image, Operator, ParameterError, param

from ._kernels import Interpolation, resize


class ResizeOp(Operator):
    """Resample an image to another size.

    Give `width`, `height` or both, or `scale`. With one of `width` and `height` the other
    follows, so that the shape of things stays. Colour and dtype stay; the distance of pixel
    centres follows, where it is known. To a fixed size without distortion:
    `preprocess.letterbox`.

    Example:
        smaller:
          type: preprocess.resize
          inputs: {image: camera}
          with: {width: 320}
    """

    width: int | None = param(None, ge=1, doc="columns of the result, in pixels")
    height: int | None = param(None, ge=1, doc="rows of the result, in pixels")
    scale: float | None = param(None, gt=0, doc="factor on both, instead of width and height")
    interpolation: Interpolation = param(
        "area",
        doc="how pixels are made: area averages what a pixel covers (linear where it grows); "
        "nearest, linear and cubic sample, and so alias when shrinking",
    )

    def __init__(self, **parameters: Any) -> None:
        """Check the parameters; raises `ParameterError`."""
        super().__init__(**parameters)
        by_size = self.width is not None or self.height is not None
        if by_size == (self.scale is not None):
            given = "both a size and a scale" if by_size else "neither a size nor a scale"
            raise ParameterError(
                f"{type(self).__name__}: it has {given}",
                "give either width, height or both, or scale",
            )

    def process(self, image: Image) -> Image:
        """Return the image in the new size; raises ValueError for one without pixels."""
        height, width = self._size(image.height, image.width)
        if (height, width) == (image.height, image.width):
            return image
        return image.resampled(resize(image.data, height, width, self.interpolation))

    def _size(self, height: int, width: int) -> tuple[int, int]:
        if self.height is not None and self.width is not None:
            return self.height, self.width
        if self.height is not None:
            factor = self.height / max(height, 1)
        elif self.width is not None:
            factor = self.width / max(width, 1)
        else:
            factor = self.scale or 1.0
        return max(round(height * factor), 1), max(round(width * factor), 1)
