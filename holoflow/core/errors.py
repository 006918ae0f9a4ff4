"""The errors that holoflow raises on purpose, and how to recognise a system out of resources."""

from __future__ import annotations

import errno
import importlib
import os
import resource
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final


class HoloflowError(Exception):
    """Base of every error meant for the user to read: its message is complete in itself."""

    def __init__(self, wrong: str, right: str = "") -> None:
        """Say what is `wrong`, and what would be `right`; its text is `wrong; right`.

        Args:
            wrong: What is wrong, and where.
            right: What would be right, or what to do; empty where `wrong` makes it obvious.
        """
        super().__init__(wrong, right)
        self.wrong = wrong
        self.right = right

    def __str__(self) -> str:
        return joined(self.wrong, self.right)


def joined(wrong: str, right: str) -> str:
    """Return both parts of a message as one text: `wrong; right`, or only the first."""
    return f"{wrong}; {right}" if right else wrong


class OperatorDefinitionError(HoloflowError):
    """An operator class is malformed: its signature, its annotations or its fields."""


class ParameterError(HoloflowError, ValueError):
    """Parameters of an operator have invalid values; the message names all of them.

    An operator that checks its parameters together raises it in `__init__`: where an app file
    is checked, `wrong` and `right` stand apart, as those of every other mistake do.
    """


class MissingExtraError(HoloflowError, ImportError):
    """An optional library is not installed; the message names the extra that brings it."""

    def __init__(self, library: str, extra: str) -> None:
        """Name the missing `library` and the `extra` of holoflow that installs it."""
        super().__init__(
            f"{library} is not installed", f"install it with: pip install 'holoflow[{extra}]'"
        )
        self.library = library
        self.extra = extra


class ShortageError(HoloflowError):
    """The system has run out of memory, disk space, file descriptors or processes.

    The operation itself may be valid and succeed when tried again later.
    """


@dataclass(frozen=True, order=True)
class Location:
    """A place in an app; `line` and `column` of its text count from 1."""

    file: str
    line: int = 1
    column: int = 1
    label: str = ""
    """Of an app built in code: what is there, `detect.image`; it is shown instead of the line."""

    def __str__(self) -> str:
        return self.label or f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, order=True)
class Mistake:
    """One thing that is wrong in an app file."""

    location: Location
    wrong: str
    """What is wrong."""
    right: str = ""
    """What would be right; may be empty where `wrong` makes it obvious."""

    def __str__(self) -> str:
        return f"{self.location}: {joined(self.wrong, self.right)}"


class AppError(HoloflowError):
    """An app is wrong. All its mistakes at once, in the order of the file."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        """Keep `mistakes` sorted by place, one line each in the message."""
        self.mistakes = sorted(set(mistakes))
        super().__init__("\n".join(str(mistake) for mistake in self.mistakes))


def describe(error: BaseException) -> str:
    """Return an exception's message on one line, with its type unless it is one of holoflow's."""
    return joined(*parts(error))


def parts(error: BaseException) -> tuple[str, str]:
    """Return what `describe` does in two parts: what is wrong, and what would be right.

    Only holoflow's own errors tell the two apart; of others the second is empty.
    """
    if isinstance(error, HoloflowError) and error.wrong:
        return _in_one_line(error.wrong), _in_one_line(error.right)
    text = _in_one_line(str(error))
    return f"{type(error).__name__}: {text}" if text else type(error).__name__, ""


def _in_one_line(text: str) -> str:
    return " ".join(text.split())


_ERRNOS: Final = frozenset(
    (
        errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EAGAIN,
        errno.ENOBUFS,
    )
)  # fmt: skip
_FEW: Final = 6
"""Descriptors that a library may need at once; when they run out, it fails without a reason."""
_NO_THREAD: Final = "can't start new thread"
"""Python's message, in a RuntimeError, when the system cannot start another thread."""


def is_shortage(error: BaseException) -> bool:
    """Whether `error` means that the system has run out of a resource."""
    if isinstance(error, OSError):
        return error.errno in _ERRNOS
    return isinstance(error, MemoryError | ShortageError) or _NO_THREAD in str(error)


def words(error: BaseException) -> str:
    """Return the message of `error`, with advice where the system has run out of a resource."""
    if isinstance(error, ShortageError):
        return str(error)
    if isinstance(error, OSError):
        said = (error.strerror or str(error)).lower()
        what = f"{said}: {error.filename}" if error.filename else said
        if error.errno == errno.EMFILE:
            return f"{what} ({_limit()})"
        return what
    if isinstance(error, MemoryError):
        return "no memory left"
    if _NO_THREAD in str(error):
        return f"{_NO_THREAD}: the system, or `ulimit -u`, allows no more of them"
    return str(error)


def require_descriptors() -> None:
    """Raise ShortageError if this process cannot open a few more files."""
    opened: list[int] = []
    try:
        while len(opened) < _FEW:
            opened.append(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        if is_shortage(error):
            error.filename = None
            raise ShortageError(words(error)) from None
    finally:
        for descriptor in opened:
            os.close(descriptor)


def no_memory(folder: Path, size: int, whose: str) -> ShortageError:
    """Return the error for a file system that is too full.

    Args:
        folder: A folder on the file system in question.
        size: Bytes needed.
        whose: What needs them, for the message.
    """
    found = os.statvfs(folder)
    place = next((at for at in (folder, *folder.parents) if at.is_mount()), folder)
    left = found.f_bavail * found.f_frsize
    return ShortageError(
        f"{place} is full: {whose} needs {size:,} bytes, it has {left:,}",
        "remove what is not needed there, or give it more (of a container: --shm-size=2g)",
    )


def _limit() -> str:
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return f"this process may open {most}; `ulimit -n` says how many, and sets it"


def optional(module: str, extra: str) -> Any:
    """Import and return `module`, which the extra `extra` installs.

    Raises:
        MissingExtraError: The module or its package is not installed. An ImportError from
            inside an installed library passes through unchanged.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != module.split(".")[0]:
            raise
        raise MissingExtraError(module.split(".")[0], extra) from None
