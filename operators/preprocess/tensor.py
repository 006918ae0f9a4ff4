"""`preprocess.tensor`: images as the named arrays that models take."""

from __future__ import annotations

from typing import ClassVar, Literal

from holoflow import Array, Arrays, Image, Operator, namespace, param

from ._arrays import Layout, arrange, axes_of, check_fits, packed


class TensorOp(Operator):
    """Turn an image or an array into a named array, as `inference.onnx` takes it.

    Values are kept (`preprocess.normalise` scales them), only the dtype changes; a float converted
    to an integer dtype loses its fraction. The axes of an image are put in the order of `layout`;
    an array keeps its axes.

    Example:
        tensor:
          type: preprocess.tensor
          inputs: {image: scaled}
          with: {name: input.1, layout: nchw}
    """

    stateless: ClassVar[bool] = True

    name: str = param("input", min_length=1, doc="name of the array: the model's input")
    layout: Layout = param("nchw", doc="order of the axes: N batch, C channels, H rows, W columns")
    dtype: Literal["float16", "float32", "float64", "uint8", "int8", "int32", "int64"] = param(
        "float32", doc="type of the elements"
    )

    def process(self, image: Image | Array) -> Arrays:
        """Return the array under its name; ValueError if the dtype cannot hold its values."""
        if isinstance(image, Image):
            data, geometry = arrange(image.data, axes_of(image), self.layout), image.geometry
        else:
            data, geometry = image, None
        check_fits(data, self.dtype)
        made = packed(data, getattr(namespace(data), self.dtype))
        return Arrays({self.name: made}, geometry=geometry)
