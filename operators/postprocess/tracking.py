"""`postprocess.tracking`: boxes that keep their identity over frames."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from holoflow import Boxes, Operator, param, to_numpy
from holoflow.core.errors import optional

from ._results import sound, take

_APART = 1000.0
"""Pixels by which boxes are shifted for ioutrack, which loses those with an edge at exactly 0."""


class TrackingOp(Operator):
    """Give boxes an id that stays with an object from frame to frame.

    SORT (Bewley et al., arXiv:1602.00763) of the library ioutrack: a Kalman filter predicts the
    motion of each object, and boxes are assigned by greatest overlap. Boxes are returned unchanged,
    with ids from 1; -1 means not tracked yet, or never. The class is ignored: a detector that
    wavers between two classes does not turn one object into another. Boxes with corners or scores
    that are not finite are not tracked.

    Frames must be in order and evenly spaced. Needs the extra `tracking`.

    Example:
        followed:
          type: postprocess.tracking
          inputs: {boxes: objects}
          with: {patience: 15}
    """

    overlap: float = param(
        0.3, ge=0, le=1, doc="lowest intersection over union of a box with its prediction"
    )
    patience: int = param(30, ge=1, doc="frames for which an object may be out of sight")
    confirm: int = param(
        1, ge=1, doc="successive frames in which an object must be seen to get an id", live=True
    )
    threshold: float = param(0.0, ge=0, le=1, doc="lowest score of a box that starts a track")

    def start(self) -> None:
        """Start without objects; raises MissingExtraError if ioutrack is not installed."""
        # The library would assign ids a frame late, all at once in the first frames of a run, and
        # take them from objects that were out of sight for a frame: therefore it is done here.
        self._tracker: Any = optional("ioutrack", "tracking").Sort(
            max_age=self.patience,
            min_hits=0,
            iou_threshold=self.overlap,
            init_tracker_min_score=self.threshold,
        )
        self._frame = 0
        self._followed: dict[int, _Followed] = {}
        """Objects that may still be there, by the library's number."""
        self._next = 1

    def process(self, boxes: Boxes) -> Boxes:
        """Return the boxes with their ids."""
        scores = np.ones(len(boxes)) if boxes.scores is None else to_numpy(boxes.scores)
        # A frame may show another part of the source than the previous one.
        placed = boxes if boxes.geometry is None else boxes.on(boxes.geometry.of_source)
        xyxy = to_numpy(placed.xyxy)
        good = np.flatnonzero(sound(xyxy, scores, self.context.warn_once))
        rows = np.column_stack([xyxy[good] + _APART, scores[good]]).astype(np.float32)
        # Left, top, right, bottom, number and index of the box, for each tracked one.
        found = self._tracker.update(rows, return_all=False, return_indices=True)
        self._frame += 1
        ids = np.full(len(boxes), -1, np.int64)
        for number, index in found[:, 4:6].astype(np.int64).tolist():
            ids[good[index]] = self._identity(number)
        self._forget()
        return replace(take(boxes, np.arange(len(boxes))), ids=ids)

    def _identity(self, number: int) -> int:
        """Return the id of an object seen now; -1 until it has been seen often enough."""
        one = self._followed.setdefault(number, _Followed())
        one.row = one.row + 1 if one.last == self._frame - 1 else 1
        one.last = self._frame
        if one.identity < 0 and one.row >= self.confirm:
            one.identity, self._next = self._next, self._next + 1
        return one.identity

    def _forget(self) -> None:
        """Forget objects that the library has given up."""
        oldest = self._frame - self.patience
        for number in [n for n, one in self._followed.items() if one.last < oldest]:
            del self._followed[number]


@dataclass(slots=True)
class _Followed:
    """A tracked object."""

    last: int = -1
    """The frame in which it was last seen."""
    row: int = 0
    """Number of successive frames in which it was seen."""
    identity: int = -1
