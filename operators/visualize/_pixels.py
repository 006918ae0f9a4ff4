"""Pixels in 8 bits, as screens show them and most files hold them: one rule for all operators."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from holoflow.core.array import Array, to_numpy
from holoflow.core.pictures import Image

SHOWN = ("gray", "rgb", "bgr", "rgba", "bgra")
"""Colour orders that can be shown as they are."""

_MUCH = 32.0
"""Floats that reach this are no fractions of full scale any more, but numbers of another scale."""
_SPARE = 0.25
"""What resampling may add at edges, of full scale."""


class Scale:
    """Which values of a stream are black and white.

    That is nothing and the full scale of an integer dtype, 0 and 1 of a floating one. Where the
    values cannot be meant so, because all of them would be black, or white, it is the range of
    as many bits as hold what has come so far: 0 to 4095 for 12 bits in 16, 0 to 255 for floats
    up to 255. That is told once. The range only grows, so that the picture does not flicker.
    """

    def __init__(self, warn: Callable[..., None] = lambda *_: None) -> None:
        """Tell by `warn`, which takes a text and what is to be put into it."""
        self._warn = warn
        self._held: dict[np.dtype[Any], tuple[float, float]] = {}
        """Black and white so far, by dtype."""

    def of(self, data: Array) -> tuple[float, float]:
        """Return the values of `data` (any dtype but complex) that are black and white."""
        if data.dtype.kind == "b":
            return 0.0, 1.0
        low, high = _extremes(data)
        own = 1.0 if data.dtype.kind == "f" else float(np.iinfo(data.dtype).max)
        black, white = self._held.get(data.dtype, (0.0, 0.0))
        black, white = min(black, _black(low, data.dtype)), max(white, _white(high, data.dtype))
        self._held[data.dtype] = black, white
        white = white or own  # of nothing but black nobody knows
        if (black, white) != (0.0, own):
            self._warn(
                "the values of the image, %s from %g to %g, are not of its full scale, 0 to %g: "
                "%g is shown as black and %g as white; preprocess.normalise (full_scale) or "
                "preprocess.contrast before it say otherwise",
                data.dtype, low, high, own, black, white,
            )  # fmt: skip
        elif low < -_SPARE or high > (1 + _SPARE) * own:
            self._warn(
                "the values of the image, %s from %g to %g, reach beyond 0 to 1, which is black "
                "to white, and are cut off; put preprocess.normalise or preprocess.contrast "
                "before",
                data.dtype, low, high,
            )  # fmt: skip
        return black, white


def check_shown(image: Image) -> None:
    """Raise ValueError where `image` cannot be shown.

    That is for a colour order that is not in `SHOWN`, an empty image and complex values.
    """
    if image.colour not in SHOWN:
        raise ValueError(
            f"cannot show an image in {image.colour}; convert it to rgb with preprocess.colour"
        )
    if not image.width or not image.height:
        raise ValueError(f"cannot show an image of {image.width}x{image.height} pixels")
    if image.data.dtype.kind not in "buif":
        raise ValueError(f"cannot show an image of {image.data.dtype} values")


def pixels(image: Image, scale: Scale | None = None) -> npt.NDArray[np.uint8]:
    """Return the pixels of `image` in main memory, 8 bits a channel, in its own colour order.

    `scale` says what is black and white in its stream; beyond is clipped, NaN is black. May be
    a view of the image's own memory: do not write to it. Raises ValueError as `check_shown`
    does.
    """
    check_shown(image)
    data = to_numpy(image.data)
    if data.dtype == np.uint8:
        return data
    black, white = (scale or Scale()).of(data)
    scaled = (data if black == 0 else data.astype(np.float32) - np.float32(black)) * np.float32(
        255 / (white - black)
    )
    # fmax before fmin: of NaN and a number they return the number.
    return (np.fmin(np.fmax(scaled, 0), 255) + 0.5).astype(np.uint8)


def _extremes(data: Array) -> tuple[float, float]:
    """Return the least and the greatest finite value; 0 and 0 where there is none."""
    low, high = float(data.min()), float(data.max())
    if math.isfinite(low) and math.isfinite(high):
        return low, high
    finite = data[np.isfinite(data)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)


def _black(low: float, dtype: np.dtype[Any]) -> float:
    """Return what is black where `low` is the least value."""
    if low >= 0 or (dtype.kind == "f" and low > -_MUCH):
        return 0.0
    return -float(2 ** (math.ceil(-low) - 1).bit_length())


def _white(high: float, dtype: np.dtype[Any]) -> float:
    """Return what is white where `high` is the greatest value; 0 where that tells nothing.

    12 of 16 bits and fewer are those of a sensor of that depth: a picture so dark is rare.
    """
    if dtype.kind == "f":
        bits = max(math.ceil(high / (1 + _SPARE)).bit_length(), 8)
        return float(2**bits - 1) if high >= _MUCH else 1.0
    if high <= 0:
        return 0.0
    whole = 8 * dtype.itemsize - (dtype.kind == "i")
    bits = max(math.ceil(high).bit_length(), 10 if whole <= 16 else 8)
    bits += bits % 2
    return float(2**bits - 1 if bits <= whole - 3 else 2**whole - 1)
