import pytest
import typer

from holoflow.cli.arguments import parse_duration, parse_settings


def test_settings_split_at_the_first_equals_sign_and_the_last_of_a_key_wins():
    assert parse_settings(["clip=a", "q=x=y", "empty=", "clip=b"]) == {
        "clip": "b",
        "q": "x=y",
        "empty": "",
    }


@pytest.mark.parametrize("setting", ["clip", "=value", ""])
def test_a_setting_without_key_or_value_is_refused(setting):
    with pytest.raises(typer.BadParameter, match="key=value"):
        parse_settings([setting])


def test_duration():
    assert parse_duration("1.5min", "--for") == 90


@pytest.mark.parametrize("duration", ["10", "ten", "-1s", "0s", "10hz"])
def test_a_wrong_duration_is_refused(duration):
    with pytest.raises(typer.BadParameter) as raised:
        parse_duration(duration, "--for")
    assert raised.value.param_hint == "--for"
