"""The errors that holoflow raises on purpose, and where in a file a mistake stands."""

from __future__ import annotations

from dataclasses import dataclass


class HoloflowError(Exception):
    """Base of every error that is meant to be read by the user: the message says all."""


class OperatorDefinitionError(HoloflowError):
    """An operator class is written wrongly: its signature, its annotations, its fields."""


class ParameterError(HoloflowError, ValueError):
    """A parameter of an operator has a wrong value; the message names every such parameter."""


class MissingExtraError(HoloflowError, ImportError):
    """An optional library is not installed; the message names the extra that brings it."""

    def __init__(self, library: str, extra: str) -> None:
        """Name the missing `library` and the `extra` of holoflow that installs it."""
        super().__init__(
            f"{library} is not installed; install it with: pip install 'holoflow[{extra}]'"
        )
        self.library = library
        self.extra = extra


class ShortageError(HoloflowError):
    """The system has run out of something: memory, room on a disk, descriptors, processes.

    What was to be done may be right, and go well another time.
    """


@dataclass(frozen=True, order=True)
class Location:
    """A place in a text file; `line` and `column` count from 1."""

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, order=True)
class Mistake:
    """One thing that is wrong in an app file."""

    location: Location
    wrong: str
    """What is wrong."""
    right: str = ""
    """What would be right; may be empty where `wrong` says it."""

    def __str__(self) -> str:
        return f"{self.location}: {self.wrong}" + (f"; {self.right}" if self.right else "")


class AppError(HoloflowError):
    """An app is wrong. All its mistakes at once, in the order of the file."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        """Keep `mistakes` sorted by place, one line each in the message."""
        self.mistakes = sorted(set(mistakes))
        super().__init__("\n".join(str(mistake) for mistake in self.mistakes))


def describe(error: BaseException) -> str:
    """Say what an exception says, in one line that names its type unless it is holoflow's."""
    text = " ".join(str(error).split())
    if isinstance(error, HoloflowError) and text:
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
