"""Numbers in sentences."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holoflow.report.diagnosis.words import finite, percent, rate, several, share, span


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 ns"), (3e-7, "300 ns"), (4.24e-6, "4.2 µs"), (420e-6, "420 µs"),
        (0.99996e-3, "1.0 ms"), (0.031, "31 ms"), (0.0042, "4.2 ms"), (0.9999, "1.00 s"),
        (1.25, "1.25 s"), (12.34, "12.3 s"), (4321.0, "4,321.0 s"),
    ],
)  # fmt: skip
def test_durations(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_shares() -> None:
    assert (percent(0.937), percent(0.004), percent(0)) == ("94%", "0.4%", "0%")
    assert (share(1, 4), share(5, 4), share(1, 0), share(-1, 4)) == (0.25, 1.0, 0.0, 0.0)


def test_rates() -> None:
    assert (rate(29.93), rate(4400), rate(0.5)) == ("29.9", "4,400", "0.5")


def test_lists() -> None:
    assert several([]) == ""
    assert several(["a"]) == "a"
    assert several(["a", "b"]) == "a and b"
    assert several(["a", "b", "c"]) == "a, b and c"
    assert several(list("abcdef")) == "a, b, c and 3 others"


@given(st.floats())
def test_no_number_is_out_of_range(value: float) -> None:
    assert finite(value) >= 0
    assert math.isfinite(finite(value))
    assert span(value)
    assert percent(value)
    assert rate(value)
    assert 0 <= share(value, 1.0) <= 1
    assert 0 <= share(1.0, value) <= 1
