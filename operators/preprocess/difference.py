"""`preprocess.difference`: what changes from frame to frame."""

from __future__ import annotations

from holoflow import Array, Image, Operator, namespace


class DifferenceOp(Operator):
    """Subtract the previous frame from each frame: moving objects light up.

    The result is the absolute difference in the same colour and dtype. The first frame, and one of
    another size, geometry, dtype or colour than the previous one, gives zeros, so that there is one
    result for every frame.

    Example:
        motion:
          type: preprocess.difference
          inputs: {image: bright}
    """

    _before: Image | None = None

    def start(self) -> None:
        """Forget the previous frame."""
        self._before = None

    def process(self, image: Image) -> Image:
        """Return the absolute difference from the previous frame."""
        before, self._before = self._before, image
        if (
            before is None
            or before.colour != image.colour
            or before.data.shape != image.data.shape
            or before.geometry != image.geometry
            or before.data.dtype != image.data.dtype
        ):
            return image.with_data(namespace(image.data).zeros_like(image.data))
        return image.with_data(_distance(image.data, before.data))


def _distance(one: Array, other: Array) -> Array:
    """Return |one - other| in the same dtype, clipped to its range."""
    xp = namespace(one, other)
    if xp.isdtype(one.dtype, "bool"):
        return xp.not_equal(one, other)  # type: ignore[no-any-return]
    difference = xp.maximum(one, other) - xp.minimum(one, other)
    if xp.isdtype(one.dtype, "signed integer"):  # may exceed the highest value
        difference = xp.where(difference < 0, xp.iinfo(one.dtype).max, difference)
    return difference  # type: ignore[no-any-return]
