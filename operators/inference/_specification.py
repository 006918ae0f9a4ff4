"""What a model says of its inputs and outputs, and whether arrays fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from holoflow.core.array import Array
from holoflow.core.samples import Arrays

_DTYPES = {
    "float": "float32", "double": "float64", "float16": "float16", "bool": "bool",
    "int8": "int8", "int16": "int16", "int32": "int32", "int64": "int64",
    "uint8": "uint8", "uint16": "uint16", "uint32": "uint32", "uint64": "uint64",
    "string": "object",
}  # fmt: skip


@dataclass(frozen=True)
class Specification:
    """One input or output of a model."""

    name: str
    dtype: str
    shape: tuple[int | str | None, ...]
    """Lengths of the axes; a name or None is any."""

    @staticmethod
    def of(value: Any) -> Specification:
        """Read ONNX Runtime's description of an input or output."""
        kind = value.type.removeprefix("tensor(").removesuffix(")")
        return Specification(value.name, _DTYPES.get(kind, kind), tuple(value.shape))

    @property
    def first(self) -> int | str | None:
        """Length or name of the first axis; None where nothing is said of it."""
        return self.shape[0] if self.shape else None

    def takes(self, array: Array) -> bool:
        """Whether `array` has this dtype and this shape."""
        shape = tuple(array.shape)
        return (
            str(array.dtype) == self.dtype
            and len(shape) == len(self.shape)
            and all(
                have == want or not isinstance(want, int)
                for want, have in zip(self.shape, shape, strict=True)
            )
        )

    def __str__(self) -> str:
        lengths = [str(size) if isinstance(size, int) else "any" for size in self.shape]
        return f"{self.name!r} takes {self.dtype} of shape ({', '.join(lengths)})"


def matched(arrays: Arrays, inputs: Sequence[Specification], model: str) -> Arrays:
    """Return `arrays` under the names of the model's inputs.

    A single array goes to the only input, whatever its name. Raises ValueError where they do
    not fit `inputs`; `model` is how the message names the model.
    """
    if len(inputs) == len(arrays) == 1:
        arrays = Arrays({inputs[0].name: next(iter(arrays.values()))})
    names = {entry.name for entry in inputs}
    if set(arrays) != names:
        raise ValueError(
            f"the model {model} has the inputs {_list(names)}, got arrays named {_list(arrays)}; "
            f"`inputs` says which array goes where"
        )
    for entry in inputs:
        array = arrays[entry.name]
        if not entry.takes(array):
            raise ValueError(
                f"the model {model}: {entry}, got {array.dtype} of shape {tuple(array.shape)}; "
                f"preprocess.tensor sets dtype and axes, `free_axes` frees an axis that the "
                f"model declares fixed although it is not"
            )
    return arrays


def _list(names: Any) -> str:
    return ", ".join(repr(name) for name in sorted(names)) or "none"
