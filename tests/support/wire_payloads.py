"""Payloads of every kind that can travel, drawn by hypothesis, and whether two are the same."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from holoflow.core.array import CLASSES, INTEGERS, PIXELS, REAL, SAMPLES, Numbers
from holoflow.core.geometry import Geometry
from holoflow.core.objects import Boxes, Keypoints, PointCloud, Pose, Quaternion
from holoflow.core.pictures import CHANNELS, Image, Mask, Volume
from holoflow.core.samples import Arrays, Signal, Text
from holoflow.link.wire.types import DTYPES


@dataclass(frozen=True)
class Blob:
    """A dataclass of a user's, in another."""

    area: float
    outline: np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A dataclass of a user's."""

    blobs: list[Blob]
    by_name: dict[str, Blob] = dataclasses.field(default_factory=dict)
    image: Image | None = None
    count: int = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "count", len(self.blobs))


NUMBERS = st.sampled_from(sorted(DTYPES)).map(np.dtype)
SIDES = st.integers(0, 40)
TEXTS = st.text(st.characters(exclude_categories=()), max_size=20)
NAMES = st.lists(TEXTS, max_size=5).map(tuple)


def arrays_of(
    *shape: st.SearchStrategy[int] | int, dtype: Any = None, of: Numbers | None = None
) -> st.SearchStrategy[Any]:
    """Arrays of a shape some of whose axes are drawn, with elements that compress and do not."""
    sides = [st.just(side) if isinstance(side, int) else side for side in shape]
    kind = st.just(np.dtype(dtype)) if dtype else NUMBERS
    if of is not None:
        kind = kind.filter(lambda dtype: dtype.kind in of.kinds)
    return st.builds(_array, st.tuples(*sides), kind, st.integers(0, 2**32), st.integers(0, 3))


def _array(shape: tuple[int, ...], dtype: np.dtype[Any], seed: int, kind: int) -> Any:
    draw = np.random.default_rng(seed)
    if kind == 0:
        values = np.zeros(shape)
    elif kind == 1:
        values = np.cumsum(np.ones(shape), axis=None).reshape(shape) % 100
    else:
        values = draw.normal(size=shape) * 100
    array = np.abs(values).astype(dtype)
    if kind == 3 and len(shape) > 1:  # of the same values, but not in one piece
        array = np.asfortranarray(array)[::-1]
    return array


N = st.shared(SIDES, key="n")
K = st.shared(st.integers(0, 5), key="k")


def _maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


FACTORS = st.tuples(*[st.floats(1e-3, 1e3)] * 2)
LENGTHS = st.integers(0, 4000)
GEOMETRIES = st.builds(
    Geometry, LENGTHS, LENGTHS, st.tuples(LENGTHS, LENGTHS), FACTORS,
    st.tuples(*[st.floats(-1e4, 1e4)] * 2), _maybe(FACTORS), _maybe(st.tuples(*[LENGTHS] * 4)),
)  # fmt: skip


def _image(colour: str) -> st.SearchStrategy[Image]:
    channels = () if CHANNELS[colour] == 1 else (CHANNELS[colour],)
    plain = st.builds(Image, arrays_of(SIDES, SIDES, *channels, of=PIXELS), st.just(colour))
    return plain | st.builds(_part, plain, GEOMETRIES)


def _part(image: Image, geometry: Geometry) -> Image:
    """Return `image` as one that comes of another picture."""
    size = {"width": image.width, "height": image.height}
    return dataclasses.replace(image, geometry=dataclasses.replace(geometry, **size))


def _edges(points: int) -> st.SearchStrategy[tuple[tuple[int, int], ...]]:
    if not points:
        return st.just(())
    point = st.integers(0, points - 1)
    return st.lists(st.tuples(point, point), max_size=4).map(tuple)


IMAGES = st.sampled_from(sorted(CHANNELS)).flatmap(_image)
QUATERNIONS = st.builds(Quaternion, arrays_of(4, of=REAL))
PAYLOADS = [
    IMAGES,
    st.builds(
        Boxes, arrays_of(N, 4, of=REAL), _maybe(arrays_of(N, of=REAL)),
        _maybe(arrays_of(N, of=INTEGERS)), NAMES, _maybe(arrays_of(N, of=INTEGERS)),
        _maybe(GEOMETRIES),
    ),
    GEOMETRIES,
    st.builds(
        Keypoints, arrays_of(N, K, 2, of=REAL), _maybe(arrays_of(N, K, of=REAL)), NAMES,
        K.flatmap(_edges), _maybe(GEOMETRIES),
    ),
    st.builds(Mask, arrays_of(SIDES, SIDES, of=CLASSES), NAMES),
    st.builds(Signal, arrays_of(SIDES, SIDES, of=SAMPLES), st.floats(1e-3, 1e9), NAMES, NAMES),
    st.builds(Volume, arrays_of(SIDES, st.integers(0, 9), SIDES, of=PIXELS),
              st.tuples(*[st.floats(1e-3, 10)] * 3)),
    st.builds(PointCloud, arrays_of(N, 3, of=REAL), _maybe(arrays_of(N, of=REAL)),
              _maybe(arrays_of(N, of=INTEGERS))),
    QUATERNIONS,
    st.builds(Pose, arrays_of(3, of=REAL), QUATERNIONS),
    st.builds(Text, TEXTS),
    st.builds(
        Arrays, st.dictionaries(TEXTS, arrays_of(SIDES), max_size=4), geometry=_maybe(GEOMETRIES),
    ),
]  # fmt: skip
"""A strategy for each class of `holoflow.core.payload`."""

BLOBS = st.builds(Blob, st.floats(allow_nan=False), arrays_of(SIDES, 2))
SCENES = st.builds(
    Scene, blobs=st.lists(BLOBS, max_size=3),
    by_name=st.dictionaries(TEXTS, BLOBS, max_size=2), image=_maybe(IMAGES),
)  # fmt: skip

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(1 << 200), 1 << 200)
    | st.floats()
    | TEXTS
    | st.binary(max_size=30)
    | st.integers(500, 700).map(bytes)
    | NUMBERS.flatmap(lambda dtype: hnp.from_dtype(dtype))
)
LEAVES = SCALARS | st.one_of(PAYLOADS) | SCENES | hnp.arrays(
    NUMBERS, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=8)
)  # fmt: skip
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(TEXTS, inner, max_size=4)
    ),
    max_leaves=8,
)
"""Every kind of value that can travel, in one another."""


def same(one: Any, other: Any) -> bool:
    """Whether two payloads are of the same types, shapes, dtypes and values, bit for bit."""
    if type(one) is not type(other):
        return False
    if isinstance(one, (np.ndarray, np.generic)):
        return (
            one.dtype == other.dtype
            and one.shape == other.shape
            and one.tobytes() == other.tobytes()
        )
    if dataclasses.is_dataclass(one):
        return all(
            same(getattr(one, field.name), getattr(other, field.name))
            for field in dataclasses.fields(one)
        )
    if isinstance(one, dict):
        about = getattr(one, "geometry", None) == getattr(other, "geometry", None)
        return about and list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other) or (one != one and other != other)
