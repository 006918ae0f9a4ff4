"""Conversion between colour orders: with OpenCV for NumPy's arrays, else with the array API.

Every conversion goes through RGB. S is full scale, and P the period of a hue (S for floats, S + 1
for integers, so that no two values represent the same hue):

- gray is the luma of ITU-R BT.601, 0.299 R + 0.587 G + 0.114 B;
- ycbcr is the full-range one of JFIF (ITU-T T.871): that luma, and chroma around P / 2;
- hsv is that of Smith, Color gamut transform pairs, SIGGRAPH 1978: saturation and value from 0
  to S, and the hue from red (0) over green (P / 3) and blue (2 P / 3).
"""

from __future__ import annotations

import numpy as np

from holoflow.core.array import Array, namespace
from holoflow.core.pictures import Colour

from ._arrays import from_float, full_scale, to_float
from ._kernels import for_opencv, opencv

_WIDE = frozenset({"uint8", "uint16", "float32"})
_NARROW = frozenset({"uint8"})

# OpenCV's conversion by name, and the dtypes for which it scales as holoflow does.
_OPENCV: dict[tuple[Colour, Colour], tuple[str, frozenset[str]]] = {
    ("gray", "rgb"): ("COLOR_GRAY2RGB", _WIDE),
    ("bgr", "rgb"): ("COLOR_BGR2RGB", _WIDE),
    ("rgba", "rgb"): ("COLOR_RGBA2RGB", _WIDE),
    ("bgra", "rgb"): ("COLOR_BGRA2RGB", _WIDE),
    ("rgb", "gray"): ("COLOR_RGB2GRAY", _WIDE),
    ("rgb", "bgr"): ("COLOR_RGB2BGR", _WIDE),
    ("rgb", "rgba"): ("COLOR_RGB2RGBA", _WIDE),
    ("rgb", "bgra"): ("COLOR_RGB2BGRA", _WIDE),
    ("rgb", "hsv"): ("COLOR_RGB2HSV_FULL", _NARROW),
    ("rgba", "bgra"): ("COLOR_RGBA2BGRA", _WIDE),
    ("bgra", "rgba"): ("COLOR_BGRA2RGBA", _WIDE),
}

# The source of each channel; -1 is an opaque alpha.
_MOVED: dict[tuple[Colour, Colour], tuple[int, ...]] = {
    ("bgr", "rgb"): (2, 1, 0), ("rgba", "rgb"): (0, 1, 2), ("bgra", "rgb"): (2, 1, 0),
    ("rgb", "bgr"): (2, 1, 0), ("rgb", "rgba"): (0, 1, 2, -1), ("rgb", "bgra"): (2, 1, 0, -1),
    ("rgba", "bgra"): (2, 1, 0, 3), ("bgra", "rgba"): (2, 1, 0, 3),
}  # fmt: skip

_LUMA = np.array([0.299, 0.587, 0.114])
_YCBCR = np.array(
    [_LUMA, (np.array([0, 0, 1]) - _LUMA) / 1.772, (np.array([1, 0, 0]) - _LUMA) / 1.402]
)
_RGB = np.linalg.inv(_YCBCR)


def convert(data: Array, source: Colour, target: Colour) -> Array:
    """Return `data` in the colour order `target`, in the same dtype.

    Alpha is dropped if `target` has none, and opaque if `source` has none.

    Raises:
        ValueError: One of the orders is lab.
    """
    if "lab" in (source, target):
        raise ValueError(f"cannot convert {source} to {target}: lab is not converted")
    if source == target:
        return data
    if (source, target) in _MOVED or "rgb" in (source, target):
        return _step(data, source, target)
    return _step(_step(data, source, "rgb"), "rgb", target)


