"""What is printed where nobody can take it."""

from __future__ import annotations

import subprocess
import sys

import pytest

HOLOFLOW = f'"{sys.executable}" -m holoflow'


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ("check hello >/dev/full", 1),
        ("--version >/dev/full", 1),
        ("check hello >&-", 0),
        ("check hello <&- >&- 2>&-", 0),
        ("check nothing <&- >&- 2>&-", 2),
    ],
)
def test_full_and_closed_streams_are_no_mistake_of_holoflows(words: str, status: int) -> None:
    done = subprocess.run(
        ["sh", "-c", f"{HOLOFLOW} {words}"], capture_output=True, text=True, check=False
    )
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    assert "itself failed" not in done.stderr
    if status == 1:
        assert "no space left on device" in done.stderr
