"""Text that cannot steer a terminal."""

from __future__ import annotations

import unicodedata


def printable(text: str) -> str:
    """Return `text` with control characters escaped, so that it cannot steer a terminal.

    Line breaks and tabs stay.
    """
    return "".join(
        character
        if character in "\n\t" or unicodedata.category(character) not in ("Cc", "Cs")
        else character.encode("unicode_escape").decode("ascii")
        for character in text
    )
