"""Payloads of other kinds: sampled signals, text, arrays by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from holoflow.core.array import SAMPLES, Array, check_above_zero, check_axes, check_names
from holoflow.core.geometry import Geometry


@dataclass(frozen=True, slots=True, eq=False)
class Signal:
    """A block of samples; the header's timestamp is that of its first sample.

    - `data`: (samples, channels), real or complex. Audio: float32 from -1 to 1.
    - `rate`: samples a second.
    - `names`: names of the channels.
    - `units`: units of the channels (`mV`, `m/s²`); empty where they have none.
    """

    data: Array
    rate: float
    names: tuple[str, ...] = ()
    units: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_axes("Signal.data", self.data, "(samples, channels)", SAMPLES, 2)
        check_above_zero("Signal.rate", (self.rate,), "a number above 0 samples/s")
        if self.names != ():
            object.__setattr__(self, "names", check_names("Signal.names", self.names))
        if self.units != ():
            object.__setattr__(self, "units", check_names("Signal.units", self.units))


@dataclass(frozen=True, slots=True)
class Text:
    """Text to read: a measurement, a transcript, a diagnosis.

    - `text`: may hold several lines.
    """

    text: str

    def __post_init__(self) -> None:
        if not isinstance(self.text, str):
            raise TypeError(f"Text.text must be a str, got {type(self.text).__name__}")


class Arrays(dict[str, Array]):
    """Arrays by name: the inputs or outputs of a model; Holoscan calls it a tensor map.

    `geometry` is that of the picture the arrays are about: positions in them are positions in
    that picture. It is passed on automatically by an operator that takes one picture, or the
    arrays of one, and returns arrays without a geometry. None if nothing is known.
    """

    __slots__ = ("geometry",)

    def __init__(self, *arrays: Any, geometry: Geometry | None = None, **named: Array) -> None:
        """Take a mapping or pairs of names and arrays, as `dict` does."""
        super().__init__(*arrays, **named)
        if geometry is not None and not isinstance(geometry, Geometry):
            raise TypeError(
                f"geometry must be the picture's Geometry, got {type(geometry).__name__}; an "
                f'array of that name is passed as {{"geometry": array}}'
            )
        self.geometry = geometry
