"""Text."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Text:
    """Lines to read: a measurement, a transcript, a verdict."""

    text: str
    """May hold several lines."""
