"""`preprocess.resize`: resampling to another size."""

from __future__ import annotations

from typing import Any, ClassVar

from holoflow import Image, Operator, ParameterError, param

from ._kernels import Interpolation, resize


class ResizeOp(Operator):
    """Resample an image to another size.

    Give `width`, `height` or both, or `scale`. With only one of `width` and `height`, the other
    follows from the aspect ratio. Colour and dtype are kept, and the distance of pixel centres is
    adapted if it is known. For a fixed size without distortion use `preprocess.letterbox`.

    Example:
        smaller:
          type: preprocess.resize
          inputs: {image: camera}
          with: {width: 320}
    """

    stateless: ClassVar[bool] = True

    width: int | None = param(None, ge=1, doc="columns of the result, in pixels")
    height: int | None = param(None, ge=1, doc="rows of the result, in pixels")
    scale: float | None = param(None, gt=0, doc="factor for both, instead of width and height")
    interpolation: Interpolation = param(
        "area",
        doc="resampling: area averages what a pixel covers (linear if the image grows); "
        "nearest, linear and cubic sample, and therefore alias when shrinking",
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
        """Return the image in the new size; raises ValueError if it has no pixels."""
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
