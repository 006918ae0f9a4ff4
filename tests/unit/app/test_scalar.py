import math

import pytest

from holoflow.app.document import read_scalar


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None), ("~", None), ("null", None), ("true", True), ("False", False),
        ("0", 0), ("-12", -12), ("+3", 3), ("017", 17), ("0o17", 15), ("0xFf", 255),
        ("1.", 1.0), (".5", 0.5), ("-1.5e3", -1500.0), ("1e3", 1000.0),
        (".inf", math.inf), ("-.INF", -math.inf),
        ("yes", "yes"), ("no", "no"), ("on", "on"), ("y", "y"), ("tRUE", "tRUE"),
        ("12:30", "12:30"), ("2001-01-01", "2001-01-01"), ("1_000", "1_000"), ("0b1", "0b1"),
        ("1.2.3", "1.2.3"), (".", "."), ("-", "-"), ("e5", "e5"), ("nan", "nan"),
        ("9" * 500, "9" * 500),
    ],
)  # fmt: skip
def test_core_schema_of_yaml_1_2(text, value):
    read = read_scalar(text)
    assert read == value
    assert type(read) is type(value)


def test_not_a_number():
    assert math.isnan(read_scalar(".nan"))
