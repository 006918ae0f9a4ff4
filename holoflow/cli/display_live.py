"""The display of a terminal: a table that is renewed in place, all else above it."""

from __future__ import annotations

import logging
import sys
import threading

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from holoflow.cli import log, text
from holoflow.cli.meter import Meter, Reading
from holoflow.cli.output import Output
from holoflow.cli.printing import print_on
from holoflow.cli.summary import Summary, renderables
from holoflow.cli.tables import table
from holoflow.flow.books import Snapshot
from holoflow.flow.report.measures import source_frames
from holoflow.printable import printable

_COLUMNS = (
    (0, "operator"), (0, "frames"), (30, "rate/s"), (45, "busy"), (70, "work p50"),
    (55, "latency p50"), (50, "latency p99"), (80, "queue"), (60, "dropped"),
)  # fmt: skip


class LiveDisplay:
    """Renews a table of the operators with every snapshot."""

    every = 0.25

    def __init__(self, name: str, stdout: Output) -> None:
        """Show the run of the app `name` on `stdout`, which is `sys.stdout`.

        Nothing is drawn before a snapshot.
        """
        self._name = name
        self._stdout = stdout
        self._console = Console(markup=False, highlight=False, emoji=False)
        self._live: Live | None = None
        self._meter = Meter()
        self._snapshot: Snapshot | None = None
        self._entries: list[Text] = []
        """Of the log, to be printed with the next table."""
        self._lock = threading.RLock()

    def note(self, sentence: str) -> None:
        """Print a sentence above the table."""
        with self._lock:
            self._print_entries()
            self._console.print(Text(printable(sentence)), soft_wrap=True)

    def log(self, record: logging.LogRecord) -> None:
        """Print what was logged above the table."""
        style = "red" if record.levelno >= logging.ERROR else ""
        style = "yellow" if record.levelno == logging.WARNING else style
        with self._lock:
            self._entries.append(Text(log.line(record), style=style))
            if self._live is None:
                self._print_entries()

    def _print_entries(self) -> None:
        # All at once: with each print the whole table is drawn below it.
        if self._entries:
            entries, self._entries = self._entries, []
            self._console.print(Text("\n").join(entries), soft_wrap=True)

    def snapshot(self, snapshot: Snapshot) -> None:
        """Draw the table anew, unless the terminal stands still."""
        with self._lock:
            self._snapshot = snapshot
            self._print_entries()
            if self._stdout.behind:
                return
            drawn = self._draw(snapshot)
            if self._live is None:
                self._live = Live(
                    drawn,
                    console=self._console,
                    auto_refresh=False,
                    transient=True,
                    redirect_stderr=sys.stderr.isatty(),
                )
                self._live.start(refresh=True)
            else:
                self._live.update(drawn, refresh=True)

    def stop(self) -> None:
        """Take the table away; the announcements stay."""
        with self._lock:
            self._print_entries()
            if self._live is not None:
                self._live.stop()
                self._live = None
        if self._snapshot is not None:
            for line in _announcements(self._snapshot):
                self._console.print(line, soft_wrap=True)

    def end(self, summary: Summary) -> None:
        """Print the summary."""
        print_on(self._console, renderables(summary, self._console.width))

    def _draw(self, snapshot: Snapshot) -> RenderableType:
        readings = self._meter.read(snapshot)
        announcements = _announcements(snapshot)
        # One line is kept free, so that the terminal never scrolls the table's top away.
        room = max(self._console.height - len(announcements) - 4, 1)
        parts: list[RenderableType] = [*announcements, self._state(snapshot)]
        parts.append(table(_COLUMNS, map(_cells, readings[:room]), self._console.width))
        if len(readings) > room:
            parts.append(Text(f"and {text.plural(len(readings) - room, 'operator')} more"))
        return Group(*parts)

    def _state(self, snapshot: Snapshot) -> Text:
        return Text(
            printable(
                f"{self._name}: {text.plural(source_frames(snapshot), 'frame')} in "
                f"{text.seconds(snapshot.seconds)}; times in ms"
            ),
            style="bold",
            no_wrap=True,
            overflow="ellipsis",
        )


def _announcements(snapshot: Snapshot) -> list[Text]:
    return [Text(printable(f"{kind}: {words}")) for kind, words in snapshot.announcements]


def _cells(reading: Reading) -> dict[str, str]:
    lost = {**reading.dropped, "skipped": reading.skipped}
    return {
        "operator": reading.name,
        "frames": text.count(reading.frames),
        "rate/s": text.rate(reading.rate),
        "busy": text.percent(reading.utilisation),
        "work p50": text.statistic(reading.working, "p50"),
        "latency p50": text.statistic(reading.latency, "p50"),
        "latency p99": text.statistic(reading.latency, "p99"),
        "queue": f"{reading.waiting}/{reading.queue}" if reading.queue else "-",
        "dropped": text.causes(lost) or "0",
    }
