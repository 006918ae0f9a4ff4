"""`holoflow report` and `holoflow compare`."""

import json
import os

import pytest
from support.reports import report
from support.snapshots import faces
from typer.testing import CliRunner

from holoflow.cli.program import program
from holoflow.report.run_report import write_report


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Two runs below ./runs, of which `new` is the newest."""
    monkeypatch.chdir(tmp_path)
    for age, name in enumerate(("new", "old")):
        (tmp_path / "runs" / name).mkdir(parents=True)
        file = write_report(tmp_path / "runs" / name, report(faces(), failure=name))
        os.utime(file, ns=(10**18 - age, 10**18 - age))
    return tmp_path


def invoke(*arguments):
    return CliRunner().invoke(program, arguments)


def test_the_newest_run_is_shown(folder):
    shown = invoke("report")
    assert shown.exit_code == 0
    assert "\nnew\n" in shown.stdout
    assert "\nold\n" in invoke("report", "runs/old").stdout
    assert "\x1b" not in shown.stdout


def test_as_json_it_is_all_that_is_known(folder):
    document = json.loads(invoke("report", "runs/old", "--json").stdout)
    assert document == json.loads((folder / "runs/old/report.json").read_text())


def test_as_a_page(folder):
    assert invoke("report", "--html", "out.html").exit_code == 0
    assert (folder / "out.html").read_text().startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("report", "nowhere"), "no such file: nowhere"),
        (("report", "runs"), "a run leaves report.json in its folder"),
        (("report", "--html", "no/such/folder/out.html"), "the page cannot be written"),
        (("report", "--html", "out.html", "--json"), "choose one"),
        (("compare", "runs/new", "nowhere"), "no such file: nowhere"),
    ],
)
def test_mistakes_are_status_2_and_a_sentence(folder, arguments, message):
    shown = invoke(*arguments)
    assert (shown.exit_code, shown.stdout) == (2, "")
    assert message in shown.stderr


def test_without_any_run_it_says_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shown = invoke("report")
    assert shown.exit_code == 2
    assert shown.stderr == "no run with a report.json below runs; name the folder of a run\n"


def test_two_runs_side_by_side(folder):
    shown = invoke("compare", "runs/old", "runs/new/report.json")
    assert shown.exit_code == 0
    assert shown.stdout.startswith("a: faces: done, 300 frames")
    assert "nothing beyond noise" in shown.stdout
    assert shown.stdout.count("bottleneck: detect") == 2
    compared = json.loads(invoke("compare", "runs/old", "runs/new", "--json").stdout)
    assert compared["changes"] == []
    assert compared["times"][0]["ratio"]["p99"] == 1
    assert "Kolmogorov" in compared["rule"]
