"""Pixels as files hold them."""

from __future__ import annotations

import numpy as np

from holoflow.errors import HoloflowError
from holoflow.payload import Array, Image, to_numpy

WRITABLE = ("gray", "rgb", "bgr", "rgba", "bgra")


def eight_bits(image: Image) -> Array:
    """Return the pixels of `image` in main memory as uint8 of the same full scale.

    Raises HoloflowError for a colour order or a dtype that no file holds.
    """
    data = checked(image)
    if data.dtype == np.uint8:
        return data
    if data.dtype == bool:
        return np.where(data, np.uint8(255), np.uint8(0))
    if data.dtype.kind == "u":
        return (data >> (8 * data.dtype.itemsize - 8)).astype(np.uint8)
    finite = np.nan_to_num(np.clip(data, 0, 1), nan=0.0)
    return np.asarray(np.rint(255 * finite), np.uint8)


def checked(image: Image) -> Array:
    """Return the pixels of `image` in main memory, if they can be written."""
    if image.colour not in WRITABLE:
        raise HoloflowError(
            f"an image in {image.colour} cannot be written; put preprocess.colour before, "
            f"which makes one of {', '.join(WRITABLE)}"
        )
    data = to_numpy(image.data)
    if data.dtype.kind not in "buf":
        raise HoloflowError(
            f"an image of {data.dtype} cannot be written; it must be of unsigned integers, or "
            f"of floats from 0 to 1"
        )
    return data
