"""Conversion of payloads to Holoscan tensors and of headers to its metadata, and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, get_args

import numpy as np

from holoflow.core.array import Array, to_numpy
from holoflow.core.errors import optional
from holoflow.core.geometry import Geometry
from holoflow.core.message import Header
from holoflow.core.objects import PointCloud
from holoflow.core.passed_geometry import shared
from holoflow.core.pictures import Image, Mask, Volume
from holoflow.core.ports import class_of
from holoflow.core.samples import Arrays, Signal


def to_tensors(payload: Any) -> Any:
    """Return the arrays of `payload` by name, as Holoscan operators take them.

    Image, Mask, Signal, Volume, PointCloud and a single array become one tensor with an empty
    name. A mapping whose values are not all arrays, and anything else, is passed as the Python
    object that it is.
    """
    if isinstance(payload, (Image, Mask, Signal, Volume)):
        return {"": _contiguous(payload.data)}
    if isinstance(payload, PointCloud):
        return {"": _contiguous(payload.points)}
    if isinstance(payload, Mapping):
        if not (payload and all(map(_is_array, payload.values()))):
            return payload
        return {name: _contiguous(array) for name, array in payload.items()}
    return {"": _contiguous(payload)} if _is_array(payload) else payload


def _is_array(value: Any) -> bool:
    """Whether Holoscan can take `value` as a tensor; a number of NumPy's is a number."""
    marks = ("__array_interface__", "__cuda_array_interface__", "__dlpack__")
    return not isinstance(value, np.generic) and any(hasattr(value, mark) for mark in marks)


def _contiguous(array: Any) -> Any:
    """Return an array that DLPack can export: contiguous and writeable."""
    if not isinstance(array, np.ndarray):
        return array
    array = to_numpy(array)
    if not array.flags.writeable:  # it is in the memory of a link
        return array.copy()
    return np.ascontiguousarray(array)


def lasting(message: Any) -> Any:
    """Return what a Holoscan operator sent as something that outlives the message.

    A tensor that C++ has made takes its shape from the message, so that it has none afterwards.
    """
    if isinstance(message, Mapping) and all(map(_is_array, message.values())):
        return {name: _array(tensor) for name, tensor in message.items()}
    return message


def from_tensors(message: Any, wanted: Any, geometry: Geometry | None = None) -> Any:
    """Return what a Holoscan operator sent as the payload type `wanted`.

    A single tensor becomes an `Image` (gray, rgb or rgba by its channels) or an array, as
    wanted; several become `Arrays`. A mapping with other values, and anything else, is returned
    unchanged.

    Args:
        message: What the operator sent; a mapping holds tensors by name.
        wanted: Payload type of the port, or a union.
        geometry: Of the picture that the operator received: kept by arrays, and by an image of
            the same size.
    """
    if _is_array(message):
        kinds = (wanted, *get_args(wanted))
        if Image not in kinds and Arrays not in kinds:
            return _array(message)
        message = {"": message}
    if not (isinstance(message, Mapping) and message and all(map(_is_array, message.values()))):
        return message
    geometry = getattr(message, "geometry", geometry)
    arrays = Arrays({name: _array(t) for name, t in message.items()}, geometry=geometry)
    if len(arrays) == 1:
        (array,) = arrays.values()
        kinds = (wanted, *get_args(wanted))
        if Image in kinds:
            return _image(array, geometry)
        if Arrays not in kinds and any(class_of(k) in (Array, np.ndarray) for k in kinds):
            return array
    return arrays


def _array(tensor: Any) -> Any:
    """Return a view of a tensor as an array, on the device that holds it."""
    if hasattr(tensor, "__array_interface__"):
        return np.asarray(tensor)
    if hasattr(tensor, "__cuda_array_interface__"):
        return optional("cupy", "cu12").asarray(tensor)
    return to_numpy(tensor)


def _image(array: Any, geometry: Geometry | None) -> Image:
    if array.ndim == 3 and array.shape[-1] == 1:
        array = array[..., 0]
    colours = {3: "rgb", 4: "rgba"}
    colour: Any = "gray" if array.ndim == 2 else colours.get(array.shape[-1], "rgb")
    image = Image(array, colour)
    if geometry is None or (geometry.width, geometry.height) != (image.width, image.height):
        return image
    return Image(array, colour, geometry)


KEY = "holoflow."
_GEOMETRY = KEY + "geometry"
FED = KEY + "fed."
"""Begins the key of what was emitted to an operator, by input."""
_FIELDS = ("sequence", "timestamp", "source")


def put_header(metadata: Any, header: Header, payloads: Iterable[Any]) -> None:
    """Store `header` and the geometry of `payloads`, for which tensors have no room, in `metadata`.

    What operators have added to the header is there key by key, as Holoscan's operators do it.
    Earlier values in the Holoscan metadata are replaced.
    """
    metadata.pop(_GEOMETRY, None)
    geometry = shared(payloads)
    if geometry is not None:
        metadata.set(_GEOMETRY, geometry)
    fields = {KEY + name: getattr(header, name) for name in _FIELDS}
    for name, value in (*fields.items(), *header.metadata.items()):
        metadata.pop(name, None)
        metadata.set(name, value)


def without_header(metadata: Any) -> Any:
    """Return a copy of Holoscan's `metadata` without what belongs to a single message."""
    copy = type(metadata)()
    copy.policy = type(metadata.policy).UPDATE
    copy.update(metadata)
    for name in copy.keys():  # noqa: SIM118 - it is no dict
        if name.startswith(FED) or name in {KEY + field for field in _FIELDS}:
            copy.pop(name)
    return copy


def get_header(metadata: Any) -> Header | None:
    """Return the header stored in Holoscan's `metadata`; None if there is none."""
    if not metadata.has_key(KEY + "source"):
        return None
    said = {name: value for name, value in metadata.items() if not name.startswith(KEY)}
    sequence, timestamp, source = (metadata[KEY + name] for name in _FIELDS)
    return Header(sequence, timestamp, source, said)


def get_geometry(metadata: Any) -> Geometry | None:
    """Return the geometry stored in Holoscan's `metadata`; None if there is none."""
    return metadata.get(_GEOMETRY, None)  # type: ignore[no-any-return]
