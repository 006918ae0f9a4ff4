"""Messages put together to one call of a model, and its results taken apart again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate

import numpy as np

from holoflow.errors import HoloflowError
from holoflow.payload import Array, Arrays


def run_together(messages: Sequence[Arrays], run: Callable[[Arrays], Arrays]) -> list[Arrays]:
    """Return what `run` makes of each of `messages`, with as few calls as possible.

    Those with arrays of equal shapes, but for the first axis, are joined along it. Raises
    HoloflowError where a result does not have that axis.
    """
    groups: dict[object, list[int]] = {}
    for index, message in enumerate(messages):
        form = tuple((name, a.shape[1:], str(a.dtype)) for name, a in sorted(message.items()))
        groups.setdefault(form, []).append(index)
    results: dict[int, Arrays] = {}
    for members in groups.values():
        parts = _run([messages[index] for index in members], run)
        results |= zip(members, parts, strict=True)
    return [results[index] for index in range(len(messages))]


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
        raise HoloflowError(
            f"output {name!r} has shape {array.shape} for {sum(lengths)} items, so it cannot be "
            f"told what belongs to which message; use batch: 1"
        )
    return np.split(array, list(accumulate(lengths))[:-1])
