"""The arrays that a model takes, and how messages are joined for one call and split again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np

from holoflow.core.array import Array
from holoflow.core.errors import HoloflowError
from holoflow.core.samples import Arrays

_DTYPES = {
    "float": "float32", "double": "float64", "float16": "float16", "bool": "bool",
    "int8": "int8", "int16": "int16", "int32": "int32", "int64": "int64",
    "uint8": "uint8", "uint16": "uint16", "uint32": "uint32", "uint64": "uint64",
    "string": "object",
}  # fmt: skip


@dataclass(frozen=True)
class Specification:
    """An input or output of a model."""

    name: str
    dtype: str
    shape: tuple[int | str | None, ...]
    """Lengths of the axes; a name or None stands for any length."""

    @staticmethod
    def of(value: Any) -> Specification:
        """Return ONNX Runtime's description of an input or output as a specification."""
        kind = value.type.removeprefix("tensor(").removesuffix(")")
        return Specification(value.name, _DTYPES.get(kind, kind), tuple(value.shape))

    @property
    def first(self) -> int | str | None:
        """Length or name of the first axis; None if it has neither."""
        return self.shape[0] if self.shape else None

    def takes(self, array: Array) -> bool:
        """Whether `array` has this dtype and a matching shape."""
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

    A single array goes to the only input, whatever its name.

    Args:
        arrays: The arrays of a message.
        inputs: The inputs of the model.
        model: Name of the model for messages.

    Raises:
        ValueError: The arrays do not fit the inputs.
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


class InseparableError(HoloflowError):
    """A result for several messages cannot be split."""


def contradiction(
    inputs: Sequence[Specification], outputs: Sequence[Specification], model: str
) -> str:
    """Return why `outputs` for several messages cannot be split along their first axis, or "".

    It must be the first axis of `inputs`, identified by its name. If an axis has no name, only the
    result can show it.
    """
    names = {axis for entry in inputs if isinstance(axis := entry.first, str)}
    if len(names) > 1:
        return f"the first axes of the inputs of {model} are {' and '.join(sorted(names))}"
    batch = next(iter(names), "without a name")
    for entry in outputs:
        if entry.first is not None and entry.first not in names:
            return (
                f"the first axis of the output {entry.name!r} of {model} is {entry.first}, that "
                f"of the inputs {batch}; if it has a row for each of theirs all the same, say "
                f"batched: [{entry.name}]"
            )
    return ""


def run_together(messages: Sequence[Arrays], run: Callable[[Arrays], Arrays]) -> list[Arrays]:
    """Return the results of `run` for each of `messages`, with as few calls as possible.

    Messages whose arrays have equal shapes, except for the first axis, are joined along it; a
    message whose own arrays differ in its length is run alone.

    Raises:
        InseparableError: A result for several messages does not have as many rows as they have.
    """
    groups: dict[object, list[int]] = {}
    for index, message in enumerate(messages):
        groups.setdefault(_form(message) or index, []).append(index)
    results: dict[int, Arrays] = {}
    for members in groups.values():
        parts = _run([messages[index] for index in members], run)
        results |= zip(members, parts, strict=True)
    return [results[index] for index in range(len(messages))]


def _form(message: Arrays) -> object:
    """Return what arrays must have in common to be joined; None if a message has no such axis."""
    lengths = {array.shape[:1] for array in message.values()}
    if len(lengths) != 1 or lengths == {()}:
        return None
    return tuple((name, a.shape[1:], str(a.dtype)) for name, a in sorted(message.items()))


def _run(messages: list[Arrays], run: Callable[[Arrays], Arrays]) -> list[Arrays]:
    if len(messages) == 1:
        return [run(messages[0])]
    joined = Arrays({name: np.concatenate([m[name] for m in messages]) for name in messages[0]})
    lengths = [len(next(iter(message.values()))) for message in messages]
    found = run(joined)
    parts = {name: _split(name, array, lengths) for name, array in found.items()}
    return [Arrays({name: parts[name][i] for name in parts}) for i in range(len(messages))]


def _split(name: str, array: Array, lengths: list[int]) -> list[Array]:
    if array.ndim == 0 or len(array) != sum(lengths):
        raise InseparableError(
            f"the output {name!r} has the shape {array.shape} for {sum(lengths)} rows of the inputs"
        )
    return np.split(array, list(accumulate(lengths))[:-1])
