"""`preprocess.layout`: order of axes."""

from __future__ import annotations

from typing import ClassVar

from holoflow import Array, Image, Operator, param

from ._arrays import Layout, arrange, axes_of, packed


class LayoutOp(Operator):
    """Put the axes of an image or an array in another order.

    Axes: N batch, C channels, H rows, W columns. A new axis has length 1, and an axis that is
    removed must have it. The result is contiguous, with the last axis varying fastest. Values and
    dtype are kept.

    Example:
        planes:
          type: preprocess.layout
          inputs: {image: scaled}
          with: {to: nchw}
    """

    stateless: ClassVar[bool] = True

    to: Layout = param(doc="order of the axes of the result")
    source: Layout = param("hwc", doc="order of the axes of an array; an image knows its own")

    def process(self, image: Image | Array) -> Array:
        """Return the array; raises ValueError if its axes are not those of `source`."""
        if isinstance(image, Image):
            data, source = image.data, axes_of(image)
        else:
            data, source = image, self.source
        return packed(arrange(data, source, self.to), data.dtype)
