"""Pixels as a screen shows them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from holoflow.payload import Image, to_numpy

SHOWN = ("gray", "rgb", "bgr", "rgba", "bgra")
"""Colour orders that can be shown as they are."""


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


def pixels(image: Image) -> npt.NDArray[np.uint8]:
    """Return the pixels of `image` in main memory, 8 bits a channel, in its own colour order.

    Floating values are taken from 0 to 1 (beyond is clipped, NaN is black), integers over their
    full scale. May be a view of the image's own memory: do not write to it. Raises ValueError
    as `check_shown` does.
    """
    check_shown(image)
    data = to_numpy(image.data)
    if data.dtype == np.uint8:
        return data
    full = np.iinfo(data.dtype).max if data.dtype.kind in "ui" else 1
    scaled = data * np.float32(255 / full)
    # fmax before fmin: of NaN and a number they return the number.
    return (np.fmin(np.fmax(scaled, 0), 255) + 0.5).astype(np.uint8)
