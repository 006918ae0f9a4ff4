"""`preprocess.normalise`: pixel values for a model."""

from __future__ import annotations

import math
from typing import Any

from holoflow import Image, Operator, ParameterError, namespace, param

from ._arrays import full_scale

_MUCH = 32.0
"""Floats from this value on are not fractions of full scale."""
_LITTLE = 1 / 16
"""Integers below this share of their full scale are from a sensor with fewer bits."""


class NormaliseOp(Operator):
    """Scale and shift pixels to float32, as models expect them.

    The full scale of the input's dtype (0 to 255 for uint8, 0 to 1 for floats), or `full_scale` if
    it is given, is mapped to `range`; then `mean` is subtracted and the result divided by `std`,
    both in units of `range`. For example, `range: [0, 255]` gives 8-bit values as floats, `range:
    [-1, 1]` values around zero, and `mean: [0.485, 0.456, 0.406]` with `std: [0.229, 0.224, 0.225]`
    those of models trained on ImageNet.

    Example:
        scaled:
          type: preprocess.normalise
          inputs: {image: fitted}
          with: {range: [-1, 1]}
    """

    range: tuple[float, float] = param(
        (0.0, 1.0), doc="values of zero and full scale in the result"
    )
    full_scale: float | None = param(
        None, gt=0,
        doc="value of full scale, if it is not the dtype's: 4095 for 12 bits in 16, 255 for "
        "floats up to 255",
    )  # fmt: skip
    mean: list[float] = param([0.0], min_length=1, doc="subtracted; one for all channels or each")
    std: list[float] = param([1.0], min_length=1, doc="divisor; one for all channels or each")

    _judged: bool = False
    """Whether values have arrived that show whether full scale is right."""

    def __init__(self, **parameters: Any) -> None:
        """Check the parameters; raises `ParameterError`."""
        super().__init__(**parameters)
        if 0 in self.std:
            raise ParameterError(
                f"{type(self).__name__}.std: contains 0, by which nothing can be divided"
            )
        if self.range[0] == self.range[1]:
            raise ParameterError(f"{type(self).__name__}.range: both ends are {self.range[0]:g}")

    def process(self, image: Image) -> Image:
        """Return the image in float32; ValueError if channels and parameters do not match."""
        xp = namespace(image.data)
        channels = 1 if image.colour == "gray" else image.data.shape[2]
        for name, values in (("mean", self.mean), ("std", self.std)):
            if len(values) not in (1, channels):
                raise ValueError(
                    f"{name} has {len(values)} values, the image in {image.colour} {channels} "
                    f"channels; give one value or one for each channel"
                )
        low, high = self.range
        factors = [(high - low) / self._full_scale(image) / std for std in self.std]
        # One value for all is as valid as a list of three.
        pairs = max(len(self.mean), len(self.std))
        means, stds = self.mean * (pairs // len(self.mean)), self.std * (pairs // len(self.std))
        offsets = [(low - mean) / std for mean, std in zip(means, stds, strict=True)]
        data = xp.astype(image.data, xp.float32) * xp.asarray(factors, dtype=xp.float32)
        return image.with_data(data + xp.asarray(offsets, dtype=xp.float32))

    def _full_scale(self, image: Image) -> float:
        """Return the value of full scale; warns if the first values contradict it."""
        if self.full_scale is not None:
            return self.full_scale
        own = full_scale(image.data)
        if self._judged or 0 in image.data.shape:
            return own
        xp = namespace(image.data)
        highest = float(xp.max(image.data)) if own != 255 else own
        share = highest / own
        if own == 1:
            self._judged, odd = 0 < share <= 1, _MUCH <= share < math.inf
        else:
            self._judged, odd = share > _LITTLE, 0 < share <= _LITTLE
        if odd:
            self._judged = True
            self.context.warn_once(
                "the values of the image reach %g, but full scale is %g; set "
                "`full_scale` if it is another value", highest, own,
            )  # fmt: skip
        return own
