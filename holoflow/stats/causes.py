"""Why messages and frames are dropped: every cause by its name, with what it means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

Cause: TypeAlias = Literal[
    "full", "late", "unpaired", "replaced", "error", "end", "stopped", "device", "crash"
]  # fmt: skip
"""The name of a cause, as reports, metrics and the page show it."""

CAUSES: Final[Mapping[Cause, str]] = {
    "full": "no room in the queue; at a source, none in the app before a newer frame came",
    "late": "no partner in time, arrived after its partner had left, or too old for a budget that "
    "drops late frames",
    "unpaired": "nothing of its frame reached another input of the join",
    "replaced": "replaced at a `Latest` input by a newer message before it was used",
    "error": "the operator failed on it, or it could not be read",
    "end": "still waiting when the stream that it was to be joined with had ended",
    "stopped": "the run was stopped before it was used",
    "device": "lost by the device itself, before it was a message",
    "crash": "lost with a process that died or a connection that broke",
}
"""What each cause means, in the order of their counters in a counter block."""
