"""`preprocess.letterbox`: fitting into a fixed size without distortion."""

from __future__ import annotations

from typing import ClassVar, Literal

from holoflow import Image, Operator, namespace, param

from ._arrays import from_fraction
from ._kernels import Interpolation, resize


class LetterboxOp(Operator):
    """Fit an image into a fixed size without distortion, with a border around it.

    The geometry of the result allows to map back, and is passed on with the arrays made of it:
    `postprocess.yolo` and others return what they find in pixels of the source. Colour and dtype
    are kept.

    Example:
        fitted:
          type: preprocess.letterbox
          inputs: {image: camera}
          with: {width: 640, height: 640, padding: 0.447}
    """

    stateless: ClassVar[bool] = True

    width: int = param(ge=1, doc="columns of the result, in pixels")
    height: int = param(ge=1, doc="rows of the result, in pixels")
    padding: float = param(
        0.0, ge=0, le=1, doc="value of the border in every channel, as a fraction of full scale"
    )
    align: Literal["centre", "top_left"] = param(
        "centre", doc="position of the image in the result"
    )
    enlarge: bool = param(True, doc="whether an image smaller than the result is enlarged")
    interpolation: Interpolation = param("area", doc="resampling, as in preprocess.resize")

    def process(self, image: Image) -> Image:
        """Return the image with its border; raises ValueError if it has no pixels."""
        xp = namespace(image.data)
        scale = min(self.width / max(image.width, 1), self.height / max(image.height, 1))
        if not self.enlarge:
            scale = min(scale, 1.0)
        # Rounding a side moves the far edge by at most half a pixel.
        width = max(round(image.width * scale), 1)
        height = max(round(image.height * scale), 1)
        centred = self.align == "centre"
        left = (self.width - width) // 2 if centred else 0
        top = (self.height - height) // 2 if centred else 0
        inner = image.data
        if (width, height) != (image.width, image.height):
            inner = resize(inner, height, width, self.interpolation)
        border = from_fraction(xp.asarray([self.padding]), image.data)
        data = xp.empty((self.height, self.width, *image.data.shape[2:]), dtype=image.data.dtype)
        data[...] = border
        data[top : top + height, left : left + width, ...] = inner
        inside = image.geometry.resampled(width, height)
        return Image(data, image.colour, inside.cropped(-left, -top, self.width, self.height))
