"""What is drawn over a picture, equal in a clip and on the live page: colours and labels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from holoflow.core.array import to_numpy
from holoflow.core.objects import Boxes, Keypoints
from holoflow.core.pictures import Image, Mask

PALETTE: tuple[tuple[int, int, int], ...] = (
    (230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66),
    (0, 114, 178), (213, 94, 0), (204, 121, 167),
)  # fmt: skip
"""Red, green and blue of class 0, 1, … and again from the start.

Colours that colour-blind people can distinguish: Okabe and Ito, "Color Universal Design", 2008.
"""

Found = TypeVar("Found", Boxes, Mask, Keypoints)
LabelPart: TypeAlias = Literal["name", "id", "score"]

_FAR = 30_000.0  # pixels; beyond any screen, but within what drawing libraries accept


@dataclass(frozen=True, slots=True)
class BoxMark:
    """A box to draw."""

    xyxy: tuple[float, float, float, float]
    colour: int
    """Index into `PALETTE`."""
    label: str
    """`face #7 0.93`; may be empty."""


def box_marks(
    boxes: Boxes, parts: tuple[LabelPart, ...], width: float = math.inf, height: float = math.inf
) -> list[BoxMark]:
    """Return what to draw for `boxes`, with labels made of `parts`.

    Boxes without a place, and those outside a picture of `width` x `height`, are left out.
    """
    xyxy = to_numpy(boxes.xyxy).astype(float).tolist()
    labels, ids, scores = (
        [None] * len(xyxy) if values is None else to_numpy(values).tolist()
        for values in (boxes.labels, boxes.ids, boxes.scores)
    )
    marks = []
    for box, label, number, score in zip(xyxy, labels, ids, scores, strict=True):
        if not all(math.isfinite(value) for value in box):
            continue
        if max(box[0], box[2]) < 0 or max(box[1], box[3]) < 0:
            continue
        if min(box[0], box[2]) > width or min(box[1], box[3]) > height:
            continue
        words = {
            "name": None if label is None else _name(boxes.names, label),
            "id": None if number is None or number < 0 else f"#{number}",
            "score": None if score is None or math.isnan(score) else f"{score:.2f}",
        }
        text = " ".join(word for part in parts if (word := words[part]))
        x1, y1, x2, y2 = (min(max(value, -_FAR), _FAR) for value in box)
        marks.append(BoxMark((x1, y1, x2, y2), (label or 0) % len(PALETTE), text))
    return marks


def on(image: Image, found: Found | None) -> Found | None:
    """Return `found` in pixels of `image`; raises ValueError if it is from another source."""
    return None if found is None else found.on(image.geometry)


def check_flat(keypoints: Keypoints) -> None:
    """Raise ValueError for points in space, which have no place in a picture."""
    if keypoints.points.shape[2] != 2:
        raise ValueError(
            "cannot draw keypoints in space, of shape (N, K, 3); give their place on the "
            "picture in pixels, of shape (N, K, 2)"
        )


def points(keypoints: Keypoints) -> list[list[tuple[float, float] | None]]:
    """Return x, y of each point of each object; None for a point without a place.

    Raises:
        ValueError: The points are in space.
    """
    check_flat(keypoints)
    place = to_numpy(keypoints.points).astype(float).tolist()
    return [
        [
            (min(max(x, -_FAR), _FAR), min(max(y, -_FAR), _FAR))
            if math.isfinite(x) and math.isfinite(y)
            else None
            for x, y in one
        ]
        for one in place
    ]


def check_size(mask: Mask, image: Image) -> None:
    """Raise ValueError unless mask and image have the same size."""
    height, width = mask.data.shape
    if (height, width) != (image.height, image.width):
        raise ValueError(
            f"the mask has {width}x{height} pixels and the image {image.width}x{image.height}; "
            f"they must have the same size"
        )


def mask_colours(mask: Mask) -> tuple[npt.NDArray[np.uint8], int, int]:
    """Return the part of `mask` that is not background, and its left and top in pixels.

    The part is (h, w) uint8, empty if everything is background. 0 is background, k stands for
    colour k - 1 of `PALETTE`.
    """
    data = to_numpy(mask.data)
    inside = data > 0
    rows = np.flatnonzero(inside.any(axis=1))
    if not len(rows):
        return np.zeros((0, 0), np.uint8), 0, 0
    top, bottom = rows[0], rows[-1] + 1
    columns = np.flatnonzero(inside[top:bottom].any(axis=0))
    left, right = columns[0], columns[-1] + 1
    part, inside = data[top:bottom, left:right], inside[top:bottom, left:right]
    if part.dtype != bool and part.max() > len(PALETTE):
        part = (part - 1) % len(PALETTE) + 1
    return part.astype(np.uint8) * inside, int(left), int(top)


def _name(names: tuple[str, ...], label: int) -> str:
    return names[label] if 0 <= label < len(names) else str(label)
