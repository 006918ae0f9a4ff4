"""How values are written for people and as JSON; the text can never control a terminal.

Numbers have three digits and shares two, as percentiles are no more exact. What was not measured is
`NOT_MEASURED`, never 0, and what was measured is 0 only if it is 0. Cells of tables, whose heading
has the unit, keep the zeros at their end; numbers with a unit behind them lose these.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from itertools import islice
from numbers import Integral
from typing import Any, Final

NOT_MEASURED: Final = "–"
"""Stands for a value that was not measured, and for one that does not exist."""


def number(value: float | None, digits: int = 3) -> str:
    """Return `value` with `digits` digits, or all before the point: `0.123`, `30.0`, `4,400`.

    None and what is not finite are `NOT_MEASURED`; the largest and smallest have an exponent.
    """
    if value is None or not math.isfinite(value):
        return NOT_MEASURED
    if value == 0:
        return "0"
    rounded = f"{value:.{digits - 1}e}"
    exponent = int(rounded.partition("e")[2])
    if not -7 < exponent < 15:
        return rounded
    return f"{value:,.{max(digits - 1 - exponent, 0)}f}"


def brief(value: float | None, digits: int = 3) -> str:
    """Return `number(value, digits)` without zeros behind the point: `30`, `1.5`."""
    shown = number(value, digits)
    return shown if "." not in shown or "e" in shown else shown.rstrip("0").rstrip(".")


def count(number: int | None) -> str:
    """Return `number` with its thousands set apart: `12,345`."""
    return NOT_MEASURED if number is None else f"{number:,}"


def plural(number: int | None, noun: str, ending: str = "s") -> str:
    """Return `1 frame`, `2 frames`; `– frames` for None."""
    return f"{count(number)} {noun}" + ("" if number == 1 else ending)


def milliseconds(seconds: float | None) -> str:
    """Return `seconds` in milliseconds, without the unit: `0.123`, `12.3`, `1,500`."""
    return number(None if seconds is None else seconds * 1e3)


def percent(share: float | None) -> str:
    """Return a share (0 to 1) as `94%`, `5.3%`, `0.4%`."""
    if share is None or not math.isfinite(share):
        return NOT_MEASURED
    return f"{brief(share * 100, 2)}%"


_TIMES: Final = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9))
_SIZES: Final = (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3), ("B", 1.0))


def duration(seconds: float | None) -> str:
    """Return a duration with its unit: `4.2 µs`, `31 ms`, `1.25 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds == 0:
        return "0 s"
    if seconds is None or not 59.95 <= seconds < math.inf:
        return _scaled(seconds, _TIMES)
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60:,} h {minutes % 60} min"


def size(number: float | None) -> str:
    """Return a number of bytes: `512 B`, `1.2 MB`."""
    return _scaled(number, _SIZES)


def _scaled(value: float | None, units: Sequence[tuple[str, float]]) -> str:
    """Return `value` in the largest of `units` of which it is, rounded, at least one."""
    if value is None or not math.isfinite(value):
        return NOT_MEASURED
    unit, one = next((unit for unit in units if abs(value) >= 0.9995 * unit[1]), units[-1])
    return f"{brief(value / one)} {unit}"


def causes(dropped: Mapping[str, int]) -> str:
    """Return drops by cause: `3 full, 1 late`; empty if there are none."""
    return ", ".join(f"{number:,} {cause}" for cause, number in dropped.items() if number)


def listed(names: Sequence[str]) -> str:
    """Return `a`, `a and b`, `a, b and c`; of more than four the first three."""
    if len(names) > 4:
        return f"{', '.join(names[:3])} and {len(names) - 3} others"
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def shortened(words: str, width: int) -> str:
    """Return `words` shortened in the middle to `width` characters."""
    if len(words) <= width:
        return words
    end = max(width - 1, 0) // 2
    return words[: max(width - 1 - end, 0)] + "…" + words[len(words) - end :]


_LISTED: Final = 8
_SORTED: Final = 100
_LONGEST_NAME: Final = 100


def choices(names: Iterable[object], last: str = ", ") -> str:
    """Return up to eight of `names`: `a, b, c, …`, with `last` before the last; `none` of none."""
    shown = [str(name) for name in islice(names, _LISTED + 1)]
    if len(shown) > _LISTED:
        return ", ".join(shown[:_LISTED]) + ", …"
    return last.join(filter(None, (", ".join(shown[:-1]), *shown[-1:]))) or "none"


def nearest(name: str, known: Collection[str]) -> str | None:
    """Return the one of `known` that `name` was probably meant to be; None if none is near."""
    from difflib import get_close_matches  # seldom needed

    if len(name) > _LONGEST_NAME:
        return None
    return next(iter(get_close_matches(name, known, n=1)), None)


def suggestion(
    name: str, known: Collection[str], otherwise: str = "",
    nearest: Callable[[str, Collection[str]], str | None] = nearest,
) -> str:  # fmt: skip
    """Return what `name` was probably meant to be, else `otherwise` or the `known` names."""
    if found := nearest(name, known):
        return f"did you mean {found!r}?"
    if otherwise:
        return otherwise
    if not known:
        return "there are none here"
    if len(known) > _SORTED:
        return "check the spelling"
    return f"known here: {choices(sorted(known))}"


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
