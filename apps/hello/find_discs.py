"""The app's own operator: finds bright discs on a dark ground."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from holoflow import Boxes, Image, Operator, param, to_numpy


class FindDiscsOp(Operator):
    """Find what is brighter than its surroundings, as one box for each connected patch."""

    level: int = param(100, ge=0, le=255, doc="pixels above this in any channel belong to a disc")
    smallest: int = param(200, ge=1, doc="pixels; smaller patches are taken for noise")

    def process(self, image: Image) -> Boxes:
        """Take a uint8 image in any colour order; give a box for each patch, from the left."""
        pixels = to_numpy(image.data)
        bright = pixels.max(axis=2) > self.level if pixels.ndim == 3 else pixels > self.level
        patches, count = ndimage.label(bright)
        sizes = ndimage.sum_labels(bright, patches, np.arange(1, count + 1))
        places = [
            place
            for place, size in zip(ndimage.find_objects(patches), sizes, strict=True)
            if size >= self.smallest
        ]
        corners = [(x.start, y.start, x.stop, y.stop) for y, x in places]
        return Boxes(np.array(sorted(corners), np.float32).reshape(-1, 4), geometry=image.geometry)
