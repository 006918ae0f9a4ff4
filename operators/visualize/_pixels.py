"""Pixels in 8 bits, as screens and most files need them: one rule for all operators."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from holoflow.core.array import Array, to_numpy
from holoflow.core.pictures import Image

SHOWN = ("gray", "rgb", "bgr", "rgba", "bgra")
"""Colour orders that can be shown without conversion."""

_MUCH = 32.0
"""Floats from this value on are not fractions of full scale, but have another scale."""
_SPARE = 0.25
"""Overshoot at edges that resampling may cause, as a share of full scale."""


class Scale:
    """Determines which values of a stream are black and white.

    These are 0 and the full scale of an integer dtype, 0 and 1 for a floating one. If the values
    contradict this, because everything would be black or white, it is the range of as many bits as
    all values so far need: 0 to 4095 for 12 bits in 16, 0 to 255 for floats up to 255. There is one
    warning. The range only grows, so that the picture does not flicker.
    """

    def __init__(self, warn: Callable[..., None] = lambda *_: None) -> None:
        """Call `warn`, with a format and its values, for each warning."""
        self._warn = warn
        self._held: dict[np.dtype[Any], tuple[float, float]] = {}
        """Black and white so far, by dtype."""

    def of(self, data: Array) -> tuple[float, float]:
        """Return the values of `data` (any dtype except complex) that are black and white."""
        if data.dtype.kind == "b":
            return 0.0, 1.0
        low, high = _extremes(data)
        own = 1.0 if data.dtype.kind == "f" else float(np.iinfo(data.dtype).max)
        black, white = self._held.get(data.dtype, (0.0, 0.0))
        black, white = min(black, _black(low, data.dtype)), max(white, _white(high, data.dtype))
        self._held[data.dtype] = black, white
        white = white or own  # a picture that is all black shows nothing about its scale
        if (black, white) != (0.0, own):
            self._warn(
                "the values of the image, %s from %g to %g, do not use its full scale, 0 to %g: "
                "%g is shown as black and %g as white; use preprocess.normalise (full_scale) or "
                "preprocess.contrast before it to change that",
                data.dtype, low, high, own, black, white,
            )  # fmt: skip
        elif low < -_SPARE or high > (1 + _SPARE) * own:
            self._warn(
                "the values of the image, %s from %g to %g, exceed the range from 0 (black) to 1 "
                "(white) and are clipped; put preprocess.normalise or preprocess.contrast "
                "before",
                data.dtype, low, high,
            )  # fmt: skip
        return black, white


def check_shown(image: Image) -> None:
    """Check that `image` can be shown.

    Raises:
        ValueError: Its colour order is not in `SHOWN`, it is empty, or its values are complex.
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
    """Return the pixels of `image` in main memory, uint8, in its own colour order.

    Args:
        image: (height, width) or (height, width, channels); not changed. The result may be a view
            of its memory: do not write to it.
        scale: Says what is black and white in the image's stream; values beyond are clipped, and
        NaN
            is black.

    Raises:
        ValueError: See `check_shown`.
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
    """Return the least and the greatest finite value; 0 and 0 if there is none."""
    low, high = float(data.min()), float(data.max())
    if math.isfinite(low) and math.isfinite(high):
        return low, high
    finite = data[np.isfinite(data)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)


def _black(low: float, dtype: np.dtype[Any]) -> float:
    """Return the value of black if `low` is the least value."""
    if low >= 0 or (dtype.kind == "f" and low > -_MUCH):
        return 0.0
    return -float(2 ** (math.ceil(-low) - 1).bit_length())


def _white(high: float, dtype: np.dtype[Any]) -> float:
    """Return the value of white if `high` is the greatest value; 0 if that is unknown.

    Up to 12 of 16 bits are those of a sensor of that depth: a picture so dark is rare.
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
