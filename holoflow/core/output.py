"""Output that never blocks: a thread writes what is printed, as fast as it is read."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast

MOST = 16_000_000
"""Bytes that may wait for the reader; what is printed beyond that is left out."""
PATIENCE = 5.0
"""Seconds for which a reader may read nothing once the run has ended."""
_MOMENT = 0.01
"""Seconds for which lines are gathered, so that not every one wakes the thread."""
_PIECE, _LAST_PIECE = 1 << 16, 1 << 12
"""Bytes per write; fewer at the end, where each write shows that the reader still reads."""
_BEHIND = 1 << 16


def left_out(lines: int) -> str:
    """Return the line printed in place of `lines` lines."""
    return f"{lines:,} {'line' if lines == 1 else 'lines'} of output left out: not read fast enough"


class Output(io.TextIOBase):
    """A text stream that accepts everything at once and writes it to another in a thread."""

    encoding: str = "utf-8"
    errors: str | None = "replace"

    def __init__(
        self,
        stream: TextIO,
        when_gone: Callable[[Exception], None] = lambda _: None,
        gap: Callable[[int], str] = left_out,
    ) -> None:
        """Start writing to `stream`.

        Args:
            stream: Where the text goes in the end.
            when_gone: Called once, with the cause, when `stream` can no longer be written;
                what is printed later is discarded.
            gap: Returns the line to write in place of the given number of lines left out.
        """
        super().__init__()
        stream.flush()
        self.encoding, self.errors = stream.encoding, stream.errors
        self._stream, self._when_gone, self._gap = stream, when_gone, gap
        # Bypasses Python's own buffers: a write that does not return would hold their lock.
        self._raw: Any = getattr(stream.buffer, "raw", stream.buffer)
        self._process = os.getpid()
        self._waiting: list[bytes] = []
        self._size = self._written = 0
        self._left_out = 0
        self._inside_left_out = self._inside_line = False
        self._gone = self._settling = self._closed = False
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._write_all, name="holoflow-output", daemon=True)
        self._thread.start()

    # -- a text stream -----------------------------------------------------------------------

    @property
    def buffer(self) -> Any:
        """The stream for bytes, which blocks as usual."""
        return self._stream.buffer

    def fileno(self) -> int:
        """Return the descriptor that is written to."""
        return self._stream.fileno()

    def isatty(self) -> bool:
        """Whether that is a terminal."""
        return self._stream.isatty()

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, text: str) -> int:
        """Queue `text` for writing, or leave it out if too much is waiting already."""
        if not isinstance(text, str):  # typer probes this to tell text streams from byte streams
            raise TypeError(f"write() takes a string, not {type(text).__name__}")
        if os.getpid() != self._process:  # a forked child does not have the thread
            self._stream.write(text)
            self._stream.flush()
            return len(text)
        length = len(text)
        with self._news:
            if self._size > MOST:
                self._left_out += text.count("\n")
                self._inside_left_out = not text.endswith("\n")
                return length
            if self._inside_left_out:
                _, end, text = text.partition("\n")
                self._left_out += bool(end)
                self._inside_left_out = not end
            if text:
                self._say_gap()
                self._add(text)
        return length

    # -- its reader --------------------------------------------------------------------------

    @property
    def behind(self) -> bool:
        """Whether the reader lags, so that text that is soon outdated is not worth printing."""
        return self._size > _BEHIND

    def settle(self) -> None:
        """Wait until everything is written, as long as the reader keeps reading."""
        with self._news:
            self._say_gap()
            self._settling = True
            while self._size:
                written = self._written
                if not self._news.wait_for(lambda: self._written > written, PATIENCE):  # noqa: B023
                    self._give_up()

    def end(self) -> None:
        """Write what is waiting, as `settle` does, then stop the thread."""
        self.settle()
        with self._news:
            self._closed = True
            self._news.notify_all()
        if not self._gone:
            self._thread.join()

    def _say_gap(self) -> None:
        if self._left_out:
            begin = "\n" if self._inside_line else ""
            self._add(f"{begin}{self._gap(self._left_out)}\n")
            self._left_out = 0

    def _add(self, text: str) -> None:
        if self._gone:
            return
        data = text.encode(self.encoding, self.errors or "strict")
        if not self._waiting:
            self._news.notify_all()
        self._waiting.append(data)
        self._size += len(data)
        self._inside_line = not text.endswith("\n")

    def _write_all(self) -> None:
        while True:
            with self._news:
                self._news.wait_for(lambda: self._waiting or self._closed)
                if not self._waiting:
                    return
            time.sleep(_MOMENT)
            with self._news:
                data = b"".join(self._waiting)
                self._waiting.clear()
            try:
                self._put(data)
            except (OSError, ValueError) as error:  # no reader, no terminal, a full disk
                self._when_gone(error)
                with self._news:
                    self._give_up()

    def _put(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest and not self._gone:
            written = self._raw.write(rest[: _LAST_PIECE if self._settling else _PIECE])
            if written is None:  # someone has made the descriptor non-blocking
                time.sleep(_MOMENT)
                continue
            rest = rest[written:]
            with self._news:
                self._size -= written
                self._written += written
                self._news.notify_all()

    def _give_up(self) -> None:
        self._gone = True
        self._waiting.clear()
        self._size = 0
        self._written += 1
        with contextlib.suppress(OSError, ValueError):
            mute(self._stream)  # so that text printed directly does not block either


@contextmanager
def unhurried(
    when_gone: Callable[[Exception], None], gap: Callable[[int], str] = left_out
) -> Iterator[Output]:
    """Make stdout and stderr non-blocking within the block, and yield stdout.

    What is still waiting at the end is written, as long as the reader keeps reading.

    Args:
        when_gone: As in `Output`, for stdout.
        gap: As in `Output`, for stdout.
    """
    streams = sys.stdout, sys.stderr
    outputs = Output(sys.stdout, when_gone, gap), Output(sys.stderr)
    sys.stdout, sys.stderr = (cast(TextIO, output) for output in outputs)
    try:
        yield outputs[0]
    finally:
        sys.stdout, sys.stderr = streams
        for output in outputs:
            output.end()


def mute(stream: TextIO) -> None:
    """Discard whatever is written to `stream` from now on, so that no later flush fails."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
