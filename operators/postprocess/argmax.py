"""`postprocess.argmax`: the best class of each pixel."""

from __future__ import annotations

from typing import ClassVar

from holoflow import Array, Arrays, Mask, Operator, namespace, param

from ._results import check_known, pick


class ArgmaxOp(Operator):
    """Make a mask from scores: each pixel gets the class with the highest score there.

    Scores have shape (1, classes, height, width), in any unit and dtype; of equal scores the first
    class wins. The mask is that of the source of the image, whatever `preprocess.letterbox`,
    `resize` and `crop` have changed: pixels are taken from the nearest place, and what the model
    did not see is background. Scores that are NaN never win, and there is one warning. If the
    geometry of the scores is unknown, the mask has their rows and columns.

    Example:
        organs:
          type: postprocess.argmax
          inputs: {scores: segment}
          with: {names: [background, liver, kidney]}
    """

    stateless: ClassVar[bool] = True

    names: list[str] = param([], doc="names of the classes, the background first")
    array: str = param("", doc="name of the array to use; empty for the only one")

    def process(self, scores: Arrays) -> Mask:
        """Return the mask, uint8 up to 256 classes, else int32.

        Raises:
            ValueError: The scores have another shape.
        """
        check_known(scores, self.context.warn_once)
        found = pick(scores, self.array)
        shape = tuple(found.shape)
        if len(shape) != 4 or shape[0] != 1 or shape[1] < 2:
            raise ValueError(
                f"scores must have shape (1, classes, height, width) with two classes or more, "
                f"got {shape}"
            )
        if self.names and len(self.names) != shape[1]:
            raise ValueError(f"`names` has {len(self.names)} classes, the scores {shape[1]}")
        xp = namespace(found)
        best = xp.argmax(self._numbers(found[0, ...]), axis=0)
        mask = xp.astype(best, xp.uint8 if shape[1] <= 256 else xp.int32)
        names = tuple(self.names)
        if scores.geometry is None:
            return Mask(mask, names)
        height, width = shape[2:]
        return Mask(mask, names, scores.geometry.resampled(width, height)).on(
            scores.geometry.of_source
        )

    def _numbers(self, scores: Array) -> Array:
        """Return `scores` with NaN replaced by the lowest of all scores."""
        xp = namespace(scores)
        if not xp.isdtype(scores.dtype, "real floating"):
            return scores
        none = xp.isnan(scores)
        count = int(xp.count_nonzero(none))
        if not count:
            return scores
        self.context.warn_once("%d of %d scores are NaN", count, scores.size)
        lowest = xp.full_like(scores, -xp.inf)
        return xp.where(none, lowest, scores)  # type: ignore[no-any-return]
