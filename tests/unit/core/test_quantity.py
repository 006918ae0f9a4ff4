"""Quantities with units."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holoflow.core.quantity import DURATION_UNITS, FREQUENCY_UNITS, SIZE_UNITS, parse_quantity


@pytest.mark.parametrize(
    ("text", "units", "value"),
    [
        ("50ms", DURATION_UNITS, 0.05),
        ("1.5 S", DURATION_UNITS, 1.5),
        ("2min", DURATION_UNITS, 120),
        ("10µs", DURATION_UNITS, 1e-5),
        ("30hz", FREQUENCY_UNITS, 30),
        ("16 kHz", FREQUENCY_UNITS, 16_000),
        ("2GHz", FREQUENCY_UNITS, 2e9),
        ("64MB", SIZE_UNITS, 64e6),
        ("1GiB", SIZE_UNITS, 2**30),
    ],
)
def test_a_number_with_a_unit(text: str, units: dict[str, float], value: float) -> None:
    assert parse_quantity(text, units, "1s", bare=False) == pytest.approx(value)


@pytest.mark.parametrize("value", [50, 0.5, "50", "3."])
def test_a_bare_number_needs_its_unit_in_an_app(value: object) -> None:
    with pytest.raises(ValueError, match="a bare number where a unit belongs"):
        parse_quantity(value, DURATION_UNITS, "50ms", bare=False)
    assert parse_quantity(value, DURATION_UNITS, "50ms", bare=True) == float(str(value))


@pytest.mark.parametrize(
    "value", ["", "ms", "-5ms", "1e999s", "5 parsecs", "0x10s", True, None, [], "1s 2s", "\u0661s"]
)
def test_anything_else_is_refused(value: object) -> None:
    for bare in (True, False):
        with pytest.raises(ValueError, match=r"is not a quantity|unknown unit"):
            parse_quantity(value, DURATION_UNITS, "50ms", bare=bare)


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf")])
def test_a_bare_number_is_finite_and_not_negative(value: float) -> None:
    with pytest.raises(ValueError, match="finite and not negative"):
        parse_quantity(value, DURATION_UNITS, "50ms", bare=True)


@given(st.floats(0, 1e6), st.sampled_from(sorted(DURATION_UNITS)))
def test_what_is_written_is_read(number: float, unit: str) -> None:
    read = parse_quantity(f"{number!r}{unit}", DURATION_UNITS, "1s", bare=False)
    assert read == pytest.approx(number * DURATION_UNITS[unit])


@given(st.text(max_size=12))
def test_any_text_gives_a_quantity_or_a_clear_error(text: str) -> None:
    try:
        assert parse_quantity(text, SIZE_UNITS, "1MB", bare=False) >= 0
    except ValueError as error:
        assert "quantity" in str(error) or "unit" in str(error)  # noqa: PT017
