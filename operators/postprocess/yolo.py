"""`postprocess.yolo`: boxes from the output of YOLO models."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from holoflow import Array, Arrays, Boxes, Operator, namespace, param, to_numpy

from ._results import check_known, corners, in_source, pick, suppress


class YoloOp(Operator):
    """Turn the output of a YOLO model into boxes.

    `head: v5`, also for v7 and YOLOX: (1, candidates, 5 + classes) with centre x, centre y, width,
    height, objectness and a score for each class; a box's score is objectness times the score of
    the best class. `head: v8`, also for later ones: (1, 4 + classes, candidates) without
    objectness. Sizes are in pixels of the model's input, scores from 0 to 1, both as exported
    models return them. Overlapping boxes of a class are reduced to the best one (see
    `postprocess.nms`).

    Boxes are in pixels of the source of that image, whatever `preprocess.letterbox`, `resize` and
    `crop` have changed, clipped to the source's edges. If the geometry of the arrays is unknown,
    they are in pixels of the model's input.

    Example:
        objects:
          type: postprocess.yolo
          inputs: {outputs: detect}
          with: {head: v8, threshold: 0.4, names: [person, bicycle, car]}
    """

    stateless: ClassVar[bool] = True

    head: Literal["v5", "v8"] = param(doc="form of the model's output")
    threshold: float = param(0.25, ge=0, le=1, doc="lowest score of a box", live=True)
    overlap: float = param(
        0.45, ge=0, le=1, doc="largest intersection over union of two boxes of a class", live=True
    )
    by_class: bool = param(True, doc="only boxes of the same class compete", live=True)
    limit: int = param(300, ge=1, doc="largest number of boxes that remain", live=True)
    names: list[str] = param([], doc="names of the classes")
    array: str = param("", doc="name of the array to use; empty for the only one")

    def process(self, outputs: Arrays) -> Boxes:
        """Return the boxes, best first; raises ValueError if the array has another shape."""
        check_known(outputs, self.context.warn_once)
        found = pick(outputs, self.array)
        rows = self._rows(found)
        xp = namespace(rows)
        scores = rows[:, self._first :]
        if self.head == "v5":
            scores = scores * rows[:, 4:5]
        best = xp.max(scores, axis=1)
        # NaN is kept until now, to be reported and left out like invalid boxes.
        chosen = xp.nonzero(~(best < self.threshold))[0]
        # From here on there are few candidates, and the steps depend on one another.
        near = to_numpy(xp.take(rows[:, :4], chosen, axis=0)).astype(np.float32)
        score = to_numpy(xp.take(best, chosen)).astype(np.float32)
        labels = to_numpy(xp.take(xp.argmax(scores, axis=1), chosen)).astype(np.int64)
        xyxy = corners(near[:, :2], near[:, 2:])
        rivals = labels if self.by_class else None
        kept = suppress(xyxy, score, rivals, self.overlap, self.limit, self.context.warn_once)
        names, geometry = tuple(self.names), outputs.geometry
        return in_source(Boxes(xyxy[kept], score[kept], labels[kept], names, geometry=geometry))

    @property
    def _first(self) -> int:
        """Index of the first class's score."""
        return 5 if self.head == "v5" else 4

    def _rows(self, found: Array) -> Array:
        """Return a row for each candidate."""
        columns, axis = (self._first + 1, 2) if self.head == "v5" else (self._first + 1, 1)
        if len(found.shape) != 3 or found.shape[0] != 1 or found.shape[axis] < columns:
            form = "(1, candidates, 5 + classes)" if axis == 2 else "(1, 4 + classes, candidates)"
            raise ValueError(
                f"head: {self.head} needs an array of shape {form}, got {tuple(found.shape)}"
            )
        rows = found[0, ...] if axis == 2 else found[0, ...].T
        if self.names and rows.shape[1] != self._first + len(self.names):
            raise ValueError(
                f"`names` has {len(self.names)} classes, the array of shape {tuple(found.shape)} "
                f"{rows.shape[1] - self._first}"
            )
        return rows
