"""Boxes around objects."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from holoflow.payload.array import (
    INTEGERS,
    REAL,
    Array,
    check_axes,
    check_each,
    check_names,
    namespace,
)
from holoflow.payload.geometry import Geometry, check_geometry


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """Axis-parallel boxes in one image; N may be 0.

    - `xyxy`: (N, 4) float32: left, top, right, bottom in pixels from the image's upper left
      corner.
    - `scores`: (N,) float32, 0 to 1; None where there is no confidence.
    - `labels`: (N,) integers, indices into `names`.
    - `names`: names of the classes.
    - `ids`: (N,) integers that stay with an object over frames; negative where not yet known.
    - `geometry`: of the picture whose pixels these are; None: of whichever picture they are
      used with.
    """

    xyxy: Array
    scores: Array | None = None
    labels: Array | None = None
    names: tuple[str, ...] = ()
    ids: Array | None = None
    geometry: Geometry | None = None

    def __post_init__(self) -> None:
        check_axes("Boxes.xyxy", self.xyxy, "(N, 4)", REAL, 2, (4,))
        each = (self.xyxy.shape[0],)
        if self.scores is not None:
            check_each("Boxes.scores", self.scores, each, REAL, "box")
        if self.labels is not None:
            check_each("Boxes.labels", self.labels, each, INTEGERS, "box")
        if self.ids is not None:
            check_each("Boxes.ids", self.ids, each, INTEGERS, "box")
        if self.names != ():
            object.__setattr__(self, "names", check_names("Boxes.names", self.names))
        if self.geometry is not None:
            check_geometry("Boxes.geometry", self.geometry)

    def __len__(self) -> int:
        return int(self.xyxy.shape[0])

    def on(self, geometry: Geometry) -> Boxes:
        """Return the boxes in pixels of another picture of the same source.

        They stay as they are where their own geometry is not known. Raises ValueError for
        another source.
        """
        if self.geometry is None or self.geometry == geometry:
            return self
        corners = namespace(self.xyxy).reshape(self.xyxy, (-1, 2, 2))
        moved = self.geometry.to(geometry, corners)
        xyxy = namespace(moved).reshape(moved, (-1, 4))
        return replace(self, xyxy=xyxy, geometry=geometry)

    @staticmethod
    def empty(names: tuple[str, ...] = ()) -> Boxes:
        """Return no boxes."""
        return Boxes(
            np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64), names
        )
