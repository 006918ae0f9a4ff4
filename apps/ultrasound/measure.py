"""The app's own operator: measures the largest structure that moves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

import numpy as np
from scipy import ndimage

from holoflow import Array, Boxes, Image, Mask, Operator, Text, param, to_numpy


class Measured(TypedDict):
    """The structure, once for each way to show it."""

    boxes: Boxes
    mask: Mask
    text: Text


class MeasureOp(Operator):
    """Measure the largest connected structure in a picture of what changes.

    `mask` is 1 where the structure is, `boxes` holds its extent, and `text` says its area and
    its extent, width before height: in mm where the distance of the image's pixels is known,
    as `capture.dicom` knows it, else in pixels. Where nothing moves there is no box.
    """

    level: float = param(0.1, gt=0, lt=1, doc="least change that counts, of full scale")
    smallest: int = param(40, ge=1, doc="pixels; smaller structures are taken for noise")

    def process(self, motion: Image) -> Measured:
        """Take a gray uint8 image, the change of each pixel; raises ValueError for others."""
        if motion.colour != "gray" or motion.data.dtype != np.uint8:
            raise ValueError(
                f"takes gray in uint8, got {motion.colour} in {motion.data.dtype}; "
                f"put preprocess.colour before"
            )
        structure = largest(to_numpy(motion.data) > 255 * self.level, self.smallest)
        geometry = motion.geometry
        extents = [(x.start, y.start, x.stop, y.stop) for y, x in ndimage.find_objects(structure)]
        spacing = geometry.spacing_at(*extents[0]) if extents else None
        return {
            "boxes": Boxes(np.array(extents, np.float32).reshape(-1, 4), geometry=geometry),
            "mask": Mask(structure, names=("still", "moving"), geometry=geometry),
            "text": Text(described(structure, spacing)),
        }


def described(structure: Array, spacing: Sequence[float] | None) -> str:
    """Return area and extent of `structure` in words; `spacing` is down and across, in mm."""
    if not structure.any():
        return "nothing moves"
    down, across = spacing or (1, 1)
    area = np.count_nonzero(structure) * down * across
    height = np.ptp(np.flatnonzero(structure.any(axis=1))) + 1
    width = np.ptp(np.flatnonzero(structure.any(axis=0))) + 1
    square, unit = ("mm²", "mm") if spacing else ("pixels", "pixels")
    return f"area {area:.0f} {square}\nextent {width * across:.0f} x {height * down:.0f} {unit}"


def largest(moving: Array, smallest: int) -> Array:
    """Return where the largest connected part of `moving` is: uint8, 1 inside.

    Pixels that touch at a corner are connected. A part of less than `smallest` pixels is none;
    of equal ones it is the first from the top.
    """
    parts, _ = ndimage.label(moving, structure=np.ones((3, 3)))
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    chosen = int(sizes.argmax())
    inside: Array = (parts == chosen) & (sizes[chosen] >= smallest)
    return inside.astype(np.uint8)
