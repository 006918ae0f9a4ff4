"""A frame on its way to the viewers: encoded once for all, and only if somebody looks."""

from __future__ import annotations

import json
import struct
import time
import zlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from holoflow.core.errors import optional
from holoflow.core.message import Header
from holoflow.core.objects import Boxes, Keypoints
from holoflow.core.pictures import Image, Mask
from holoflow.core.samples import Text
from holoflow.operators.visualize._marks import (
    box_marks,
    check_flat,
    check_size,
    mask_colours,
    points,
)
from holoflow.operators.visualize._pixels import Scale, check_shown, pixels

LARGEST = 65_500
"""Largest number of pixels along a side of a JPEG."""


@dataclass(frozen=True, eq=False)
class Frame:
    """A picture and what is drawn over it."""

    header: Header
    image: Image
    boxes: Boxes | None
    mask: Mask | None
    keypoints: Keypoints | None
    text: Text | None
    quality: int
    """Quality of the JPEG, 1 to 100."""
    scale: Scale
    """Black and white in the image's stream."""
    arrived: float
    """When it arrived here, in seconds of `time.monotonic()`."""
    age: float | None
    """Seconds from capture to arrival; None if the timestamp does not say."""

    def __post_init__(self) -> None:
        """Refuse what the server could not show later; raises ValueError."""
        check_shown(self.image)
        if max(self.image.width, self.image.height) > LARGEST:
            raise ValueError(
                f"cannot show an image of {self.image.width}x{self.image.height} pixels; the "
                f"live page takes up to {LARGEST} along a side"
            )
        if self.mask is not None:
            check_size(self.mask, self.image)
        if self.keypoints is not None:
            check_flat(self.keypoints)

    @cached_property
    def jpeg(self) -> bytes:
        """The picture alone."""
        simplejpeg = optional("simplejpeg", "web")
        data = np.ascontiguousarray(pixels(self.image, self.scale))
        gray = self.image.colour == "gray"
        encoded: bytes = simplejpeg.encode_jpeg(
            data[:, :, None] if gray else data,
            quality=self.quality,
            colorspace=self.image.colour.upper(),
            colorsubsampling="Gray" if gray else "420",
        )
        return encoded

    def message(self, delay: float) -> bytes:
        """Return the message for one viewer.

        It has two float32, that viewer's `delay` in seconds (NaN if unknown) and for how many
        seconds the frame has been here, and a uint32 with the length of the JSON, all
        little-endian; then the JSON, the JPEG, and the mask, a byte for each pixel of its part,
        compressed with zlib.
        """
        head = struct.pack("<ffI", delay, time.monotonic() - self.arrived, len(self._parts[0]))
        return head + b"".join(self._parts)

    @cached_property
    def _parts(self) -> tuple[bytes, bytes, bytes]:
        said: dict[str, Any] = {
            "frame": self.header.sequence,
            "age": None if self.age is None else round(self.age, 4),
            "arrived": self.arrived,
            "jpeg": len(self.jpeg),
        }
        mask = b""
        if self.boxes is not None:
            size = (self.image.width, self.image.height)
            marks = box_marks(self.boxes, ("name", "id", "score"), *size)
            said["boxes"] = [
                {"xyxy": _rounded(mark.xyxy), "colour": mark.colour, "label": mark.label}
                for mark in marks
            ]
        if self.mask is not None:
            part, left, top = mask_colours(self.mask)
            mask = zlib.compress(part.tobytes(), 1)
            said["mask"] = {
                "left": left, "top": top, "width": part.shape[1], "height": part.shape[0],
            }  # fmt: skip
        if self.keypoints is not None:
            said["points"] = [
                [point and _rounded(point) for point in one] for one in points(self.keypoints)
            ]
            said["edges"] = self.keypoints.edges
        if self.text is not None:
            said["text"] = self.text.text
        return json.dumps(said, allow_nan=False).encode(), self.jpeg, mask


def _rounded(values: tuple[float, ...]) -> list[float]:
    return [round(value, 2) for value in values]
