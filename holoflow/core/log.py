"""Log records of operators and libraries, on their way to the display."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal, TypeAlias, get_args

from holoflow.core.text import printable

LevelName: TypeAlias = Literal["debug", "info", "warning", "error"]


@contextmanager
def logged_to(show: Callable[[logging.LogRecord], None], level: LevelName) -> Iterator[None]:
    """Pass to `show` what holoflow logs at `level` or above, and other libraries' warnings."""
    least: int = getattr(logging, level.upper())
    root, own = logging.getLogger(), logging.getLogger("holoflow")
    levels = root.level, own.level
    handler = _Handler(show)
    root.addHandler(handler)
    root.setLevel(max(least, logging.WARNING))
    own.setLevel(least)
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        root.removeHandler(handler)
        root.setLevel(levels[0])
        own.setLevel(levels[1])


def lowest() -> LevelName:
    """Return the lowest level at which holoflow logs now."""
    least = logging.getLogger("holoflow").getEffectiveLevel()
    levels: tuple[LevelName, ...] = get_args(LevelName)
    return next((name for name in levels if getattr(logging, name.upper()) >= least), "error")


class _Handler(logging.Handler):
    def __init__(self, show: Callable[[logging.LogRecord], None]) -> None:
        super().__init__()
        self._show = show

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._show(record)
        except Exception:  # an invalid format string in an operator must not end a run
            self.handleError(record)


def source(record: logging.LogRecord) -> str:
    """Return who logged: the operator's name, or the logger's."""
    return record.name.removeprefix("holoflow.operator.")


def message(record: logging.LogRecord) -> str:
    """Return what was logged, with the traceback where there is one."""
    said = record.getMessage().rstrip()
    if record.exc_info and record.exc_info[0] is not None:
        said += "\n" + logging.Formatter().formatException(record.exc_info)
    return said


def fragment(record: logging.LogRecord) -> str | None:
    """Return the fragment whose process logged `record`; None if it was this process."""
    return getattr(record, "fragment", None)


def line(record: logging.LogRecord) -> str:
    """Return a record as text: `[edge] warning camera: 3 frames lost`, or `[edge] …` for a print.

    Continuation lines start with `| `, so that none looks like a record of its own.
    """
    whose = "" if fragment(record) is None else f"[{fragment(record)}] "
    who = f"{record.levelname.lower()} {source(record)}: " if record.name else ""
    return printable(f"{whose}{who}{message(record)}").replace("\n", f"\n{printable(whose)}| ")
