"""The way back from a letterboxed image, as `preprocess.letterbox` notes it in the metadata."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from holoflow.payload import Array


def points_back(points: Array, metadata: Mapping[str, Any]) -> Array:
    """Return `points`, (..., 2) of x and y, in pixels of the image before the letterbox.

    They stay as they are where there was none.
    """
    box = metadata.get("letterbox")
    if box is None:
        return points
    corner = np.asarray([box["left"], box["top"]], points.dtype)
    back: Array = (points - corner) / points.dtype.type(box["scale"])
    return back


def boxes_back(xyxy: Array, metadata: Mapping[str, Any]) -> Array:
    """Return boxes, (N, 4), in pixels of the image before the letterbox, cut off at its edges.

    They stay as they are where there was none.
    """
    box = metadata.get("letterbox")
    if box is None:
        return xyxy
    back = points_back(xyxy.reshape(-1, 2, 2), metadata)
    edges = np.asarray([box["width"], box["height"]], xyxy.dtype)
    return np.clip(back, 0, edges).reshape(-1, 4)
