"""Pictures as they are to be held."""

from __future__ import annotations

import numpy as np

from holoflow.core.array import Array

NEITHER = (1, 0, 0, 1)
"""The matrix of a picture that is neither turned nor mirrored."""


def is_quarter(matrix: tuple[int, int, int, int]) -> bool:
    """Whether `matrix` is of quarter turns and mirrors alone."""
    a, b, c, d = matrix
    return bool(a and d and not b and not c) or bool(b and c and not a and not d)


def upright(pixels: Array, matrix: tuple[int, int, int, int]) -> Array:
    """Return a view of `pixels` as a display matrix says that they are shown.

    `matrix` is (a, b, c, d) of which only the signs count: what is at (x, y) is shown at
    (ax + cy, bx + dy), moved into the picture. Where it is no matrix of quarter turns and
    mirrors, `pixels` are returned as they are.
    """
    if not is_quarter(matrix):
        return pixels
    a, b, c, d = (int(np.sign(part)) for part in matrix)
    if a:
        return pixels[::d, ::a]
    return np.swapaxes(pixels, 0, 1)[::b, ::c]
