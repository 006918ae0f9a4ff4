"""Messages put together to one call of a model, and its results taken apart again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate

import numpy as np

from holoflow.core.array import Array
from holoflow.core.errors import HoloflowError
from holoflow.core.samples import Arrays

from ._specification import Specification


class InseparableError(HoloflowError):
    """Of a result for several messages nobody can say what belongs to which."""


def contradiction(
    inputs: Sequence[Specification], outputs: Sequence[Specification], model: str
) -> str:
    """Say why `outputs` for several messages cannot be taken apart along their first axis.

    It must be that of `inputs`, which is told by its name; where an axis has none, only the
    result can tell. Empty if nothing speaks against it.
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
    """Return what `run` makes of each of `messages`, with as few calls as possible.

    Those with arrays of equal shapes, but for the first axis, are joined along it; a message
    whose own arrays differ in its length is run alone. Raises InseparableError where a result for
    several has not as many rows as they.
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
    """Return what arrays must have in common to be joined; None where they have no such axis."""
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
