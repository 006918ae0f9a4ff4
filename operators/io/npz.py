"""Messages to .npz files."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Mapping
from typing import Any

import numpy as np

from holoflow.errors import HoloflowError
from holoflow.message import Header
from holoflow.operator import Operator, param
from holoflow.operators.io._files import NumberedFiles, claimed, write_whole
from holoflow.operators.io._inputs import check_names
from holoflow.paths import OutputPath
from holoflow.payload import Array, Geometry, to_numpy


class NpzOp(Operator):
    """Write an .npz file for each set of inputs: every array in it, whole and exact.

    A file holds `sequence`, `timestamp` (ns) and `source` of the frame, and each input by the
    name that the app gives it: an array as `name`, the fields of other payloads as
    `name.field`, such as `boxes.xyxy` and `signal.rate`. Shapes may differ from message to
    message, and memory stays flat. A file is there whole or not at all, whenever the program
    ends. `numpy.load` reads it without `allow_pickle`.

    Example:
        outputs:
          type: io.npz
          inputs: {boxes: detect}
          with: {path: "outputs/{sequence}.npz"}
    """

    path: OutputPath = param(
        "{sequence}.npz",
        pattern=NumberedFiles.PATTERN + r"\.npz$",
        doc="files in the output folder; {sequence} is the frame's number, {index} the message's",
    )
    compress: bool = param(False, doc="smaller and slower")

    def claims(self) -> tuple[str, ...]:
        """Return what is written."""
        return (claimed(self.path),)

    def start(self) -> None:
        """Make the folder."""
        self._files = NumberedFiles(
            self.context.output, self.path, go_on=self.context.incarnation > 0
        )
        self.context.announce("arrays", str(self.context.output / self.path))

    def process(self, header: Header, **values: Any) -> None:
        """Write one file."""
        check_names(values)
        arrays: dict[str, Any] = {
            "sequence": np.int64(header.sequence), "timestamp": np.int64(header.timestamp),
            "source": np.str_(header.source),
        }  # fmt: skip
        for name, value in values.items():
            arrays |= to_arrays(name, value)
        buffer = io.BytesIO()
        (np.savez_compressed if self.compress else np.savez)(buffer, **arrays)
        write_whole(self._files.next(header.sequence), buffer.getvalue())


def to_arrays(name: str, payload: Any) -> dict[str, Array]:
    """Return all that `payload` holds as arrays by dotted names; nothing for None and ().

    Nor for the geometry of a picture that is its own source, which its arrays tell.

    Raises HoloflowError for what is no array, number or string.
    """
    if payload is None or (isinstance(payload, tuple) and not payload):
        return {}
    if isinstance(payload, Geometry) and payload.is_plain:
        return {}
    if dataclasses.is_dataclass(payload) and not isinstance(payload, type):
        names = [field.name for field in dataclasses.fields(payload)]
        payload = {name: getattr(payload, name) for name in names}
    if isinstance(payload, Mapping):
        parts = [to_arrays(f"{name}.{key}", value) for key, value in payload.items()]
        return {key: array for part in parts for key, array in part.items()}
    try:
        array = to_numpy(payload)
    except ValueError:  # lists of different lengths
        array = np.empty((), object)
    if array.dtype.hasobject:
        raise HoloflowError(
            f"{name} is a {type(payload).__name__}, which an .npz file does not hold; arrays, "
            f"numbers, strings and payloads of these can be written"
        )
    return {name: array}
