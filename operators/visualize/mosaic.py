"""`visualize.mosaic`: several pictures in one."""

from __future__ import annotations

import math

import numpy as np

from holoflow.core.array import Array
from holoflow.core.operator import Operator, param
from holoflow.core.pictures import Image
from holoflow.operators.preprocess._conversion import convert
from holoflow.operators.preprocess.letterbox import LetterboxOp
from holoflow.operators.visualize._pixels import Scale, pixels


class MosaicOp(Operator):
    """Put images side by side, in rows from the top left, in the order of the inputs.

    Each is fitted into a tile without distortion. The result is rgb with 8 bits per channel,
    whatever the colours and dtypes of the inputs; tiles without an image are black.

    Example:
        both:
          type: visualize.mosaic
          inputs: {images: [left.image, right.image]}
          with: {width: 640, height: 360}
    """

    columns: int | None = param(
        None, ge=1, doc="tiles in a row; by default, about as many as there are rows"
    )
    width: int | None = param(
        None, ge=1, doc="columns of a tile, in pixels; by default those of the first image"
    )
    height: int | None = param(
        None, ge=1, doc="rows of a tile, in pixels; by default those of the first image"
    )

    _fit: LetterboxOp | None = None
    _scales: tuple[Scale, ...] = ()
    """Black and white in the stream of each input."""

    def process(self, images: list[Image]) -> Image:
        """Return the images in one; raises ValueError if one cannot be shown."""
        if self._fit is None:  # all results have the size of the first one
            first = images[0]
            self._fit = LetterboxOp(
                width=self.width or first.width, height=self.height or first.height,
                padding=0, align="centre", enlarge=True, interpolation="area",
            )  # fmt: skip
            self._scales = tuple(Scale(self.context.warn_once) for _ in images)
        tiles = [
            self._tile(self._fit, image, scale)
            for image, scale in zip(images, self._scales, strict=True)
        ]
        columns = min(self.columns or math.ceil(math.sqrt(len(tiles))), len(tiles))
        rows = math.ceil(len(tiles) / columns)
        height, width, _ = tiles[0].shape
        whole = np.zeros((rows * height, columns * width, 3), np.uint8)
        for index, tile in enumerate(tiles):
            top, left = index // columns * height, index % columns * width
            whole[top : top + height, left : left + width] = tile
        return Image(whole, "rgb")

    @staticmethod
    def _tile(fit: LetterboxOp, image: Image, scale: Scale) -> Array:
        shown = Image(convert(pixels(image, scale), image.colour, "rgb"), "rgb")
        return fit.process(shown).data
