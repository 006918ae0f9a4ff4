"""Orders of an image's axes, and pixel values as fractions of full scale.

Axes are N batch, C channels, H rows, W columns; see `holoflow.Image` for the scale of values.
"""

from __future__ import annotations

import math
from typing import Any, Literal, TypeAlias

from holoflow.core.array import Array, namespace
from holoflow.core.pictures import Image

Layout: TypeAlias = Literal["hw", "hwc", "chw", "nhwc", "nchw"]


def axes_of(image: Image) -> Layout:
    """Return the layout of an image's data."""
    return "hw" if image.colour == "gray" else "hwc"


def arrange(data: Array, source: Layout, target: Layout) -> Array:
    """Return `data` with its axes in another order; the result may share memory with `data`.

    A new axis has length 1; an axis that is removed must have it.

    Raises:
        ValueError: `data` does not have the axes of `source`, or a removed axis is longer than 1.
    """
    xp = namespace(data)
    if len(data.shape) != len(source):
        raise ValueError(
            f"an array in the layout {source} has {len(source)} axes, got shape {data.shape}"
        )
    axes = list(source)
    for axis in sorted(set(source) - set(target)):
        position = axes.index(axis)
        if data.shape[position] != 1:
            raise ValueError(
                f"the layout {target} has no axis {axis}, which must then have the length 1; "
                f"got shape {data.shape} in the layout {source}"
            )
        data = xp.squeeze(data, axis=position)
        axes.pop(position)
    for axis in sorted(set(target) - set(source)):
        data = xp.expand_dims(data, axis=0)
        axes.insert(0, axis)
    order = tuple(axes.index(axis) for axis in target)
    return xp.permute_dims(data, order)  # type: ignore[no-any-return]


def packed(data: Array, dtype: object) -> Array:
    """Return a copy of `data` in `dtype`, contiguous in the order of its axes."""
    xp = namespace(data)
    result = xp.empty(data.shape, dtype=dtype)
    result[...] = xp.astype(data, dtype, copy=False)
    return result  # type: ignore[no-any-return]


def full_scale(data: Array) -> float:
    """Return the value that represents 1.0: the highest of an integer dtype, 1.0 of others."""
    xp = namespace(data)
    return float(xp.iinfo(data.dtype).max) if xp.isdtype(data.dtype, "integral") else 1.0


def to_float(data: Array) -> Array:
    """Return `data` with the same values in a floating dtype that can represent them.

    This is float32 for integers up to 16 bits, bool and float16, and float64 for wider integers;
    float32 and float64 are returned unchanged, without a copy.
    """
    xp = namespace(data)
    if data.dtype in (xp.float32, xp.float64):
        return data
    wide = xp.isdtype(data.dtype, "integral") and xp.iinfo(data.dtype).bits > 16
    return xp.astype(data, xp.float64 if wide else xp.float32)  # type: ignore[no-any-return]


def to_fraction(data: Array) -> Array:
    """Return `data` in the dtype of `to_float`, scaled so that full scale is 1.0."""
    scale = full_scale(data)
    return to_float(data) if scale == 1.0 else to_float(data) / scale


def all_finite(data: Array) -> bool:
    """Whether all values are finite; may be False for finite ones whose sum overflows."""
    xp = namespace(data)
    if not xp.isdtype(data.dtype, "real floating"):
        return True
    return bool(xp.isfinite(xp.sum(data)))


def check_fits(data: Array, name: str) -> None:
    """Raise ValueError if integers of the dtype `name` cannot hold `data`, apart from fractions."""
    xp = namespace(data)
    dtype = getattr(xp, name)
    if not xp.isdtype(dtype, "integral") or xp.isdtype(data.dtype, "bool") or 0 in data.shape:
        return
    wanted = xp.iinfo(dtype)
    if xp.isdtype(data.dtype, "integral"):
        own = xp.iinfo(data.dtype)
        if wanted.min <= own.min and own.max <= wanted.max:
            return
    least, most = float(xp.min(data)), float(xp.max(data))
    if not (wanted.min - 1 < least and most < wanted.max + 1):  # also if it is NaN
        raise ValueError(
            f"values from {least:g} to {most:g} do not fit into {name}, which holds "
            f"{wanted.min} to {wanted.max}; preprocess.normalise scales an image"
        )


def from_float(data: Array, dtype: Any) -> Array:
    """Return floating `data` in `dtype`; for integers, rounded and clipped to their range."""
    xp = namespace(data)
    if data.dtype == dtype:
        return data
    if xp.isdtype(dtype, "bool"):
        return data >= 0.5
    if xp.isdtype(dtype, "integral"):
        low, high = float(xp.iinfo(dtype).min), float(xp.iinfo(dtype).max)
        if int(high) > xp.iinfo(dtype).max:  # 64 bits: the next float64 is out of range
            high = math.nextafter(high, 0)
        data = xp.clip(xp.round(data), low, high)
    return xp.astype(data, dtype)  # type: ignore[no-any-return]


def from_fraction(data: Array, like: Array) -> Array:
    """Return floating `data` with full scale 1.0 in the dtype and scale of `like`."""
    scale = full_scale(like)
    return from_float(data if scale == 1.0 else data * scale, like.dtype)
