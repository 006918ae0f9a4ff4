"""Text that cannot steer a terminal."""

from __future__ import annotations

import unicodedata
from typing import Final

_STEERING: Final = ("Cc", "Cs", "Zl", "Zp")
_TURNING: Final = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)


def printable(text: str) -> str:
    """Return `text` with control characters escaped, so that it cannot steer a terminal.

    So are those that turn the direction of writing, and breaks that are no line feed. Line feeds
    and tabs stay.
    """
    return "".join(
        character
        if character in "\n\t"
        or not (unicodedata.category(character) in _STEERING or character in _TURNING)
        else character.encode("unicode_escape").decode("ascii")
        for character in text
    )
