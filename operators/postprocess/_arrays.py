"""One array out of several."""

from __future__ import annotations

from collections.abc import Callable

from holoflow.core.array import Array
from holoflow.core.samples import Arrays


def pick(arrays: Arrays, name: str) -> Array:
    """Return the array `name`, or the only one where `name` is empty; raises ValueError."""
    if name in arrays:
        return arrays[name]
    if not name and len(arrays) == 1:
        return next(iter(arrays.values()))
    has = ", ".join(repr(known) for known in arrays) or "none"
    if name:
        raise ValueError(f"there is no array {name!r}; there are {has}")
    raise ValueError(f"there are the arrays {has}; `array` says which one to take")


def check_known(arrays: Arrays, warn: Callable[..., None]) -> None:
    """Have `warn` tell where nothing is known of the picture that `arrays` are about."""
    if arrays.geometry is None:
        warn(
            "nothing is known of the picture that the arrays were made of, so places are given "
            "in pixels that the model saw; an image that goes through preprocess.tensor takes "
            "its geometry along"
        )
