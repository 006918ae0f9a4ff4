"""Quantities with units: durations, frequencies and sizes as an app file writes them.

An app file must give the unit (`50ms`, `30hz`, `64MB`); Python code may also give a bare
number in the base unit (seconds, hertz, bytes).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BeforeValidator, ValidationInfo, WithJsonSchema

from holoflow.core.errors import ParameterError

DURATION_UNITS = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "min": 60.0,
    "h": 3600.0,
}
FREQUENCY_UNITS = {"mhz": 1e6, "khz": 1e3, "ghz": 1e9, "hz": 1.0}
SIZE_UNITS = {
    "b": 1, "kb": 1000, "mb": 1000**2, "gb": 1000**3,
    "kib": 1024, "mib": 1024**2, "gib": 1024**3,
}  # fmt: skip

UNITS_REQUIRED = {"units": "required"}
"""Validation context in which a bare number is rejected, as in an app file."""

_NUMBER_AND_UNIT = re.compile(r"\s*([0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?)\s*([a-zA-Zµ]*)\s*")


def parse_quantity(value: Any, units: dict[str, float], example: str, *, bare: bool) -> float:
    """Return `value` in the base unit of `units`.

    Args:
        value: A string of a number and one of `units` (in either case), or a number.
        units: Units in lower case, each with its size in the base unit.
        example: A valid quantity, for the error message.
        bare: Whether a number without a unit is accepted, in the base unit.

    Raises:
        ParameterError: `value` is not a quantity.
    """
    known = ", ".join(units)
    right = f"write a number with a unit ({known}), such as {example}"
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ParameterError(f"{value!r} is not a quantity", right)
    if isinstance(value, str):
        match = _NUMBER_AND_UNIT.fullmatch(value)
        if match is None:
            raise ParameterError(f"{value!r} is not a quantity", right)
        number, unit = float(match[1]), match[2].lower()
        if unit:
            if unit not in units:
                raise ParameterError(
                    f"unknown unit {match[2]!r} in {value!r}", f"units here are {known}"
                )
            number *= units[unit]
        if unit or bare:
            return _finite(value, number)
        value = number
    if not bare:
        raise ParameterError(f"a bare number where a unit belongs: {value:g}", right)
    return _finite(value, float(value))


def _finite(given: Any, value: float) -> float:
    if not math.isfinite(value) or value < 0:
        raise ParameterError(f"{given!r} is not a quantity", "it must be finite and not negative")
    return value


def _validator(units: dict[str, float], example: str) -> Callable[[Any, ValidationInfo], float]:
    def validate(value: Any, info: ValidationInfo) -> float:
        context = info.context or {}
        return parse_quantity(value, units, example, bare=context.get("units") != "required")

    return validate


def _schema(units: dict[str, float], example: str) -> WithJsonSchema:
    """Return the JSON Schema of a quantity: a string in either case, as editors complete it."""
    spellings = "|".join(
        "".join(f"[{c.upper()}{c}]" if c.isalpha() and c.isascii() else c for c in u) for u in units
    )
    pattern = rf"^\s*[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?\s*({spellings})\s*$"
    return WithJsonSchema({"type": "string", "pattern": pattern, "examples": [example]})


Duration = Annotated[
    float, BeforeValidator(_validator(DURATION_UNITS, "50ms")), _schema(DURATION_UNITS, "50ms")
]
"""A duration in seconds; an app file writes `50ms`, `2s`, `10us`."""

Frequency = Annotated[
    float, BeforeValidator(_validator(FREQUENCY_UNITS, "30hz")), _schema(FREQUENCY_UNITS, "30hz")
]
"""A frequency in hertz; an app file writes `30hz`, `16khz`."""

Size = Annotated[
    float, BeforeValidator(_validator(SIZE_UNITS, "64MB")), _schema(SIZE_UNITS, "64MB")
]
"""A size in bytes; an app file writes `64MB`, `1GiB`."""
