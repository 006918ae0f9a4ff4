"""`preprocess.speckle`: speckle filter."""

from __future__ import annotations

from typing import ClassVar

from holoflow import Image, Operator, namespace, param

from ._arrays import from_fraction, to_fraction
from ._kernels import box_mean


class SpeckleOp(Operator):
    """Remove speckle from an image, as of ultrasound or radar, and keep edges.

    Lee's local-statistics filter for multiplicative noise (J.-S. Lee, Digital image enhancement
    and noise filtering by use of local statistics, IEEE Trans. PAMI 2(2), 1980): with the mean
    m and the variance v of the window around a pixel z and the noise's standard deviation s,
    the variance of the scene is q = max(v - s² m², 0) / (1 + s²), and the pixel becomes
    m + (z - m) q / (q + s² m²). Where the window varies no more than speckle does, that is its
    mean; at an edge, the pixel itself.

    Each channel is processed separately; border pixels are repeated. Colour and dtype are kept.

    Example:
        calm:
          type: preprocess.speckle
          inputs: {image: cine}
          with: {radius: 3, noise: 0.25}
    """

    stateless: ClassVar[bool] = True

    radius: int = param(2, ge=1, le=127, doc="the window has 2 radius + 1 pixels a side", live=True)
    noise: float = param(
        0.25, gt=0, le=10,
        doc="standard deviation of the speckle relative to the mean, as measured where the scene "
        "is even; 0.52 for fully developed speckle, less after log compression", live=True,
    )  # fmt: skip

    def process(self, image: Image) -> Image:
        """Return the filtered image; raises ValueError if the window is larger than it."""
        xp = namespace(image.data)
        pixels = to_fraction(image.data)
        mean = box_mean(pixels, self.radius)
        # The cancellation error in float32 is a millionth of m², far below the noise.
        variance = box_mean(pixels * pixels, self.radius) - mean * mean
        speckle = self.noise**2 * mean * mean
        scene = xp.clip(variance - speckle, 0, None) / (1 + self.noise**2)
        total = scene + speckle
        gain = scene / xp.where(total > 0, total, xp.ones_like(total))
        return image.with_data(from_fraction(mean + (pixels - mean) * gain, image.data))
