"""The mistakes found so far, and the nearest known name."""

from __future__ import annotations

import difflib
from collections.abc import Collection

from holoflow.errors import AppError, Location, Mistake

_LISTED = 8
_SORTED = 100
_LONGEST_NAME = 100


class Report:
    """Collects the mistakes of an app, so that all of them are told at once."""

    def __init__(self) -> None:
        """Nothing is wrong yet."""
        self._mistakes: dict[Mistake, None] = {}
        # Looking for the nearest name costs the product of unknown and known names, so a file
        # with thousands of both gets suggestions for the first ones only.
        self._comparisons = 100_000

    def __bool__(self) -> bool:
        """Whether anything is wrong."""
        return bool(self._mistakes)

    def add(self, at: Location, wrong: str, right: str = "") -> None:
        """Note that at place `at` something is wrong, and what would be right."""
        self._mistakes[Mistake(at, _in_one_line(wrong), _in_one_line(right))] = None

    def nearest(self, name: str, known: Collection[str]) -> str | None:
        """Return the one of `known` that `name` was probably meant to be."""
        if not known or len(name) > _LONGEST_NAME or self._comparisons < len(known):
            return None
        self._comparisons -= len(known)
        return next(iter(difflib.get_close_matches(name, known, n=1)), None)

    def suggestion(self, name: str, known: Collection[str], otherwise: str = "") -> str:
        """Say what `name` was probably meant to be, or which names are `known`."""
        if nearest := self.nearest(name, known):
            return f"did you mean {nearest!r}?"
        if otherwise:
            return otherwise
        if not known:
            return "there are none here"
        if len(known) > _SORTED:
            return "check the spelling"
        listed = ", ".join(sorted(known)[:_LISTED])
        return f"known here: {listed}" + (", …" if len(known) > _LISTED else "")

    def unknown(
        self, at: Location, kind: str, name: str, known: Collection[str], otherwise: str = ""
    ) -> None:
        """Note an unknown `name` of something of that `kind`."""
        self.add(at, f"unknown {kind} {short(name)}", self.suggestion(name, known, otherwise))

    def check(self) -> None:
        """Raise `AppError` with all mistakes if there are any."""
        if self._mistakes:
            raise AppError(list(self._mistakes))


def short(text: str) -> str:
    """Return `text` in quotes, in one line, of bounded length."""
    return repr(text if len(text) <= 60 else text[:59] + "…")


def _in_one_line(text: str) -> str:
    """Return `text` with line ends, and whatever else a terminal would obey, written out."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
