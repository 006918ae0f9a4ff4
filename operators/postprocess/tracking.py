"""Boxes that keep their identity over frames."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from holoflow import Boxes, Operator, param, to_numpy
from holoflow.extras import optional

from ._boxes import take

_APART = 1000.0
"""Pixels by which boxes are moved for ioutrack, which loses those with an edge at exactly 0."""


class TrackingOp(Operator):
    """Give boxes an id that stays with an object from frame to frame.

    SORT (Bewley et al., arXiv:1602.00763) of the library ioutrack: a Kalman filter foresees
    where each object goes, and boxes are assigned to where they overlap most. Boxes come out as
    they came in, with ids from 1; -1 has what is not yet, or never, followed. The class plays
    no part: a detector that wavers between two of them does not make an object another one.

    Frames must come in order and be evenly spaced. Needs the extra `tracking`.

    Example:
        followed:
          type: postprocess.tracking
          inputs: {boxes: objects}
          with: {patience: 15}
    """

    overlap: float = param(
        0.3, ge=0, le=1, doc="lowest intersection over union of a box and where it is expected"
    )
    patience: int = param(30, ge=1, doc="frames for which an object may be out of sight")
    confirm: int = param(1, ge=1, doc="frames in a row that an object must be seen to get an id")
    threshold: float = param(0.0, ge=0, le=1, doc="lowest score of a box that begins a track")

    def start(self) -> None:
        """Begin without any object; raises MissingExtraError without the library."""
        self._tracker: Any = optional("ioutrack", "tracking").Sort(
            max_age=self.patience,
            min_hits=self.confirm,
            iou_threshold=self.overlap,
            init_tracker_min_score=self.threshold,
        )

    def process(self, boxes: Boxes) -> Boxes:
        """Return the boxes with their ids."""
        scores = np.ones(len(boxes)) if boxes.scores is None else to_numpy(boxes.scores)
        rows = np.column_stack([to_numpy(boxes.xyxy) + _APART, scores]).astype(np.float32)
        # left, top, right, bottom, id and index of the box, for each that is followed
        found = self._tracker.update(rows, return_all=False, return_indices=True)
        ids = np.full(len(boxes), -1, np.int64)
        ids[found[:, 5].astype(np.int64)] = found[:, 4].astype(np.int64)
        return replace(take(boxes, np.arange(len(boxes))), ids=ids)
