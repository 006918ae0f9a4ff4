"""Payloads as plain values, for files, pages and logs; and their size in bytes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import numpy as np

from holoflow.core.array import Array, to_numpy
from holoflow.core.geometry import Geometry
from holoflow.core.objects import Boxes, Keypoints, PointCloud, Pose, Quaternion
from holoflow.core.pictures import Image, Mask, Volume
from holoflow.core.samples import Text

DEPTH: Final = 8
"""Levels of nesting that are followed: payloads may be anything, including cyclic."""
_NUMBER: Final = 8


def size_of(payload: Any, depth: int = DEPTH) -> int:
    """Return the size in bytes of all arrays, text and bytes in `payload`; other values count 8.

    Args:
        payload: Any payload.
        depth: Levels of nesting to follow.
    """
    size = getattr(payload, "nbytes", None)
    if isinstance(size, int):
        return size
    if isinstance(payload, (str, bytes, bytearray)):
        return len(payload)
    parts = _parts(payload) if depth else None
    return _NUMBER if parts is None else sum(size_of(part, depth - 1) for part in parts)


def _parts(payload: Any) -> list[Any] | None:
    """Return the parts of `payload`; None if it has none."""
    if isinstance(payload, Mapping):
        return [*payload.keys(), *payload.values()]
    if isinstance(payload, (list, tuple)):
        return list(payload)
    if dataclasses.is_dataclass(payload) and type(payload) is not Geometry:
        return [getattr(payload, field.name, None) for field in dataclasses.fields(payload)]
    return None


Plain: TypeAlias = Any
"""None, bool, int, finite float, str, and lists and dicts (with str keys) of these."""

SPELLED_OUT = 4096
"""Elements up to which an array is written as nested lists; a larger one is only described."""


def to_plain(payload: Any) -> Plain:
    """Return `payload`, which is not changed, as a value that JSON can hold.

    - `Boxes`: a list of `{"xyxy": [left, top, right, bottom], "score": …, "label": …, "id": …}`,
      with the keys that are known; the label is a name if there are names.
    - `Keypoints`: a list of `{"points": …, "scores": …}`: lists, or by name if there are names.
    - `Mask`: `{"size": [height, width], "counts": {class: pixels}, "runs": [[class, pixels], …]}`,
      runs of equal pixels row by row from the upper left; classes by name if there are names.
    - `Text`: its string. `Quaternion`: `[w, x, y, z]`. `Pose`: `position` and `orientation`.
    - `Image`, `Volume`, `PointCloud`: described by `shape`, `dtype` and colour or spacing
      (in mm; of an image, if known, as `spacing_mm`).
    - An array: nested lists up to `SPELLED_OUT` elements, else `shape` and `dtype`.
    - `Signal` and other dataclasses: a dict of the fields that are not None or empty.
    - Mappings and sequences: dicts and lists of plain values. bytes: their number.

    A float has the digits that its type holds (0.1 for float32's 0.100000001); a value that is
    not finite becomes None; a complex number becomes `[real, imaginary]`.

    Raises:
        TypeError: `payload` is none of these.
    """
    if payload is None or isinstance(payload, (bool, str)):
        return payload
    if isinstance(payload, Boxes):
        return _boxes(payload)
    if isinstance(payload, Keypoints):
        return _keypoints(payload)
    if isinstance(payload, Mask):
        return _mask(payload)
    if isinstance(payload, Text):
        return payload.text
    if isinstance(payload, Quaternion):
        return to_plain(payload.wxyz)
    if isinstance(payload, Pose):
        return {
            "position": to_plain(payload.position), "orientation": to_plain(payload.orientation)
        }  # fmt: skip
    if isinstance(payload, Image):
        spacing = {"spacing_mm": list(payload.spacing_mm)} if payload.spacing_mm else {}
        return {**_described(payload.data), "colour": payload.colour, **spacing}
    if isinstance(payload, Volume):
        return {**_described(payload.data), "spacing": to_plain(payload.spacing)}
    if isinstance(payload, PointCloud):
        return _described(payload.points)
    if dataclasses.is_dataclass(payload) and not isinstance(payload, type):
        return _fields(payload)
    if isinstance(payload, Mapping):
        return _mapping(payload)
    if isinstance(payload, (list, tuple)):
        return [to_plain(value) for value in payload]
    if isinstance(payload, (bytes, bytearray, memoryview)):
        return {"bytes": len(payload)}
    return _numbers(payload)


def _mapping(payload: Mapping[Any, Any]) -> dict[str, Plain]:
    plain = {str(key): to_plain(value) for key, value in payload.items()}
    if len(plain) < len(payload):
        raise TypeError("a mapping has keys that are equal as text, such as 1 and '1'")
    return plain


def _boxes(boxes: Boxes) -> Plain:
    objects: list[dict[str, Plain]] = [{"xyxy": xyxy} for xyxy in _lists(boxes.xyxy)]
    if boxes.scores is not None:
        for item, score in zip(objects, _lists(boxes.scores), strict=True):
            item["score"] = score
    if boxes.labels is not None:
        for item, label in zip(objects, _lists(boxes.labels), strict=True):
            item["label"] = _named(label, boxes.names)
    if boxes.ids is not None:
        for item, identity in zip(objects, _lists(boxes.ids), strict=True):
            if identity >= 0:
                item["id"] = identity
    return objects


def _keypoints(keypoints: Keypoints) -> Plain:
    def by_name(values: list[Plain]) -> Plain:
        if len(keypoints.names) != len(values):
            return values
        return dict(zip(keypoints.names, values, strict=True))

    objects = [{"points": by_name(points)} for points in _lists(keypoints.points)]
    if keypoints.scores is not None:
        for item, scores in zip(objects, _lists(keypoints.scores), strict=True):
            item["scores"] = by_name(scores)
    return objects


def _mask(mask: Mask) -> Plain:
    flat = to_numpy(mask.data).reshape(-1)
    starts = np.concatenate([np.zeros(min(flat.size, 1), int), _changes(flat)])
    lengths = np.diff(starts, append=flat.size)
    classes, counts = np.unique(flat, return_counts=True)
    return {
        "size": list(mask.data.shape),
        "counts": {
            str(_named(int(index), mask.names)): int(count)
            for index, count in zip(classes, counts, strict=True)
        },
        "runs": [
            [_named(int(index), mask.names), int(length)]
            for index, length in zip(flat[starts], lengths, strict=True)
        ],
    }


def _changes(flat: Array) -> Array:
    """Return the indices at which a value differs from the one before it."""
    return np.flatnonzero(flat[1:] != flat[:-1]) + 1


def _named(label: int, names: tuple[str, ...]) -> int | str:
    return names[label] if 0 <= label < len(names) else label


def _described(array: Array) -> dict[str, Plain]:
    return {"shape": [int(length) for length in array.shape], "dtype": str(array.dtype)}


def _fields(payload: Any) -> dict[str, Plain]:
    values = {field.name: getattr(payload, field.name) for field in dataclasses.fields(payload)}
    return {
        name: to_plain(value)
        for name, value in values.items()
        if not (value is None or (isinstance(value, (tuple, str)) and not value))
    }


def _numbers(payload: Any) -> Plain:
    if hasattr(payload, "shape") and hasattr(payload, "dtype"):
        large = math.prod(payload.shape) > SPELLED_OUT
        return _described(payload) if large else _lists(payload)
    if isinstance(payload, (int, float, complex)):
        return _lists(np.asarray(payload)) if not isinstance(payload, int) else int(payload)
    raise TypeError(
        f"a {type(payload).__name__} has no plain form; payload types, dataclasses, arrays, "
        f"mappings, sequences, numbers and strings have one"
    )


def _lists(array: Any) -> Plain:
    """Return an array of any size as nested lists; one without axes as a scalar."""
    array = to_numpy(array)
    if array.dtype.kind == "c":
        return _lists(np.stack([array.real, array.imag], axis=-1))
    if array.dtype.kind == "f":
        return _floats(array)
    if array.dtype.kind not in "biuU":
        raise TypeError(f"an array of {array.dtype} has no plain form")
    return array.tolist()


def _floats(array: Array) -> Plain:
    flat = array.reshape(-1)
    # str() of a float32 gives its own digits; the float64 made from it would have many more.
    values = flat.tolist() if array.dtype == np.float64 else [float(str(v)) for v in flat]
    finite = np.empty(flat.size, object)
    finite[:] = [value if math.isfinite(value) else None for value in values]
    return finite.reshape(array.shape).tolist()
