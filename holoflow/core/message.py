"""Messages: a payload and its header."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

T = TypeVar("T", covariant=True)

_NO_METADATA: Mapping[str, Any] = {}

_LATEST = 2**62
"""Nanoseconds of 146 years: the sum of two such times has 64 bits."""


@dataclass(frozen=True, slots=True)
class Header:
    """Data about a message besides its payload; passed from input to output automatically.

    - `sequence`: number of the frame at its source, from 0, without gaps.
    - `timestamp`: time of capture in nanoseconds.
    - `source`: name of the source operator.
    - `metadata`: what operators add with `Stamped(..., metadata=...)`; values that msgpack can
      encode.
    """

    sequence: int
    timestamp: int
    source: str
    metadata: Mapping[str, Any] = field(default_factory=lambda: _NO_METADATA)


@dataclass(frozen=True, slots=True)
class Stamped(Generic[T]):
    """A payload whose header the operator sets in part.

    A source yields it to set the time of capture, any operator to add metadata. The return
    annotation declares it: `def frames(self) -> Iterator[Stamped[Image]]`.

    Times are integers below 2**62 (146 years); others raise TypeError or ValueError.

    - `payload`: what is sent; None sends nothing.
    - `timestamp`: time of capture in nanoseconds, by the clock of the run
      (`Operator.context.now()`).
    - `elapsed`: instead of `timestamp`: nanoseconds since the start of the stream, as in a
      recording.
    - `wait`: of a source, with `elapsed`: hold the frame back until that time has come.
    - `metadata`: added to the header's metadata.
    """

    payload: T
    timestamp: int | None = None
    elapsed: int | None = None
    wait: bool = False
    metadata: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        """Reject times that are not integers in range."""
        if self.timestamp is not None and type(self.timestamp) is not int:
            object.__setattr__(self, "timestamp", _nanoseconds("timestamp", self.timestamp))
        if self.elapsed is not None and type(self.elapsed) is not int:
            object.__setattr__(self, "elapsed", _nanoseconds("elapsed", self.elapsed))
        if not -_LATEST < (self.timestamp or self.elapsed or 0) < _LATEST:
            raise ValueError(f"{self.timestamp or self.elapsed} nanoseconds is over 146 years")


def _nanoseconds(name: str, time: Any) -> int:
    """Return `time` as an int; NumPy integers are converted."""
    try:
        return operator.index(time)
    except TypeError:
        raise TypeError(
            f"Stamped.{name} must be a whole number of nanoseconds, not {time!r}; convert "
            f"seconds with round(1e9 * seconds)"
        ) from None
