"""What an operator may ask of the run it is part of."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from holoflow.flow.books import Sample, Snapshot


def _log() -> logging.Logger:
    return logging.getLogger("holoflow.operator")


@dataclass
class OperatorContext:
    """The surroundings of an operator; the engine sets it before `start()`.

    Without an engine (in a test) it holds the defaults below.
    """

    name: str = "operator"
    """The operator's name in the app."""
    output: Path = field(default_factory=Path)
    """Folder for what operators write; relative paths are meant from here."""
    incarnation: int = 0
    """How often the operator's process had been started before in this run: one that writes
    files goes on with what is there where it is not 0."""
    log: logging.Logger = field(default_factory=_log)
    lossless: bool = False
    """No frame may be dropped and nothing may depend on arrival times."""
    web: bool = True
    """Whether live pages are served."""
    now: Callable[[], int] = time.time_ns
    """The clock of the run in nanoseconds; in the inline engine it jumps over waiting."""
    ending: threading.Event = field(default_factory=threading.Event)
    """Set when a source is to end: one that waits in `frames()` waits for it, in place of
    sleeping: `if self.context.ending.wait(0.05): return`."""
    announce: Callable[[str, str], None] = lambda _kind, _text: None
    """Tell the user something, once: `announce("live page", "http://127.0.0.1:8080")`."""
    count_drop: Callable[[str, int], None] = lambda _cause, _count: None
    """Book frames that were lost before the framework saw them: `count_drop("device", 3)`."""
    snapshot: Callable[[], Snapshot | None] = lambda: None
    """The newest state of the whole run, taken twice a second; None outside of a run."""
    history: Callable[[], tuple[Sample, ...]] = lambda: ()
    """Curves over the run so far."""
    _told: set[str] = field(default_factory=set)
    allocate: Callable[[tuple[int, ...], Any], npt.NDArray[Any]] = np.empty
    """Memory for an output; a link's own where the output crosses to another process."""

    def warn_once(self, text: str, *values: object) -> None:
        """Warn in the log, the first time that `text` comes; `values` are put into it by `%`."""
        if text not in self._told:
            self._told.add(text)
            self.log.warning(text + " (told once)", *values)
