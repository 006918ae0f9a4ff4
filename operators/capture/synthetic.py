"""`capture.synthetic`: a moving scene with known truth."""

from __future__ import annotations

import colorsys
from collections.abc import Iterator
from itertools import count
from typing import Literal, TypedDict

import numpy as np

from holoflow.core.array import Array
from holoflow.core.errors import ParameterError
from holoflow.core.geometry import Geometry
from holoflow.core.message import Stamped
from holoflow.core.objects import Boxes
from holoflow.core.operator import Operator, param
from holoflow.core.pictures import Image
from holoflow.core.quantity import Frequency
from holoflow.core.times import at_rate

_GOLDEN = 0.618033988749895
"""Steps of the hue that give any number of objects clearly different colours."""
_LUMA = np.array([0.299, 0.587, 0.114])
_CELL = 24
"""Pixels between the knots of the background's texture."""


class Scene(TypedDict):
    """A frame and the objects in it."""

    image: Image
    boxes: Boxes


class SyntheticOp(Operator):
    """Make a moving scene: bright discs or rectangles that bounce around on a dark, still texture.

    `boxes` is the truth about `image`: the exact box of each object, an id that stays the same, and
    a score of 1. An object behind another keeps its whole box; higher ids are in front. Every pixel
    of an object is 255 in at least one channel, or above 110 in gray, and no pixel of the
    background is above 90. Equal parameters give equal frames.

    Example:
        scene:
          type: capture.synthetic
          with: {objects: 3, length: 60, rate: 30hz}
    """

    width: int = param(320, ge=16, le=16384, doc="pixels")
    height: int = param(240, ge=16, le=16384, doc="pixels")
    rate: Frequency = param("30hz", gt=0, doc="frames per second")
    length: int | None = param(
        None, ge=1, doc="frames until the scene ends; by default it does not"
    )
    paced: bool = param(
        True, doc="hold each frame until its time; false: send as fast as the app takes them"
    )
    objects: int = param(3, ge=0, le=1000, doc="number of moving objects")
    shape: Literal["disc", "rectangle"] = param("disc", doc="shape of the objects")
    size: int = param(
        40, ge=1, doc="height of an object in pixels; rectangles are 1.5 times as wide"
    )
    speed: float = param(
        90.0, ge=0, doc="of each object in pixels per second, in its own direction"
    )
    colour: Literal["rgb", "bgr", "gray"] = param("rgb", doc="order of the channels; uint8")
    seed: int = param(0, ge=0, doc="a different number makes a different scene")

    def frames(self) -> Iterator[Stamped[Scene]]:
        """Yield frames, and (objects, 4) boxes with ids 0, 1, …, whole pixels in float32."""
        stencil = _stencil(self.shape, self.size)
        extent = np.array(stencil.shape)
        room = np.array([self.height, self.width]) - extent
        if (room < 0).any():
            raise ParameterError(
                f"SyntheticOp.size: a {self.shape} of {extent[1]} x {extent[0]} pixels does not "
                f"fit into {self.width} x {self.height}"
            )
        random = np.random.default_rng(self.seed)
        background = self._channels(_texture(self.height, self.width, random))
        colours = self._channels(_colours(self.objects))
        begin = random.uniform(0, room, (self.objects, 2))
        angle = random.uniform(0, 2 * np.pi, self.objects)
        velocity = self.speed * np.stack([np.sin(angle), np.cos(angle)], axis=1)

        for index in count() if self.length is None else range(self.length):
            corners = _bounced(begin + velocity * (index / self.rate), room)
            data: Array = self.allocate(background.shape, np.uint8)
            np.copyto(data, background)
            for (top, left), colour in zip(corners, colours, strict=True):
                data[top : top + extent[0], left : left + extent[1]][stencil] = colour
            yield Stamped(
                {"image": Image(data, self.colour), "boxes": self._truth(corners, extent)},
                elapsed=at_rate(index, self.rate),
                wait=self.paced,
            )

    def _channels(self, rgb: Array) -> Array:
        """Return red, green and blue, (…, 3) from 0 to 255, as uint8 in the channels to be sent."""
        if self.colour == "gray":
            ordered = rgb @ _LUMA
        else:
            ordered = rgb if self.colour == "rgb" else rgb[..., ::-1]
        return np.ascontiguousarray(np.rint(ordered), dtype=np.uint8)

    def _truth(self, corners: Array, extent: Array) -> Boxes:
        xyxy = np.concatenate([corners[:, ::-1], (corners + extent)[:, ::-1]], axis=1)
        number = len(corners)
        return Boxes(
            xyxy.astype(np.float32), np.ones(number, np.float32), np.zeros(number, np.int64),
            (self.shape,), np.arange(number), Geometry.of(self.width, self.height),
        )  # fmt: skip


def _stencil(shape: str, size: int) -> Array:
    """Return the mask of an object, bool; it touches all four sides of the array."""
    if shape == "rectangle":
        return np.ones((size, size + size // 2), bool)
    centred = np.arange(size) - (size - 1) / 2
    return np.asarray(centred[:, None] ** 2 + centred**2 <= (size / 2) ** 2)


def _bounced(positions: Array, room: Array) -> Array:
    """Reflect `positions` (N, 2) at 0 and `room` as walls would; whole pixels."""
    folded = np.mod(positions, 2 * np.maximum(room, 1))
    inside: Array = np.minimum(folded, 2 * room - folded).clip(0, room)
    return np.rint(inside).astype(int)


def _colours(number: int) -> Array:
    """Return (number, 3) red, green and blue from 0 to 255: bright and clearly different."""
    hues = (np.arange(number) * _GOLDEN) % 1.0
    colours = [colorsys.hsv_to_rgb(hue, 0.6, 255.0) for hue in hues]
    return np.array(colours).reshape(number, 3)


def _texture(height: int, width: int, random: np.random.Generator) -> Array:
    """Return (height, width, 3) dark, smooth noise from 20 to 90."""
    knots = (height // _CELL + 2, width // _CELL + 2)
    grid = random.uniform(25, 75, (*knots, 1)) + random.uniform(-5, 15, (*knots, 3))
    rows, columns = (_tents(n, k) for n, k in zip((height, width), knots, strict=True))
    texture: Array = rows @ grid.transpose(2, 0, 1) @ columns.T
    return texture.transpose(1, 2, 0)


def _tents(length: int, knots: int) -> Array:
    """Return (length, knots) weights of a linear interpolation between evenly spaced knots."""
    places = np.linspace(0, knots - 1, length)
    weights: Array = 1 - np.abs(places[:, None] - np.arange(knots))
    return weights.clip(0)
