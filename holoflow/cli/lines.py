"""Lines on stdout from any thread, also when nobody reads them any more."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable

from holoflow.cli.errors import mute


class Lines:
    """Writes whole lines, each at once, to what is stdout when it is made."""

    def __init__(self, when_gone: Callable[[], None]) -> None:
        """Call `when_gone` once when the reader of stdout has gone; what follows is let fall."""
        self.gone = False
        self._stream = sys.stdout
        self._when_gone = when_gone
        self._lock = threading.Lock()

    def write(self, line: str) -> None:
        """Write `line` and a line break."""
        with self._lock:
            if self.gone:
                return
            try:
                self._stream.write(line + "\n")
                self._stream.flush()
            except BrokenPipeError:
                self.gone = True
                mute(self._stream)
        if self.gone:
            self._when_gone()
