"""The app's own operator: finds bright discs on a dark ground."""

from __future__ import annotations

import numpy as np

from holoflow import Boxes, Image, Operator, param, to_numpy


class FindDiscsOp(Operator):
    """Find what is brighter than its surroundings, as one box for each connected patch."""

    level: int = param(
        100, ge=0, le=255, doc="pixels above this in any channel belong to a disc", live=True
    )
    smallest: int = param(200, ge=1, doc="pixels; smaller patches are taken for noise", live=True)

    def process(self, image: Image) -> Boxes:
        """Take a uint8 image in any colour order; give a box for each patch, from the left."""
        import cv2  # here, so that checking the app does not import it

        pixels = to_numpy(image.data)
        bright = pixels.max(axis=2) > self.level if pixels.ndim == 3 else pixels > self.level
        _, _, patches, _ = cv2.connectedComponentsWithStats(bright.astype(np.uint8), connectivity=4)
        corners = [
            (x, y, x + width, y + height)
            for x, y, width, height, size in patches[1:]  # the first is the ground
            if size >= self.smallest
        ]
        return Boxes(np.array(sorted(corners), np.float32).reshape(-1, 4), geometry=image.geometry)
