"""The display for a terminal: a table that is updated in place, everything else above it."""

from __future__ import annotations

import io
import logging
import os
import sys
import threading
from dataclasses import replace
from typing import TextIO, cast

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from holoflow.cli.summary import Summary, renderables
from holoflow.cli.tables import print_on, statistics_table
from holoflow.core import log, text
from holoflow.core.output import MOST, Output, left_out
from holoflow.core.text import printable
from holoflow.live.state import Recent
from holoflow.report import diagnosis
from holoflow.report.columns import OPERATORS, operator_rows
from holoflow.report.measures import source_frames
from holoflow.stats.snapshot import Snapshot

LONGEST = 1 << 16
"""Characters after which an unfinished line is shown as if it were finished."""


class Above:
    """Lines to be printed above the table when it is next drawn. Any thread may add some."""

    def __init__(self) -> None:
        """Make a collection without lines."""
        self._entries: list[Text | str] = []
        self._size = self._left_out = 0
        self._lock = threading.Lock()

    def add(self, entry: Text | str) -> None:
        """Add complete lines, without the last line's end; they are left out if too many wait."""
        with self._lock:
            if self._size > MOST:
                self._left_out += str(entry).count("\n") + 1
                return
            self._entries.append(entry)
            self._size += len(entry)

    def take(self) -> Text | None:
        """Return what was added since the last call; None if nothing was."""
        with self._lock:
            entries, self._entries = self._entries, []
            gap, self._left_out = self._left_out, 0
            self._size = 0
        if gap:
            entries.append(left_out(gap))
        texts = [Text.from_ansi(entry) if isinstance(entry, str) else entry for entry in entries]
        return Text("\n").join(texts) if texts else None


class Printed(io.TextIOBase):
    """Replaces a text stream shown by a terminal, and adds its lines to an `Above`."""

    def __init__(self, stream: TextIO, above: Above) -> None:
        """Replace `stream`, adding its lines to `above`."""
        super().__init__()
        self._stream, self._above = stream, above
        self._process = os.getpid()
        self._begun = ""
        """The unfinished line."""
        self._lock = threading.Lock()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """Encoding of the stream."""
        return self._stream.encoding

    @property
    def buffer(self) -> object:
        """Buffer of the stream: bytes bypass the table."""
        return self._stream.buffer

    def fileno(self) -> int:
        """Return the stream's descriptor."""
        return self._stream.fileno()

    def isatty(self) -> bool:
        """Whether the stream is a terminal."""
        return self._stream.isatty()

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, text: str) -> int:
        """Add the lines that are complete now."""
        if not isinstance(text, str):
            raise TypeError(f"write() takes a string, not {type(text).__name__}")
        if os.getpid() != self._process:  # a forked process: nothing is drawn here
            return self._stream.write(text)
        with self._lock:
            lines, end, rest = text.rpartition("\n")
            if end:
                self._above.add(self._begun + lines)
                self._begun = rest
            else:
                self._begun += text
            if len(self._begun) > LONGEST:
                self._add_begun()
        return len(text)

    def end(self) -> None:
        """Add the unfinished line."""
        with self._lock:
            self._add_begun()

    def _add_begun(self) -> None:
        if self._begun:
            self._above.add(self._begun)
            self._begun = ""


_COLUMNS = (
    (0, "name"), (0, "frames"), (30, "rate_in"), (45, "utilisation"), (70, "working.p50"),
    (55, "latency.p50"), (50, "latency.p99"), (80, "queued"), (60, "lost"),
)  # fmt: skip
WINDOW = 2.0
"""Seconds over which rates, shares and times are computed."""


