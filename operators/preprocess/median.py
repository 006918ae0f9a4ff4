"""`preprocess.median`: median filter."""

from __future__ import annotations

from typing import ClassVar

from holoflow import Image, Operator, param

from ._kernels import median


class MedianOp(Operator):
    """Replace each pixel by the median of those around it: removes specks, keeps edges.

    Each channel is processed separately; border pixels are repeated. Colour and dtype are kept.
    With a radius above 2, images of other dtypes than uint8 take long and need much memory.

    Example:
        clean:
          type: preprocess.median
          inputs: {image: camera}
          with: {radius: 1}
    """

    stateless: ClassVar[bool] = True

    radius: int = param(1, ge=1, le=127, doc="the window has 2 radius + 1 pixels a side", live=True)

    def process(self, image: Image) -> Image:
        """Return the filtered image; raises ValueError if the window is larger than it."""
        return image.with_data(median(image.data, self.radius))
