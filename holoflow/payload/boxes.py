"""Boxes around objects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from holoflow.payload.array import Array, check_shape


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """Axis-parallel boxes in one image; N may be 0."""

    xyxy: Array
    """(N, 4) float32: left, top, right, bottom in pixels from the image's upper left corner."""
    scores: Array | None = None
    """(N,) float32, 0 to 1; None where there is no confidence."""
    labels: Array | None = None
    """(N,) integers, indices into `names`."""
    names: tuple[str, ...] = ()
    """Names of the classes."""
    ids: Array | None = None
    """(N,) integers that stay with an object over frames; negative where not yet known."""

    def __post_init__(self) -> None:
        check_shape("Boxes.xyxy", self.xyxy, "shape (N, 4)", ndim=(2,), last=(4,))
        for name in ("scores", "labels", "ids"):
            value = getattr(self, name)
            if value is not None and tuple(value.shape) != (self.xyxy.shape[0],):
                raise ValueError(
                    f"Boxes.{name} must have shape ({self.xyxy.shape[0]},), one for each box, "
                    f"got {tuple(value.shape)}"
                )

    def __len__(self) -> int:
        return int(self.xyxy.shape[0])

    @staticmethod
    def empty(names: tuple[str, ...] = ()) -> Boxes:
        """Return no boxes."""
        return Boxes(
            np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64), names
        )
