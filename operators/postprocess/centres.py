"""`postprocess.centres`: boxes and landmarks from heatmaps of object centres."""

from __future__ import annotations

from typing import ClassVar, TypedDict

import numpy as np

from holoflow import (
    Array,
    Arrays,
    Boxes,
    Keypoints,
    Operator,
    namespace,
    param,
    to_numpy,
)
from holoflow.core.text import choices

from ._results import check_known, corners, in_source, suppress


class Centres(TypedDict):
    """Objects and their landmarks, in the same order."""

    boxes: Boxes
    keypoints: Keypoints


class CentresOp(Operator):
    """Find objects as peaks of a heatmap of their centres, with size and landmarks.

    Objects as points (Zhou et al., arXiv:1904.07850) in the form of CenterFace (Xu et al.,
    arXiv:1911.03599). The model returns maps at one `stride`-th of the image's height and width:

    - `heatmap` (1, classes, h, w): how likely an object's centre is here, 0 to 1;
    - `offset` (1, 2, h, w): from the middle of the cell to the centre, y and x, in cells;
    - `scale` (1, 2, h, w): logarithm of height and width in cells;
    - `landmarks` (1, 2 K, h, w), optional: y and x of each of K points, from the upper left corner
      of the box, in heights and widths of the box.

    Overlapping boxes of a class are reduced to the best one (see `postprocess.nms`). Everything is
    in pixels of the source of the image, whatever `preprocess.letterbox`, `resize` and `crop` have
    changed; boxes are clipped to the source's edges. If the geometry of the maps is unknown, it is
    in pixels of the model's input.

    Example:
        faces:
          type: postprocess.centres
          inputs: {maps: detect}
          with: {threshold: 0.4, points: [left eye, right eye, nose, mouth left, mouth right]}
    """

    stateless: ClassVar[bool] = True

    threshold: float = param(0.5, ge=0, le=1, doc="lowest score of an object", live=True)
    overlap: float = param(
        0.3, ge=0, le=1, doc="largest intersection over union of two boxes of a class", live=True
    )
    limit: int = param(100, ge=1, doc="largest number of objects", live=True)
    stride: int = param(4, ge=1, doc="pixels of the image per cell of the maps")
    names: list[str] = param([], doc="names of the classes")
    points: list[str] = param([], doc="names of the landmarks")

    def process(self, maps: Arrays) -> Centres:
        """Return the objects, best first; raises ValueError if maps are missing or do not fit."""
        check_known(maps, self.context.warn_once)
        heat, scale, offset, marks = self._maps(maps)
        xp = namespace(heat)
        # (objects,) each: class, row and column of every cell with a score above the threshold.
        # NaN is kept until now, to be reported and left out like invalid boxes.
        cells = xp.nonzero(~(heat < self.threshold))
        score = _host(heat[cells])
        label, row, column = (to_numpy(axis) for axis in cells)
        place = cells[1] * heat.shape[2] + cells[2]
        with np.errstate(over="ignore"):
            scaled = np.exp(_columns(scale, place))[:, ::-1] * self.stride
        cell = np.stack([column, row], axis=1).astype(np.float32)
        centre = (cell + _columns(offset, place)[:, ::-1] + np.float32(0.5)) * self.stride
        xyxy = corners(centre, scaled)
        kept = suppress(xyxy, score, label, self.overlap, self.limit, self.context.warn_once)
        points = _columns(marks, place)[kept].reshape(len(kept), marks.shape[0] // 2, 2)[:, :, ::-1]
        points = xyxy[kept, None, :2] + points * scaled[kept, None, :]
        seen = maps.geometry
        boxes = Boxes(xyxy[kept], score[kept], label[kept], tuple(self.names), geometry=seen)
        marked = Keypoints(points, names=tuple(self.points), geometry=seen)
        return {
            "boxes": in_source(boxes),
            "keypoints": marked if seen is None else marked.on(seen.of_source),
        }

    def _maps(self, maps: Arrays) -> list[Array]:
        """Return heatmap, scale, offset and landmarks without their first axis."""
        for name in ("heatmap", "scale", "offset"):
            if name not in maps:
                raise ValueError(
                    f"there is no map {name!r}; there are {choices(map(repr, maps))}. `outputs` "
                    f"of inference.onnx names them"
                )
        heat = maps["heatmap"]
        names = 2 * len(self.points)
        empty = heat[:, :0, ...]
        found = [heat, maps["scale"], maps["offset"], maps.get("landmarks", empty)]
        depths = [heat.shape[1:2], (2,), (2,), (names,) if names else found[3].shape[1:2]]
        for name, array, depth in zip(
            ("heatmap", "scale", "offset", "landmarks"), found, depths, strict=True
        ):
            expected = (1, *depth, *heat.shape[2:])
            odd = name == "landmarks" and depth[0] % 2
            if len(heat.shape) != 4 or tuple(array.shape) != expected or odd:
                raise ValueError(
                    f"the map {name!r} must have shape {_form(name, names)}, and all the same "
                    f"height and width, got {tuple(array.shape)}"
                )
        return [array[0, ...] for array in found]


def _form(name: str, landmarks: int) -> str:
    depth = {"heatmap": "classes", "landmarks": str(landmarks or "2 K")}.get(name, "2")
    return f"(1, {depth}, h, w)"


def _columns(values: Array, place: Array) -> Array:
    """Return `values`, (depth, h, w), at the cells `place` as float32 of (objects, depth).

    Cells are numbered row by row.
    """
    xp = namespace(values)
    flat = xp.reshape(values, (values.shape[0], values.shape[1] * values.shape[2]))
    return _host(xp.take(flat, place, axis=1)).T


def _host(array: Array) -> Array:
    return to_numpy(array).astype(np.float32)
