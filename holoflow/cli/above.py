"""What is printed while a table is shown: gathered, for with each print the table is drawn anew."""

from __future__ import annotations

import io
import os
import threading
from typing import TextIO

from rich.text import Text

from holoflow.core.output import MOST, left_out

LONGEST = 1 << 16
"""Characters of a line that has no end yet, from which on it is shown as if it had."""


class Above:
    """Lines to be printed above the table with its next picture. Any thread may add some."""

    def __init__(self) -> None:
        """Nothing is to be printed."""
        self._entries: list[Text | str] = []
        self._size = self._left_out = 0
        self._lock = threading.Lock()

    def add(self, entry: Text | str) -> None:
        """Add whole lines, without the last line's end; leave them out where too many wait."""
        with self._lock:
            if self._size > MOST:
                self._left_out += str(entry).count("\n") + 1
                return
            self._entries.append(entry)
            self._size += len(entry)

    def take(self) -> Text | None:
        """Return all that was added since the last time; None for nothing."""
        with self._lock:
            entries, self._entries = self._entries, []
            gap, self._left_out = self._left_out, 0
            self._size = 0
        if gap:
            entries.append(left_out(gap))
        texts = [Text.from_ansi(entry) if isinstance(entry, str) else entry for entry in entries]
        return Text("\n").join(texts) if texts else None


class Printed(io.TextIOBase):
    """Stands for a text stream that a terminal shows, and adds its lines to an `Above`."""

    def __init__(self, stream: TextIO, above: Above) -> None:
        """Stand for `stream`."""
        super().__init__()
        self._stream, self._above = stream, above
        self._process = os.getpid()
        self._begun = ""
        """The line that has no end yet."""
        self._lock = threading.Lock()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """That of the stream."""
        return self._stream.encoding

    @property
    def buffer(self) -> object:
        """That of the stream: bytes go past the table."""
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
        """Add the lines that are whole now."""
        if not isinstance(text, str):
            raise TypeError(f"write() takes a string, not {type(text).__name__}")
        if os.getpid() != self._process:  # forked off: nobody draws here
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
        """Add the line that has no end."""
        with self._lock:
            self._add_begun()

    def _add_begun(self) -> None:
        if self._begun:
            self._above.add(self._begun)
            self._begun = ""
