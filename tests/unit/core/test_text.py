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


UNITS = {
    "": 1.0, "%": 0.01, "ns": 1e-9, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0,
    "B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
}  # fmt: skip


def read(shown: str) -> float:
    """Return the value that `shown` stands for, in the base unit: `3 min 20 s` is 200."""
    words = shown.replace("%", " %").replace(",", "").split()
    units = words[1::2] or [""]
    return sum(float(number) * UNITS[unit] for number, unit in zip(words[::2], units, strict=True))


def milliseconds(seconds: float | None) -> str:
    return f"{text.milliseconds(seconds)} ms"


FORMATS = [text.number, text.brief, text.percent, milliseconds, text.duration, text.size]
MEASURED = st.floats(1e-12, 1e12)


@pytest.mark.parametrize("write", FORMATS)
@given(value=MEASURED)
def test_what_is_shown_is_off_by_less_than_its_last_digit(write, value):
    # Two digits are off by 5% at most, three by 0.5%, and minutes by half of one.
    assert read(write(value)) == pytest.approx(
        value, rel=0.051 if write is text.percent else 0.0095
    )


@pytest.mark.parametrize("write", FORMATS)
@given(one=MEASURED, other=MEASURED)
def test_of_two_values_the_greater_is_never_shown_as_the_smaller(write, one, other):
    least, most = sorted((one, other))
    assert read(write(least)) <= read(write(most)) * (1 + 1e-12)


@pytest.mark.parametrize("write", FORMATS)
@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_what_was_not_measured_is_never_a_number(write, value):
    assert write(value).split()[0] == text.NOT_MEASURED
    assert text.count(None) == text.NOT_MEASURED


@pytest.mark.parametrize("write", FORMATS)
@given(value=MEASURED)
def test_only_nothing_is_shown_as_0(write, value):
    assert read(write(0.0)) == 0
    assert read(write(value)) > 0


@given(value=MEASURED)
def test_with_a_unit_a_number_has_no_zeros_at_its_end(value):
    for shown in (text.duration(value), text.size(value), text.percent(value)):
        assert ".0 " not in shown.replace("%", " ")


@pytest.mark.parametrize(
    ("shown", "is_to_be"),
    [
        (text.number(29.97), "30.0"),
        (text.number(4400), "4,400"),
        (text.milliseconds(0.0000041234), "0.00412"),
        (text.milliseconds(1.5), "1,500"),
        (text.percent(0.937), "94%"),
        (text.percent(0.004), "0.4%"),
        (text.duration(0), "0 s"),
        (text.duration(3e-7), "300 ns"),
        (text.duration(0.99996e-3), "1 ms"),
        (text.duration(59.97), "1 min 0 s"),
        (text.duration(200), "3 min 20 s"),
        (text.duration(3599.7), "1 h 0 min"),
        (text.size(999), "999 B"),
        (text.size(999_960), "1 MB"),
        (text.size(5 * 10**13), "50 TB"),
    ],
)
def test_people_read_them_as_they_are_used_to(shown, is_to_be):
    assert shown == is_to_be


def test_plural():
    assert [text.plural(number, "frame") for number in (0, 1, 2000)] == [
        "0 frames",
        "1 frame",
        "2,000 frames",
    ]


@pytest.mark.parametrize(
    ("names", "shown"),
    [("", ""), ("a", "a"), ("ab", "a and b"), ("abc", "a, b and c"),
     ("abcdef", "a, b, c and 3 others")],
)  # fmt: skip
def test_a_list_is_a_sentence(names, shown):
    assert text.listed(names) == shown


NAMES = st.text(st.characters(codec="ascii", categories=["Ll"]), min_size=1, max_size=12)


@given(names=st.lists(NAMES, max_size=20))
def test_choices_are_the_first_eight(names):
    shown = text.choices(names).split(", ")
    assert shown == [*names[:8], *["…"] * (len(names) > 8)] if names else ["none"]
    assert text.choices(names[:3], " or ").replace(" or ", ", ") == text.choices(names[:3])


@given(name=NAMES, known=st.sets(NAMES, max_size=12))
def test_a_suggestion_is_a_known_name_or_says_which_are_known(name, known):
    nearest, said = text.nearest(name, known), text.suggestion(name, known)
    if nearest is not None:
        assert nearest in known
        assert said == f"did you mean {nearest!r}?"
    else:
        assert name not in known
        assert said == (
            f"known here: {text.choices(sorted(known))}" if known else "there are none here"
        )
    assert text.suggestion(name, known, "look elsewhere") in ("look elsewhere", said)


def test_a_long_name_is_not_compared():
    assert text.nearest("a" * 100_000, ["a" * 99_999]) is None


def test_causes_leaves_out_what_did_not_happen():
    assert text.causes({"full": 3, "late": 0, "error": 1}) == "3 full, 1 error"
