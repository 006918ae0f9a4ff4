"""Numbers as sentences have them."""

from __future__ import annotations

import math


def finite(value: float | None) -> float:
    """Return `value`, 0 where it is missing, negative or no number."""
    return value if value is not None and math.isfinite(value) and value > 0 else 0.0


def share(part: float | None, whole: float | None) -> float:
    """Return `part` of `whole`, 0 to 1; 0 where that makes no sense."""
    part, whole = finite(part), finite(whole)
    return min(finite(part / whole), 1.0) if whole else 0.0


def percent(fraction: float) -> str:
    """Return `94%`; `0.4%` below one."""
    value = finite(fraction) * 100
    return f"{value:.0f}%" if value >= 1 or not value else f"{value:.1g}%"


def span(seconds: float) -> str:
    """Return a duration with two or three digits: `31 ms`, `4.2 µs`, `1.25 s`."""
    seconds = finite(seconds)
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= 0.9995 * size:
            value = seconds / size
            digits = 0 if value >= 9.95 else 1
            return f"{value:,.{digits + (unit == 's')}f} {unit}"
    return f"{seconds * 1e9:.0f} ns"


def rate(per_second: float) -> str:
    """Return a rate in 1/s: `29.9`, `4,400`."""
    value = finite(per_second)
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def several(names: list[str]) -> str:
    """Return `a`, `a and b`, `a, b and c`; of many the first three."""
    if len(names) > 4:
        return f"{', '.join(names[:3])} and {len(names) - 3} others"
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
