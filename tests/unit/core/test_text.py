import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holoflow.core import text
from holoflow.core.text import printable


def test_control_characters_cannot_steer_the_terminal():
    assert printable("a\x1b[2Jb\r\x9b1mc\ud800") == "a\\x1b[2Jb\\r\\x9b1mc\\ud800"
    assert printable("gpj\u202e.exe\u2028\u2067") == "gpj\\u202e.exe\\u2028\\u2067"


def test_line_breaks_tabs_and_markup_stay_as_they_are():
    assert printable("[bold]two\nlines\t→ µ") == "[bold]two\nlines\t→ µ"


@given(st.text())
def test_printable_is_settled_after_once(words):
    assert printable(printable(words)) == printable(words)
    printable(words).encode("utf-8")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "-"),
        (math.nan, "-"),
        (0.00000412, "0.004"),
        (0.0123, "12.3"),
        (1.5, "1,500"),
    ],
)
def test_milliseconds(value, shown):
    assert text.milliseconds(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0.00 s"), (12.34, "12.3 s"), (200, "3 min 20 s"), (3599.7, "1 h 0 min")],
)
def test_seconds(value, shown):
    assert text.seconds(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0 B"), (999, "999 B"), (1200, "1.2 kB"), (999_960, "1.0 MB"), (5 * 10**13, "50.0 TB")],
)
def test_size(value, shown):
    assert text.size(value) == shown


@pytest.mark.parametrize(("value", "shown"), [(1.234, "1.23"), (29.97, "30.0"), (4400, "4,400")])
def test_rate(value, shown):
    assert text.rate(value) == shown


def test_plural():
    assert [text.plural(number, "frame") for number in (0, 1, 2000)] == [
        "0 frames",
        "1 frame",
        "2,000 frames",
    ]


def test_causes_leaves_out_what_did_not_happen():
    assert text.causes({"full": 3, "late": 0, "error": 1}) == "3 full, 1 error"
