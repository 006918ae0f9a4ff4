"""The display of a pipe or a file: plain lines, no control codes."""

from __future__ import annotations

import io
import logging
import math
from collections.abc import Callable

from holoflow.cli import log, text
from holoflow.cli.errors import say
from holoflow.cli.lines import Lines
from holoflow.cli.meter import Meter, source_frames, total_dropped
from holoflow.cli.summary import Summary, renderables
from holoflow.engine.result import Snapshot

PROGRESS_EVERY = 5.0
"""Seconds from one line of progress to the next."""
_WIDTH = 10_000
"""Columns: wider than any table, so that nothing is cut."""


class PlainDisplay:
    """Prints a line of progress every few seconds, and what is logged and announced."""

    every = 0.5

    def __init__(self, when_gone: Callable[[], None]) -> None:
        """Call `when_gone` when nobody reads stdout any more."""
        self._lines = Lines(when_gone)
        self._meter = Meter()
        self._announced = 0
        self._progress_at = PROGRESS_EVERY

    def note(self, sentence: str) -> None:
        """Print a sentence on stderr."""
        say(sentence)

    def log(self, record: logging.LogRecord) -> None:
        """Print what was logged."""
        self._lines.write(log.line(record))

    def snapshot(self, snapshot: Snapshot) -> None:
        """Print new announcements, and a line of progress when it is time for one."""
        for kind, words in snapshot.announcements[self._announced :]:
            self._lines.write(text.printable(f"{kind}: {words}"))
        self._announced = len(snapshot.announcements)
        readings = self._meter.read(snapshot)
        if snapshot.seconds < self._progress_at:
            return
        self._progress_at = (snapshot.seconds // PROGRESS_EVERY + 1) * PROGRESS_EVERY
        senders = {flow.source.rpartition(".")[0] for flow in snapshot.flows}
        fed = {flow.target.rpartition(".")[0] for flow in snapshot.flows}
        rate = sum(reading.rate for reading in readings if reading.name not in fed)
        latency = max(
            (reading.latency for reading in readings if reading.name not in senders),
            default=math.nan,
        )
        dropped = text.causes(total_dropped(snapshot))
        self._lines.write(
            f"{text.seconds(snapshot.seconds)}: {text.plural(source_frames(snapshot), 'frame')}, "
            f"{text.rate(rate)} frames/s, latency {text.milliseconds(latency)} ms"
            + (f", dropped {dropped}" if dropped else "")
        )

    def stop(self) -> None:
        """Nothing to do: every line stands for itself."""

    def end(self, summary: Summary) -> None:
        """Print the summary."""
        from rich.console import Console

        page = io.StringIO()
        console = Console(file=page, width=_WIDTH, color_system=None)
        for part in renderables(summary, _WIDTH):
            console.print(part)
        self._lines.write("\n".join(line.rstrip() for line in page.getvalue().splitlines()))
