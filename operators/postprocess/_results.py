"""Results of models: picking an array; geometry and selection of boxes, in NumPy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from holoflow.core.array import Array, to_numpy
from holoflow.core.objects import Boxes
from holoflow.core.samples import Arrays
from holoflow.core.text import choices, suggestion


def pick(arrays: Arrays, name: str) -> Array:
    """Return the array `name`, or the only array if `name` is empty; raises ValueError."""
    if name in arrays:
        return arrays[name]
    if not name and len(arrays) == 1:
        return next(iter(arrays.values()))
    if name:
        meant = suggestion(name, arrays, f"there are {choices(map(repr, arrays))}")
        raise ValueError(f"there is no array {name!r}; {meant}")
    has = choices(map(repr, arrays))
    raise ValueError(f"there are the arrays {has}; `array` must say which one to use")


def check_known(arrays: Arrays, warn: Callable[..., None]) -> None:
    """Call `warn` if the geometry of the picture behind `arrays` is unknown."""
    if arrays.geometry is None:
        warn(
            "the geometry of the picture behind the arrays is unknown, so places are given "
            "in pixels of the model's input; an image that goes through preprocess.tensor passes "
            "its geometry on"
        )


def take(boxes: Boxes, index: Array) -> Boxes:
    """Return the boxes at `index`, in that order, with all their attributes."""

    def part(values: Array | None) -> Array | None:
        return None if values is None else to_numpy(values)[index]

    return replace(
        boxes,
        xyxy=to_numpy(boxes.xyxy)[index],
        scores=part(boxes.scores),
        labels=part(boxes.labels),
        ids=part(boxes.ids),
    )


def in_source(boxes: Boxes) -> Boxes:
    """Return the boxes in pixels of their source, clipped to its edges.

    They are returned unchanged if their geometry is unknown.
    """
    if boxes.geometry is None:
        return boxes
    moved = boxes.on(boxes.geometry.of_source)
    edges = np.asarray(2 * boxes.geometry.source, moved.xyxy.dtype)
    return replace(moved, xyxy=np.clip(moved.xyxy, 0, edges))


def iou(one: Array, others: Array) -> Array:
    """Return intersection over union, (N,), of box `one` (4,) with `others` (N, 4).

    It is 0 if both have no area.
    """
    upper_left = np.maximum(one[:2], others[:, :2])
    lower_right = np.minimum(one[2:], others[:, 2:])
    shared = np.prod(np.clip(lower_right - upper_left, 0, None), axis=1)
    union = _area(one) + _area(others) - shared
    ratio: Array = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return ratio


def sound(xyxy: Array, scores: Array, warn: Callable[..., None]) -> Array:
    """Return which boxes are valid, (N,) bool: finite, not inverted, and with a finite score.

    `warn` is called with a format and its values if there are invalid ones.
    """
    with np.errstate(invalid="ignore"):
        ordered = (xyxy[:, 2:] >= xyxy[:, :2]).all(axis=1)
    good: Array = np.isfinite(xyxy).all(axis=1) & ordered & np.isfinite(scores)
    if not good.all():
        warn(
            "%d of %d boxes are invalid: their corners or scores are not finite, or "
            "their right or bottom edge is before the left or top one; they are left out",
            np.count_nonzero(~good), len(good),
        )  # fmt: skip
    return good


def suppress(
    xyxy: Array, scores: Array, labels: Array | None, overlap: float, limit: int,
    warn: Callable[..., None],
) -> Array:  # fmt: skip
    """Greedy non-maximum suppression: return the indices of the boxes that remain, best first.

    A box is removed if its intersection over union with a better remaining box is above `overlap`;
    with `labels`, only boxes of the same class compete. Of equal scores the first wins.

    Args:
        xyxy: Corners, (N, 4).
        scores: Scores, (N,).
        labels: Classes, (N,), or None.
        overlap: Largest intersection over union that remains.
        limit: Largest number of boxes that remain; invalid ones never do.
        warn: See `sound`.
    """
    xyxy = xyxy.astype(np.float64)
    good = sound(xyxy, scores, warn)
    left = np.argsort(-scores.astype(np.float64), kind="stable")
    left = left[good[left]]
    kept: list[int] = []
    while left.size and len(kept) < limit:
        best, left = left[0], left[1:]
        kept.append(int(best))
        rival = iou(xyxy[best], xyxy[left]) > overlap
        if labels is not None:
            rival &= labels[left] == labels[best]
        left = left[~rival]
    return np.asarray(kept, np.int64)


def corners(centre: Array, size: Array) -> Array:
    """Return left, top, right, bottom, (N, 4), of boxes with centre and size, (N, 2) each."""
    return np.concatenate([centre - size / 2, centre + size / 2], axis=1)


def _area(boxes: Array) -> Array:
    sides = boxes[..., 2:] - boxes[..., :2]
    area: Array = np.prod(np.clip(sides, 0, None), axis=-1)
    return area
