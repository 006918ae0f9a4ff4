"""Order of axes."""

from __future__ import annotations

from holoflow import Array, Image, Operator, param

from ._arrays import Layout, arrange, axes_of, packed


class LayoutOp(Operator):
    """Put the axes of an image or an array in another order.

    Axes: N batch, C channels, H rows, W columns. An axis that is new gets the length 1, one
    that goes must have it. The result is packed: the last axis lies together in memory. Values
    and dtype stay.

    Example:
        planes:
          type: preprocess.layout
          inputs: {image: scaled}
          with: {to: nchw}
    """

    to: Layout = param(doc="order of the axes that go out")
    source: Layout = param("hwc", doc="order of the axes of an array; an image knows its own")

    def process(self, image: Image | Array) -> Array:
        """Return the array; raises ValueError where its axes are not those of `source`."""
        if isinstance(image, Image):
            data, source = image.data, axes_of(image)
        else:
            data, source = image, self.source
        return packed(arrange(data, source, self.to), data.dtype)
