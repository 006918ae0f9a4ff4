"""What a header and what sets it may hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from holoflow import Stamped

NAMES = pytest.mark.parametrize("name", ["timestamp", "elapsed"])


@NAMES
def test_times_are_whole_numbers_of_python(name: str) -> None:
    for time in (0, -5, 10**18, np.int64(10**18), np.uint32(7)):
        given: dict[str, Any] = {name: time}
        found = getattr(Stamped(None, **given), name)
        assert found == time
        assert type(found) is int


@NAMES
@pytest.mark.parametrize("time", [1.5, np.float64(3), 1_700_000_000.25, "2024-01-01", b"0"])
def test_seconds_and_texts_are_no_times(name: str, time: Any) -> None:
    with pytest.raises(
        TypeError, match=rf"Stamped\.{name} must be a whole number of nanoseconds, not"
    ):
        Stamped(None, **{name: time})


@NAMES
@pytest.mark.parametrize("time", [2**62, -(2**70)])
def test_times_have_64_bits(name: str, time: int) -> None:
    with pytest.raises(ValueError, match="over 146 years"):
        Stamped(None, **{name: time})
