"""Pixels as files hold them."""

from __future__ import annotations

from holoflow.core.array import Array, to_numpy
from holoflow.core.errors import HoloflowError
from holoflow.core.pictures import Image
from holoflow.operators.visualize._pixels import SHOWN, Scale, pixels


def eight_bits(image: Image, scale: Scale) -> Array:
    """Return the pixels of `image` in main memory as uint8; `scale` says what is white.

    Raises HoloflowError for a colour order or a dtype that no file holds.
    """
    checked(image)
    return pixels(image, scale)


def checked(image: Image) -> Array:
    """Return the pixels of `image` in main memory, if they can be written."""
    if image.colour not in SHOWN:
        raise HoloflowError(
            f"an image in {image.colour} cannot be written; put preprocess.colour before, "
            f"which makes one of {', '.join(SHOWN)}"
        )
    data = to_numpy(image.data)
    if data.dtype.kind not in "buf":
        raise HoloflowError(
            f"an image of {data.dtype} cannot be written; it must be of unsigned integers, or "
            f"of floats from 0 to 1"
        )
    return data
