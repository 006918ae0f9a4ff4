"""What a run shows while it runs and when it has ended."""

from __future__ import annotations

import logging
from typing import Protocol

from holoflow.cli.summary import Summary
from holoflow.cli.terminal import is_live
from holoflow.core.output import Output
from holoflow.stats.snapshot import Snapshot


class Display(Protocol):
    """Shows a run. Every method may be called from any thread."""

    every: float
    """Seconds from one snapshot to the next."""

    def note(self, sentence: str, /) -> None:
        """Show a sentence for the user."""

    def log(self, record: logging.LogRecord, /) -> None:
        """Show what an operator, or a library, logged."""

    def snapshot(self, snapshot: Snapshot, /) -> None:
        """Show the state of the run, and what was announced since the last call."""

    def stop(self) -> None:
        """Show no more snapshots; called once, before `end`."""

    def end(self, summary: Summary, /) -> None:
        """Show how the run ended."""


def choose(name: str, stdout: Output, *, as_json: bool) -> Display:
    """Return the display for where `stdout` goes to; `name` is the app's."""
    if as_json:
        from holoflow.cli.display_json import JsonDisplay

        return JsonDisplay()
    if is_live():
        from holoflow.cli.display_live import LiveDisplay

        return LiveDisplay(name, stdout)
    from holoflow.cli.display_plain import PlainDisplay

    return PlainDisplay()
