"""Displays: what is shown of a run while it runs and when it has ended."""

from __future__ import annotations

import logging
import sys
from typing import Protocol

from holoflow.cli.errors import say
from holoflow.cli.summary import Summary, renderables
from holoflow.cli.tables import WIDE, plain_text
from holoflow.cli.terminal import is_live
from holoflow.core import log, text
from holoflow.core.output import Output
from holoflow.core.text import printable
from holoflow.report.diagnosis.decision import amiss
from holoflow.report.measures import source_frames, source_rate, statistic, total_dropped
from holoflow.stats.difference import difference
from holoflow.stats.histogram import Histogram
from holoflow.stats.snapshot import Snapshot


class Display(Protocol):
    """Shows a run. Every method may be called from any thread."""

    every: float
    """Seconds between snapshots."""

    def note(self, sentence: str, /) -> None:
        """Show a sentence for the user."""

    def log(self, record: logging.LogRecord, /) -> None:
        """Show a log record of an operator or a library."""

    def snapshot(self, snapshot: Snapshot, /) -> None:
        """Show the state of the run, and what was announced since the last call."""

    def stop(self) -> None:
        """Show no more snapshots; called once, before `end`."""

    def end(self, summary: Summary, /) -> None:
        """Show how the run ended."""


def choose(name: str, stdout: Output, *, as_json: bool) -> Display:
    """Return the display that suits `stdout`; `name` is the app's."""
    if as_json:
        from holoflow.cli.display_json import JsonDisplay

        return JsonDisplay()
    if is_live():
        from holoflow.cli.display_live import LiveDisplay

        return LiveDisplay(name, stdout)
    return PlainDisplay()


PROGRESS_EVERY = 5.0
"""Seconds between lines of progress; rates and latencies are those since the last."""


class PlainDisplay:
    """Prints a line of progress every few seconds, log records and announcements."""

    every = 0.5

    def __init__(self) -> None:
        """Print on the current stdout."""
        self._stream = sys.stdout
        self._told: Snapshot | None = None
        self._announced = 0
        self._progress_at = PROGRESS_EVERY

    def note(self, sentence: str) -> None:
        """Print a sentence on stderr."""
        say(sentence)

    def log(self, record: logging.LogRecord) -> None:
        """Print a log record."""
        self._print(log.line(record))

    def snapshot(self, snapshot: Snapshot) -> None:
        """Print new announcements, and a line of progress when one is due."""
        for kind, words in snapshot.announcements[self._announced :]:
            self._print(printable(f"{kind}: {words}"))
        self._announced = len(snapshot.announcements)
        if snapshot.seconds < self._progress_at:
            return
        self._progress_at = (snapshot.seconds // PROGRESS_EVERY + 1) * PROGRESS_EVERY
        recent = snapshot if self._told is None else difference(snapshot, self._told)
        self._told = snapshot
        rate, latency = source_rate(recent), _latency(recent)
        dropped = text.causes(total_dropped(snapshot))
        self._print(
            f"{text.duration(snapshot.seconds)}: {text.plural(source_frames(snapshot), 'frame')}, "
            f"{text.brief(rate)} frames/s, latency p50 {statistic(latency, 'p50')} ms, "
            f"p99 {statistic(latency, 'p99')} ms"
            + (f", dropped {dropped}" if dropped else "")
            + "".join(f"; {printable(finding.evidence)}" for finding in amiss(snapshot)[:1])
        )

    def stop(self) -> None:
        """Do nothing: every line is complete in itself."""

    def end(self, summary: Summary) -> None:
        """Print the summary."""
        self._print(plain_text(renderables(summary, WIDE)).rstrip("\n"))

    def _print(self, line: str) -> None:
        self._stream.write(line + "\n")


def _latency(recent: Snapshot) -> Histogram:
    """Return the latencies of the slowest sink."""
    senders = {flow.producer for flow in recent.flows}
    sinks = [stats.latency for stats in recent.operators if stats.name not in senders]
    return max(sinks, key=lambda times: times.mean, default=Histogram())
