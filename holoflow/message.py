"""What travels on a flow: a payload and its header."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

T = TypeVar("T", covariant=True)

_NO_METADATA: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Header:
    """What is known of a message besides its payload; it passes from input to output by itself."""

    sequence: int
    """Number of the frame at its source, from 0, without gaps."""
    timestamp: int
    """Time of capture in nanoseconds."""
    source: str
    """Name of the source operator."""
    metadata: Mapping[str, Any] = field(default_factory=lambda: _NO_METADATA)
    """Whatever operators add with `Stamped(..., metadata=...)`; msgpack-able values."""


@dataclass(frozen=True, slots=True)
class Stamped(Generic[T]):
    """A payload whose header the operator sets in part.

    A source yields it to give the time of capture, any operator to add metadata. The
    annotation says so: `def frames(self) -> Iterator[Stamped[Image]]`.
    """

    payload: T
    timestamp: int | None = None
    """Time of capture in nanoseconds, in the clock of the run (`Operator.context.now()`)."""
    elapsed: int | None = None
    """Instead of `timestamp`: nanoseconds since the stream began, as a recording counts them."""
    wait: bool = False
    """Of a source, with `elapsed`: hold the frame back until that time has come."""
    metadata: Mapping[str, Any] | None = None
    """Added to the header's metadata."""
