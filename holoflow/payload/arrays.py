"""Arrays by name."""

from __future__ import annotations

from typing import Any

from holoflow.payload.array import Array
from holoflow.payload.geometry import Geometry


class Arrays(dict[str, Array]):
    """Arrays by name: what a model takes or gives, what Holoscan calls a tensor map.

    `geometry` is that of the picture that they are about; places in the arrays are places in
    it. An operator that takes one picture, or the arrays of one, and gives arrays without a
    geometry passes it on by itself; None where nothing is known.
    """

    __slots__ = ("geometry",)

    def __init__(self, *arrays: Any, geometry: Geometry | None = None, **named: Array) -> None:
        """Take a mapping or pairs of names and arrays, as `dict` does."""
        super().__init__(*arrays, **named)
        if geometry is not None and not isinstance(geometry, Geometry):
            raise TypeError(
                f"geometry is that of the picture, a Geometry, got {type(geometry).__name__}; an "
                f'array of that name is given as {{"geometry": array}}'
            )
        self.geometry = geometry
