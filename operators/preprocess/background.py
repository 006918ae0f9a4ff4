"""`preprocess.background`: background model."""

from __future__ import annotations

from typing import Literal

from holoflow import Array, Geometry, Image, Mask, Operator, namespace, param

from ._arrays import all_finite, to_fraction


class BackgroundOp(Operator):
    """Learn the background in the view of a fixed camera, and mark what does not belong to it.

    `gaussian`: each pixel's background is a running Gaussian with mean m and variance v
    (C. Wren et al., Pfinder: real-time tracking of the human body, IEEE Trans. PAMI 19(7),
    1997). A pixel is foreground where |z - m| exceeds `deviations` times its standard
    deviation; then m += rate (z - m) and v += rate ((z - m)² - v).
    `mean`: the mean alone, and a pixel is foreground where |z - m| exceeds `threshold`.

    With `selective`, only background pixels update the model (D. Koller et al., Towards robust
    automatic traffic scene analysis in real-time, ICPR 1994): objects that stop remain foreground.
    A colour image is foreground where any of its channels is; `gray` takes a third of the time. The
    first frame, and one of another shape or geometry, restarts the model with a mask of zeros.
    Values that are not finite are background and do not update the model.

    Example:
        moving:
          type: preprocess.background
          inputs: {image: camera}
          with: {method: gaussian, rate: 0.02}
    """

    method: Literal["gaussian", "mean"] = param("gaussian", doc="model of a pixel's background")
    rate: float = param(0.02, gt=0, le=1, doc="weight of a new frame in the model", live=True)
    deviations: float = param(
        2.5, gt=0, doc="gaussian: distance of foreground, in deviations", live=True
    )
    threshold: float = param(
        0.1, gt=0, le=1, doc="mean: distance of foreground, as a fraction of full scale", live=True
    )
    noise: float = param(
        0.02, gt=0, le=1,
        doc="gaussian: initial and least standard deviation of a pixel, as a "
        "fraction of full scale",
    )  # fmt: skip
    selective: bool = param(False, doc="update the model with background only", live=True)

    _model: tuple[Array, Array] | None = None
    """Mean and variance of each pixel."""
    _geometry: Geometry | None = None
    """Geometry of these pixels."""
    _sound: bool = True
    """Whether all means are finite."""

    def start(self) -> None:
        """Forget the background."""
        self._model = None

    def process(self, image: Image) -> Mask:
        """Return the mask, uint8: 1 where the image is foreground."""
        xp = namespace(image.data)
        pixels = to_fraction(image.data)
        if (
            self._model is None
            or self._model[0].shape != pixels.shape
            or self._geometry != image.geometry
        ):
            self._geometry, self._sound = image.geometry, all_finite(image.data)
            self._model = pixels, xp.full_like(pixels, self.noise**2)
        mean, variance = self._model
        sound = all_finite(image.data) and self._sound
        if not sound:  # a mean that is not finite yet is set to the first value
            mean = xp.where(xp.isfinite(mean), mean, pixels)
            self._sound = all_finite(mean)
        distance = pixels - mean
        if not sound:  # values that are not finite do not update the model
            distance = xp.where(xp.isfinite(distance), distance, xp.zeros_like(distance))
        squared = distance * distance
        if self.method == "mean":
            foreground = squared > self.threshold**2
        else:
            foreground = squared > variance * self.deviations**2
        if len(image.data.shape) == 3:
            foreground = xp.any(foreground, axis=2)
        rate = self._rates(foreground, distance)
        if self.method == "gaussian":
            variance = xp.clip(variance + (squared - variance) * rate, self.noise**2, None)
        self._model = mean + distance * rate, variance
        return Mask(
            xp.astype(foreground, xp.uint8),
            names=("background", "foreground"),
            geometry=image.geometry,
        )

    def _rates(self, foreground: Array, like: Array) -> Array | float:
        """Return the weight of the new frame, an array if it differs between pixels."""
        if not self.selective:
            return self.rate
        xp = namespace(like)
        rates: Array = xp.astype(~foreground, like.dtype) * self.rate
        return rates if len(like.shape) == 2 else rates[..., None]