def _step(data: Array, source: Colour, target: Colour) -> Array:
    name, dtypes = _OPENCV.get((source, target), ("", frozenset()))
    if for_opencv(data, dtypes):
        cv2 = opencv()
        converted: Array = cv2.cvtColor(data, getattr(cv2, name))
        return converted
    if (source, target) in _MOVED:
        return _moved(data, _MOVED[source, target])
    if source == "gray":
        return namespace(data).stack([data] * 3, axis=-1)  # type: ignore[no-any-return]
    if target == "gray":
        return _mixed(data, _LUMA[None], np.zeros(1))[..., 0]
    centre = np.array([0, _period(data) / 2, _period(data) / 2])
    if target == "ycbcr":
        return _mixed(data, _YCBCR, centre)
    if source == "ycbcr":
        return _mixed(data, _RGB, -_RGB @ centre)
    return _to_hsv(data) if target == "hsv" else _from_hsv(data)


def _period(data: Array) -> float:
    scale = full_scale(data)
    return scale if scale == 1.0 else scale + 1


def _moved(data: Array, places: tuple[int, ...]) -> Array:
    xp = namespace(data)
    opaque = xp.ones_like(data[..., 0])
    if full_scale(data) != 1.0:
        opaque = opaque * xp.iinfo(data.dtype).max
    return xp.stack(  # type: ignore[no-any-return]
        [opaque if place < 0 else data[..., place] for place in places], axis=-1
    )


def _mixed(data: Array, matrix: Array, offset: Array) -> Array:
    """Return each pixel multiplied by `matrix`, plus `offset`."""
    if for_opencv(data, _WIDE):
        rows = np.column_stack([matrix, offset])
        mixed: Array = opencv().transform(data, rows)
        return mixed if mixed.ndim == 3 else mixed[..., None]
    xp = namespace(data)
    pixels = to_float(data)
    weights = xp.asarray(matrix.T, dtype=pixels.dtype)
    mixed = xp.matmul(pixels, weights) + xp.asarray(offset, dtype=pixels.dtype)
    return from_float(mixed, data.dtype)


def _to_hsv(data: Array) -> Array:
    xp = namespace(data)
    pixels = to_float(data)
    red, green, blue = (pixels[..., channel] for channel in range(3))
    value, chroma = xp.max(pixels, axis=2), xp.max(pixels, axis=2) - xp.min(pixels, axis=2)
    one = xp.ones_like(value)
    span = xp.where(chroma > 0, chroma, one)
    sixth = xp.where(
        value == red,
        (green - blue) / span,
        xp.where(value == green, (blue - red) / span + 2, (red - green) / span + 4),
    )
    period = _period(data)
    hue = xp.where(chroma > 0, sixth, 0 * one) * (period / 6) % period
    if full_scale(data) != 1.0:  # a hue rounded to a full turn is 0
        hue = xp.round(hue) % period
    saturation = chroma / xp.where(value > 0, value, one) * full_scale(data)
    return from_float(xp.stack([hue, saturation, value], axis=-1), data.dtype)


def _from_hsv(data: Array) -> Array:
    scale = full_scale(data)
    if for_opencv(data, _WIDE):
        # In floats: in 8 bits, OpenCV's own inverse of its hue has a period of 255, not 256.
        units = np.array([360 / _period(data), 1 / scale, 1 / scale], np.float32)
        cv2 = opencv()
        return from_float(cv2.cvtColor(data * units, cv2.COLOR_HSV2RGB) * scale, data.dtype)
    xp = namespace(data)
    pixels = to_float(data)
    hue = pixels[..., 0:1] * (6 / _period(data))
    saturation, value = pixels[..., 1:2] / scale, pixels[..., 2:3]
    # Distance of a channel from the hue, in sixths of a turn.
    turned = (hue + xp.asarray([5.0, 3.0, 1.0], dtype=pixels.dtype)) % 6
    share = xp.clip(xp.where(turned < 4 - turned, turned, 4 - turned), 0, 1)
    return from_float(value - value * saturation * share, data.dtype)
