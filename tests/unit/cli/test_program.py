import pytest
from typer.testing import CliRunner

import holoflow
from holoflow.cli.program import program
from holoflow.core.errors import HoloflowError

COMMANDS = (
    "run",
    "report",
    "compare",
    "check",
    "graph",
    "plan",
    "predict",
    "tune",
    "ops",
    "port",
    "schema",
    "assets",
    "new",
)


def invoke(*arguments):
    return CliRunner().invoke(program, arguments)


def test_version():
    shown = invoke("--version")
    assert (shown.stdout, shown.exit_code) == (f"holoflow {holoflow.__version__}\n", 0)


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_names_every_command(option):
    shown = invoke(option)
    assert shown.exit_code == 0
    for command in COMMANDS:
        assert f" {command} " in shown.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_of_its_own(command):
    shown = invoke(command, "--help")
    assert shown.exit_code == 0
    assert f"holoflow {command}" in shown.stdout or "Usage" in shown.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("rnu",),
        ("run",),
        ("run", "hello", "--frmaes", "3"),
        ("run", "hello", "--frames", "0"),
        ("run", "hello", "--frames", "many"),
        ("run", "hello", "--for", "10"),
        ("run", "hello", "--engine", "other"),
        ("run", "hello", "--scheduler", "other"),
        ("run", "hello", "--workers", "0"),
        ("run", "hello", "--set", "clip"),
        ("check", "hello", "--set", "clip"),
        ("check", "no-such-app"),
    ],
)
def test_wrong_words_are_status_2_and_no_traceback(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shown = invoke(*arguments)
    assert shown.exit_code == 2
    assert shown.stdout == ""
    assert shown.stderr
    assert "Traceback" not in shown.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_mistake_of_holoflow_says_where_its_traceback_is(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def find(_name):
        raise KeyError("x")

    monkeypatch.setattr("holoflow.cli.apps.find", find)
    shown = invoke("check", "hello")
    assert shown.exit_code == 70
    assert shown.stderr.startswith("holoflow itself failed: KeyError: 'x'; the traceback is in /")
    assert "Traceback" in invoke("--debug", "check", "hello").stderr


def test_an_error_for_the_user_is_its_message(monkeypatch):
    def find(_name):
        raise HoloflowError("so it [red]is")

    monkeypatch.setattr("holoflow.cli.apps.find", find)
    shown = invoke("run", "hello")
    assert (shown.stdout, shown.stderr, shown.exit_code) == ("", "so it [red]is\n", 2)