class LiveDisplay:
    """Updates a table of the operators with every snapshot."""

    every = 0.25

    def __init__(self, name: str, stdout: Output) -> None:
        """Show the run of the app `name` on `stdout`, which is `sys.stdout`.

        Nothing is drawn before a snapshot.
        """
        self._name = name
        self._stdout = stdout
        file = cast(TextIO, stdout)
        self._console = Console(file=file, markup=False, highlight=False, emoji=False)
        self._live: Live | None = None
        self._recent = Recent(WINDOW)
        self._snapshot: Snapshot | None = None
        self._above = Above()
        """Log records and printed lines, shown when the table is next drawn."""
        self._streams = sys.stdout, sys.stderr
        self._lock = threading.RLock()

    def note(self, sentence: str) -> None:
        """Print a sentence above the table."""
        with self._lock:
            self._print_above()
            self._console.print(Text(printable(sentence)), soft_wrap=True)

    def log(self, record: logging.LogRecord) -> None:
        """Print a log record above the table."""
        style = "red" if record.levelno >= logging.ERROR else ""
        style = "yellow" if record.levelno == logging.WARNING else style
        self._above.add(Text(log.line(record), style=style))
        if self._live is None:
            with self._lock:
                self._print_above()

    def _print_above(self) -> None:
        # All at once: each print redraws the whole table below it.
        if (lines := self._above.take()) is not None:
            self._console.print(lines, soft_wrap=True)

    def _take_prints(self) -> None:
        self._streams = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = (
            cast(TextIO, Printed(stream, self._above)) if stream.isatty() else stream
            for stream in self._streams
        )

    def _give_prints_back(self) -> None:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, Printed):
                stream.end()
        sys.stdout, sys.stderr = self._streams

    def snapshot(self, snapshot: Snapshot) -> None:
        """Redraw the table, unless the terminal accepts nothing."""
        with self._lock:
            self._snapshot = snapshot
            self._print_above()
            if self._stdout.behind:
                return
            drawn = self._draw(snapshot)
            if self._live is None:
                self._live = Live(
                    drawn,
                    console=self._console,
                    auto_refresh=False,
                    transient=True,
                    redirect_stdout=False,
                    redirect_stderr=False,
                )
                self._live.start(refresh=True)
                self._take_prints()
            else:
                self._live.update(drawn, refresh=True)

    def stop(self) -> None:
        """Remove the table; the announcements stay."""
        with self._lock:
            if self._live is not None:
                self._give_prints_back()
                self._print_above()
                self._live.stop()
                self._live = None
            self._print_above()
        if self._snapshot is not None:
            for line in _announcements(self._snapshot):
                self._console.print(line, soft_wrap=True)

    def end(self, summary: Summary) -> None:
        """Print the summary."""
        print_on(self._console, renderables(summary, self._console.width))

    def _draw(self, snapshot: Snapshot) -> RenderableType:
        # It shows no paths, and they have the most times to be subtracted.
        rows = operator_rows(snapshot, self._recent.add(replace(snapshot, paths=())))
        announcements = _announcements(snapshot)
        # One line is kept free so that the terminal never scrolls the top of the table away.
        said = (Text(printable(found.evidence), style="red") for found in diagnosis.amiss(snapshot))
        amiss = [line for words in said for line in words.wrap(self._console, self._console.width)]
        room = max(self._console.height - len(announcements) - len(amiss) - 4, 1)
        parts: list[RenderableType] = [*announcements, self._state(snapshot), *amiss]
        parts.append(statistics_table(OPERATORS, _COLUMNS, rows[:room], self._console.width))
        if len(rows) > room:
            parts.append(Text(f"and {text.plural(len(rows) - room, 'operator')} more"))
        return Group(*parts)

    def _state(self, snapshot: Snapshot) -> Text:
        return Text(
            printable(
                f"{self._name}: {text.plural(source_frames(snapshot), 'frame')} in "
                f"{text.duration(snapshot.seconds)}; times in ms"
            ),
            style="bold",
            no_wrap=True,
            overflow="ellipsis",
        )


def _announcements(snapshot: Snapshot) -> list[Text]:
    return [Text(printable(f"{kind}: {words}")) for kind, words in snapshot.announcements]
