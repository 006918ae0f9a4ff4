import re
from pathlib import Path

import pytest
import typer

from holoflow.cli.errors import reported
from holoflow.core.errors import AppError, HoloflowError, Location, Mistake


def status_of(error, **options):
    with pytest.raises(typer.Exit) as raised, reported(debug=False, **options):
        raise error
    return raised.value.exit_code


def test_an_error_for_the_user_is_its_message(capsys):
    assert status_of(HoloflowError("no [bold]such\x1b[1m thing")) == 2
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "no [bold]such\\x1b[1m thing\n")


def test_all_mistakes_of_an_app_are_said(capsys):
    mistakes = [Mistake(Location("a.yaml", line, 3), "wrong", "right") for line in (9, 2)]
    assert status_of(AppError(mistakes)) == 2
    assert capsys.readouterr().err == "a.yaml:2:3: wrong; right\na.yaml:9:3: wrong; right\n"


def test_interrupted(capsys):
    assert status_of(KeyboardInterrupt()) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_a_mistake_of_holoflow_is_one_line_and_a_file(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert status_of(KeyError("two\nlines")) == 70
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    file = Path(re.fullmatch(r"holoflow itself failed: KeyError: .* is in (.+)\n", said)[1])
    assert "in status_of" in file.read_text()


def test_a_mistake_of_holoflow_is_a_traceback_with_debug(capsys):
    with pytest.raises(typer.Exit) as raised, reported(debug=True):
        raise KeyError("x")
    assert raised.value.exit_code == 70
    assert capsys.readouterr().err.startswith("Traceback")


@pytest.mark.parametrize("error", [typer.Exit(3), typer.Abort(), typer.BadParameter("no")])
def test_what_typer_itself_raises_passes(error):
    with pytest.raises(type(error)) as raised, reported(debug=False):
        raise error
    assert raised.value is error


def test_nothing_happens_where_nothing_is_raised(capsys):
    with reported(debug=False):
        print("fine")
    assert capsys.readouterr().out == "fine\n"
