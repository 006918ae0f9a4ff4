"""Images."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from holoflow.payload.array import Array, check_shape

Colour: TypeAlias = Literal["gray", "rgb", "bgr", "rgba", "bgra", "ycbcr", "hsv", "lab"]

CHANNELS: dict[str, int] = {
    "gray": 1, "rgb": 3, "bgr": 3, "rgba": 4, "bgra": 4, "ycbcr": 3, "hsv": 3, "lab": 3,
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """An image or a frame of a clip.

    `data` is (height, width) for `gray`, else (height, width, channels); rows from the top.
    Integer dtypes use their full scale (uint8: 0 to 255), floating ones 0 to 1 unless the
    operator that made them says otherwise.
    """

    data: Array
    colour: Colour = "rgb"
    """Order of the channels."""

    def __post_init__(self) -> None:
        if self.colour == "gray":
            check_shape("a gray image", self.data, "shape (height, width)", ndim=(2,))
        elif self.colour not in CHANNELS:
            raise ValueError(
                f"unknown colour order {self.colour!r}; known are {', '.join(CHANNELS)}"
            )
        else:
            channels = CHANNELS[self.colour]
            check_shape(
                f"an image in {self.colour}", self.data, f"shape (height, width, {channels})",
                ndim=(3,), last=(channels,),
            )  # fmt: skip

    @property
    def height(self) -> int:
        """Number of rows."""
        return int(self.data.shape[0])

    @property
    def width(self) -> int:
        """Number of columns."""
        return int(self.data.shape[1])

    def with_data(self, data: Array) -> Image:
        """Return an image in the same colour order with other pixels."""
        return replace(self, data=data)
