"""`io.npz`: messages to .npz files."""

from __future__ import annotations

import dataclasses
import io
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from holoflow.core.array import Array, MaskedArrayError, to_numpy
from holoflow.core.errors import HoloflowError
from holoflow.core.files import OutputPath, write_whole
from holoflow.core.geometry import Geometry
from holoflow.core.message import Header
from holoflow.core.operator import Operator, param
from holoflow.operators.io._files import NumberedFiles, check_names, claimed, naming

_LONGEST = 1000
"""Most bytes in the name of an array: an archive has room for 65,535."""


class NpzOp(Operator):
    """Write an .npz file for each set of inputs, with every array in it, complete and exact.

    A file contains `sequence`, `timestamp` (ns) and `source` of the frame, and each input under the
    name given in the app: an array as `name`, the fields of other payloads as `name.field`, such as
    `boxes.xyxy` and `signal.rate`, and bytes as uint8. Shapes may differ between messages, and
    memory stays constant. A file is written completely or not at all, whenever the program ends.
    `numpy.load` reads it without `allow_pickle`.

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
    compress: bool = param(False, doc="smaller files, but slower")

    def claims(self) -> tuple[str, ...]:
        """Return the files that only this operator may write."""
        return (claimed(self.path),)

    def start(self) -> None:
        """Create the folder."""
        self._files = NumberedFiles(
            self.context.output, self.path, go_on=self.context.generation > 0
        )
        self.context.announce("arrays", str(self.context.output / self.path))

    def process(self, header: Header, **values: Any) -> None:
        """Write one file."""
        check_names(values)
        arrays = to_arrays({
            "sequence": np.int64(header.sequence), "timestamp": np.int64(header.timestamp),
            "source": np.str_(header.source), **values,
        })  # fmt: skip
        data = _archive(arrays, compress=self.compress)
        file = self._files.next(header.sequence)
        with naming(file):
            write_whole(file, data, 0o666)


def to_arrays(payloads: Mapping[str, Any]) -> dict[str, Array]:
    """Return everything in `payloads` as arrays under dotted names; nothing for None and ().

    The geometry of a picture that is its own source is left out, as its arrays imply it.

    Raises:
        HoloflowError: Something is not an array, number or string, an array is masked, or two have
            the same name.
    """
    arrays: dict[str, Array] = {}
    for name, array in _named("", payloads):
        if name in arrays:
            raise HoloflowError(f"two of the arrays to write have the name {name!r}")
        arrays[name] = array
    return arrays


def _named(prefix: str, payloads: Mapping[Any, Any]) -> Iterator[tuple[str, Array]]:
    for key, payload in payloads.items():
        name = f"{prefix}{key}"
        if payload is None or (isinstance(payload, tuple) and not payload):
            continue
        if isinstance(payload, Geometry) and payload.is_plain:
            continue
        if dataclasses.is_dataclass(payload) and not isinstance(payload, type):
            fields = [field.name for field in dataclasses.fields(payload)]
            payload = {field: getattr(payload, field) for field in fields}
        if isinstance(payload, Mapping):
            yield from _named(f"{name}.", payload)
        else:
            yield name, _array(name, payload)


def _array(name: str, payload: Any) -> Array:
    if isinstance(payload, (bytes, bytearray, memoryview)):
        return np.frombuffer(payload, np.uint8)
    if isinstance(payload, str) and payload.endswith("\0"):
        raise HoloflowError(f"{name}: text that ends with a zero character would lose it in a file")
    try:
        array = to_numpy(payload)
    except MaskedArrayError as error:
        raise HoloflowError(f"{name}: {error}") from None
    except ValueError:  # lists of different lengths
        array = np.empty((), object)
    if array.dtype.hasobject:
        raise HoloflowError(
            f"{name} is a {type(payload).__name__}, which an .npz file cannot store",
            "arrays, numbers, strings and payloads of these can be written",
        )
    return array


def _archive(arrays: Mapping[str, Array], *, compress: bool) -> bytes:
    """Return an .npz file; unlike with `numpy.savez`, arrays may have any name."""
    buffer = io.BytesIO()
    kind = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    with zipfile.ZipFile(buffer, "w", kind) as archive:
        for name, array in arrays.items():
            if not _is_kept(name):
                raise HoloflowError(f"an .npz file cannot store an array named {name!r}")
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array, allow_pickle=False)
    return buffer.getvalue()


def _is_kept(name: str) -> bool:
    """Whether `name` comes out of an archive unchanged."""
    return name == name.encode(errors="replace").decode() and not (
        "\0" in name or name.endswith(".npy") or len(name) > _LONGEST
    )
