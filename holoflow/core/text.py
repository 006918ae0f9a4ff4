"""How values are written for people and as JSON; the text can never control a terminal."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from numbers import Integral
from typing import Any, Final


def count(number: int | None) -> str:
    """Return `number` with its thousands set apart: `12,345`; `-` for None."""
    return "-" if number is None else f"{number:,}"


def plural(number: int | None, noun: str, ending: str = "s") -> str:
    """Return `1 frame`, `2 frames`; `- frames` for None."""
    return f"{count(number)} {noun}" + ("" if number == 1 else ending)


def rate(per_second: float | None) -> str:
    """Return a rate in 1/s with about three digits: `29.97`, `4,400`; `-` for None."""
    if per_second is None:
        return "-"
    if per_second >= 100:
        return f"{per_second:,.0f}"
    return f"{per_second:.1f}" if per_second >= 10 else f"{per_second:.2f}"


def milliseconds(seconds: float) -> str:
    """Return `seconds` in milliseconds, without the unit; `-` if nothing was measured."""
    if not seconds > 0:
        return "-"
    value = seconds * 1e3
    return f"{value:,.0f}" if value >= 1000 else f"{value:.1f}" if value >= 10 else f"{value:.3f}"


def measured(seconds: float | None) -> str:
    """Return `seconds` in milliseconds, with `0` for 0; `-` for None."""
    if seconds is None:
        return "-"
    return milliseconds(seconds) if seconds > 0 else "0"


def percent(share: float | None) -> str:
    """Return a share (0 to 1) as `94%`, small ones as `0.4%`; `-` for None."""
    if share is None:
        return "-"
    value = share * 100
    return f"{value:.1f}%" if 0 < value < 9.95 else f"{value:.0f}%"


def shortened(words: str, width: int) -> str:
    """Return `words` shortened in the middle to `width` characters."""
    if len(words) <= width:
        return words
    end = max(width - 1, 0) // 2
    return words[: max(width - 1 - end, 0)] + "…" + words[len(words) - end :]


def seconds(duration: float) -> str:
    """Return a duration: `0.25 s`, `12.3 s`, `3 min 20 s`, `2 h 5 min`."""
    if duration < 60:
        return f"{duration:.2f} s" if duration < 10 else f"{duration:.1f} s"
    minutes, rest = divmod(round(duration), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def size(number: int) -> str:
    """Return a number of bytes: `512 B`, `1.2 MB`."""
    if number < 1000:
        return f"{number} B"
    value = float(number)
    for unit in ("kB", "MB", "GB"):
        value /= 1000
        if value < 999.95:
            return f"{value:.1f} {unit}"
    return f"{value / 1000:.1f} TB"


def causes(dropped: Mapping[str, int]) -> str:
    """Return drops by cause: `3 full, 1 late`; empty if there are none."""
    return ", ".join(f"{number:,} {cause}" for cause, number in dropped.items() if number)


_STEERING: Final = ("Cc", "Cs", "Zl", "Zp")
_TURNING: Final = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)


def printable(text: str) -> str:
    """Return `text` with control characters escaped, so that it cannot control a terminal.

    Characters that change the writing direction and line breaks other than line feeds are
    escaped too. Line feeds and tabs are kept.
    """
    return "".join(
        character
        if character in "\n\t"
        or not (unicodedata.category(character) in _STEERING or character in _TURNING)
        else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def plain(value: Any) -> Any:
    """Return `value` as dictionaries, lists, strings, numbers, booleans and None.

    A dataclass becomes a dictionary of its fields, a class its dotted name, a number that is not
    finite None, and anything else that JSON lacks its `str`.
    """
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, Integral):  # those of NumPy too
        return int(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, type):
        return f"{value.__module__}.{value.__qualname__}"
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    return str(value)
