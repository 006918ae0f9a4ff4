"""`preprocess.contrast`: contrast stretching."""

from __future__ import annotations

from typing import Any, ClassVar

from holoflow import Array, Image, Operator, ParameterError, namespace, param

from ._arrays import all_finite, from_fraction, to_fraction


class ContrastOp(Operator):
    """Stretch an image's values between two percentiles to full scale, and apply a gamma curve.

    The percentiles `low` and `high` of all pixels become 0 and full scale, and values beyond are
    clipped; then every value v (0 to 1) becomes v^gamma: below 1 brightens dark parts. Percentiles
    are those of each frame, over all channels together so that hues are kept. An image of one value
    is not stretched, and values that are not finite are ignored. Accepts gray, rgb and bgr; colour
    and dtype are kept.

    Example:
        bright:
          type: preprocess.contrast
          inputs: {image: calm}
          with: {low: 1, high: 99.5, gamma: 0.8}
    """

    stateless: ClassVar[bool] = True

    low: float = param(1.0, ge=0, le=100, doc="percentile that becomes 0, in percent", live=True)
    high: float = param(
        99.0, ge=0, le=100, doc="percentile that becomes full scale, in percent", live=True
    )
    gamma: float = param(1.0, gt=0, le=10, doc="exponent for the stretched values", live=True)

    def __init__(self, **parameters: Any) -> None:
        """Check the parameters; raises `ParameterError`."""
        super().__init__(**parameters)
        if not self.low < self.high:
            raise ParameterError(
                f"{type(self).__name__}: low must be below high, got {self.low:g} and {self.high:g}"
            )

    def process(self, image: Image) -> Image:
        """Return the image with its new values; raises ValueError if it is not gray, rgb or bgr."""
        if image.colour not in ("gray", "rgb", "bgr"):
            raise ValueError(
                f"the contrast of an image in {image.colour} cannot be stretched, only of one in "
                f"gray, rgb or bgr; put preprocess.colour before it"
            )
        xp = namespace(image.data)
        if 0 in image.data.shape:
            return image
        low, high = self._range(image.data)
        pixels = to_fraction(image.data)
        if high > low:
            pixels = (pixels - low) * (1 / (high - low))
        pixels = xp.clip(pixels, 0, 1)
        if self.gamma != 1:
            pixels = pixels**self.gamma
        return image.with_data(from_fraction(pixels, image.data))

    def _range(self, data: Array) -> tuple[float, float]:
        """Return both percentiles, each the nearest existing value, as fractions of full scale."""
        xp = namespace(data)
        values = xp.reshape(data, (-1,))
        if not all_finite(values):
            values = values[xp.isfinite(values)]
        ordered = xp.sort(values)
        last = ordered.shape[0] - 1
        if last < 0:
            return 0.0, 0.0
        ranks = [round(percent / 100 * last) for percent in (self.low, self.high)]
        low, high = (to_fraction(ordered[rank : rank + 1]) for rank in ranks)
        return float(low[0]), float(high[0])
