"""The books: what became of every message of every flow, and what every operator did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Cause: TypeAlias = Literal["full", "late", "replaced", "error", "end", "stopped", "device"]
"""Why a message was dropped.

`full`: no room in the queue. `late`: no partner in time, or came after its partner was gone.
`replaced`: a newer one took its place at a `Latest` input before it was used. `error`: the
operator failed on it. `end`: still waiting when the stream it was to be joined with had ended.
`stopped`: the run was stopped before it was used. `device`: lost by the device itself.
"""


@dataclass(frozen=True)
class FlowBooks:
    """A flow's books; once the run has ended, sent = delivered + dropped."""

    source: str
    """`operator.port`."""
    target: str
    """`operator.port`."""
    sent: int
    delivered: int
    dropped: Mapping[str, int] = field(default_factory=dict)
    """Messages by cause."""
    waiting: int = 0
    """Messages in the queue now."""
    queue: int = 0
    """Messages that may wait; 0 for a fused flow."""

    @property
    def lost(self) -> int:
        """All that were dropped."""
        return sum(self.dropped.values())


@dataclass(frozen=True)
class OperatorBooks:
    """What an operator did."""

    name: str
    frames: int
    """Calls that ended (of a source: frames sent)."""
    sent: int
    """Messages sent."""
    skipped: int
    """Calls that failed and were skipped."""
    working: float
    """Seconds spent in the operator."""
    slowest: float
    """Seconds of its slowest call."""
    latency: float
    """Mean seconds from capture to the end of the call."""
    dropped: Mapping[str, int] = field(default_factory=dict)
    """Frames lost before they became messages, by cause (`device`)."""
