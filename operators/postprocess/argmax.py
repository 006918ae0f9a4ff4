"""The best class of each pixel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from holoflow import Array, Arrays, Header, Mask, Operator, namespace, param

from ._arrays import pick


class ArgmaxOp(Operator):
    """Make a mask of scores: each pixel gets the class that scores best there.

    Scores have shape (1, classes, height, width), of any unit and dtype; of equal ones the
    first class wins. Where the image came through `preprocess.letterbox`, the mask is that of
    the one before: its border is cut off and its pixels are taken from the nearest place.

    Example:
        organs:
          type: postprocess.argmax
          inputs: {scores: segment}
          with: {names: [background, liver, kidney]}
    """

    names: list[str] = param([], doc="of the classes, the background's first")
    array: str = param("", doc="name of the array to read; empty for the only one")

    def process(self, header: Header, scores: Arrays) -> Mask:
        """Return the mask, uint8 up to 256 classes, else int32; ValueError for another shape."""
        found = pick(scores, self.array)
        shape = tuple(found.shape)
        if len(shape) != 4 or shape[0] != 1 or shape[1] < 2:
            raise ValueError(
                f"scores must have shape (1, classes, height, width) with two classes or more, "
                f"got {shape}"
            )
        if self.names and len(self.names) != shape[1]:
            raise ValueError(f"`names` has {len(self.names)} classes, the scores {shape[1]}")
        xp = namespace(found)
        best = xp.argmax(found[0, ...], axis=0)
        mask = xp.astype(best, xp.uint8 if shape[1] <= 256 else xp.int32)
        if "letterbox" in header.metadata:
            mask = _before(mask, header.metadata["letterbox"])
        return Mask(mask, tuple(self.names))


def _before(mask: Array, box: Mapping[str, Any]) -> Array:
    """Return `mask` in the pixels of the image before the letterbox."""
    xp = namespace(mask)
    for axis, (side, corner) in enumerate((("height", "top"), ("width", "left"))):
        middles = xp.arange(box[side], dtype=xp.float64) + 0.5
        nearest = xp.astype(xp.floor(middles * box["scale"]), xp.int64) + box[corner]
        nearest = xp.clip(nearest, 0, mask.shape[axis] - 1)
        mask = xp.take(mask, nearest, axis=axis)
    return mask
