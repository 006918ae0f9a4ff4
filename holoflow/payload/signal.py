"""Sampled signals: audio, ECG, IMU, radio."""

from __future__ import annotations

from dataclasses import dataclass

from holoflow.payload.array import SAMPLES, Array, check_above_zero, check_axes, check_names


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
