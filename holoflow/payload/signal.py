"""Sampled signals: audio, ECG, IMU, radio."""

from __future__ import annotations

from dataclasses import dataclass

from holoflow.payload.array import Array, check_shape


@dataclass(frozen=True, slots=True, eq=False)
class Signal:
    """A block of samples; the header's timestamp is that of its first sample."""

    data: Array
    """(samples, channels), real or complex. Audio: float32 from -1 to 1."""
    rate: float
    """Samples a second."""
    names: tuple[str, ...] = ()
    """Names of the channels."""
    units: tuple[str, ...] = ()
    """Units of the channels (`mV`, `m/s²`); empty where they have none."""

    def __post_init__(self) -> None:
        check_shape("Signal.data", self.data, "shape (samples, channels)", ndim=(2,))
        if not self.rate > 0:
            raise ValueError(f"Signal.rate must be above 0 samples/s, got {self.rate!r}")
