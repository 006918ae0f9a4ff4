"""`postprocess.nms`: one box for each object."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from holoflow import Boxes, Operator, param, to_numpy

from ._results import suppress, take


class NmsOp(Operator):
    """Keep the best of overlapping boxes: non-maximum suppression.

    Boxes are returned best first. A box is removed if its intersection over union with a better
    remaining box is above `overlap`. Of boxes without scores, earlier ones count as better. Boxes
    with corners or scores that are not finite are removed, with one warning. `postprocess.yolo` and
    `postprocess.centres` include all this.

    Example:
        objects:
          type: postprocess.nms
          inputs: {boxes: candidates}
          with: {overlap: 0.5}
    """

    stateless: ClassVar[bool] = True

    overlap: float = param(
        0.5, ge=0, le=1, doc="largest intersection over union of two boxes", live=True
    )
    by_class: bool = param(True, doc="only boxes of the same class compete", live=True)
    limit: int = param(300, ge=1, doc="largest number of boxes that remain", live=True)

    def process(self, boxes: Boxes) -> Boxes:
        """Return the remaining boxes, best first, with their scores, labels and ids."""
        scores = np.zeros(len(boxes)) if boxes.scores is None else to_numpy(boxes.scores)
        labels = None
        if self.by_class and boxes.labels is not None:
            labels = to_numpy(boxes.labels)
        kept = suppress(
            to_numpy(boxes.xyxy), scores, labels, self.overlap, self.limit, self.context.warn_once
        )
        return take(boxes, kept)
