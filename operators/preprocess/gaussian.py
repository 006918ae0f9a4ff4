"""`preprocess.gaussian`: Gaussian filter."""

from __future__ import annotations

from typing import ClassVar

from holoflow import Image, Operator, param

from ._kernels import gaussian


class GaussianOp(Operator):
    """Smooth an image with a Gaussian, truncated at 4 `sigma`.

    Each channel is processed separately; border pixels are repeated. Colour and dtype are kept.

    Example:
        smooth:
          type: preprocess.gaussian
          inputs: {image: camera}
          with: {sigma: 1.5}
    """

    stateless: ClassVar[bool] = True

    sigma: float = param(
        1.0, gt=0, le=100, doc="standard deviation of the Gaussian, in pixels", live=True
    )

    def process(self, image: Image) -> Image:
        """Return the smoothed image; raises ValueError if `sigma` is larger than a side of it."""
        return image.with_data(gaussian(image.data, self.sigma))
