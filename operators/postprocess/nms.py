"""One box for each object."""

from __future__ import annotations

import numpy as np

from holoflow import Boxes, Operator, param, to_numpy

from ._results import suppress, take


class NmsOp(Operator):
    """Keep the best of boxes that overlap: non-maximum suppression.

    Boxes come out best first. A box goes where its intersection over union with a better one
    that stays is above `overlap`. Boxes without scores count as better the earlier they come.
    Boxes with corners or scores that are not finite go, and that is told once.
    `postprocess.yolo` and `postprocess.centres` do all this by themselves.

    Example:
        objects:
          type: postprocess.nms
          inputs: {boxes: candidates}
          with: {overlap: 0.5}
    """

    overlap: float = param(0.5, ge=0, le=1, doc="intersection over union that two may have")
    by_class: bool = param(True, doc="only boxes of the same class compete")
    limit: int = param(300, ge=1, doc="boxes that stay, at most")

    def process(self, boxes: Boxes) -> Boxes:
        """Return the boxes that stay, best first, with their scores, labels and ids."""
        scores = np.zeros(len(boxes)) if boxes.scores is None else to_numpy(boxes.scores)
        labels = None
        if self.by_class and boxes.labels is not None:
            labels = to_numpy(boxes.labels)
        kept = suppress(
            to_numpy(boxes.xyxy), scores, labels, self.overlap, self.limit, self.context.warn_once
        )
        return take(boxes, kept)
