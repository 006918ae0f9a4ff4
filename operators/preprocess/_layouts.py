"""Orders of an image's axes: N batch, C channels, H rows, W columns."""

from __future__ import annotations

from typing import Literal, TypeAlias

from holoflow.core.array import Array, namespace
from holoflow.core.pictures import Image

Layout: TypeAlias = Literal["hw", "hwc", "chw", "nhwc", "nchw"]


def axes_of(image: Image) -> Layout:
    """Return the layout of an image's data."""
    return "hw" if image.colour == "gray" else "hwc"


def arrange(data: Array, source: Layout, target: Layout) -> Array:
    """Return `data` with its axes in another order.

    An axis that is new gets the length 1; one that goes must have it. The result may share
    memory with `data`. Raises ValueError where `data` does not have the axes of `source`.
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
    """Return a copy of `data` in `dtype`, its elements in memory in the order of its axes."""
    xp = namespace(data)
    result = xp.empty(data.shape, dtype=dtype)
    result[...] = xp.astype(data, dtype, copy=False)
    return result  # type: ignore[no-any-return]
