"""What `holoflow new` makes is right from the first moment."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("kind", ["operator", "app", "fragment"])
def test_what_is_new_passes_its_test_and_check_and_runs(kind, holoflow, tmp_path):
    place = {"cwd": tmp_path / "made"}
    place["cwd"].mkdir()
    made = holoflow("new", kind, "scene", **place)
    assert (made.returncode, made.stderr) == (0, "")
    folder = {"cwd": tmp_path / "made" / "scene"}

    checked = holoflow("check", ".", **folder)
    assert (checked.returncode, checked.stdout[:11]) == (0, ". is valid:")
    run = holoflow("run", ".", "--engine", "inline", "--output", str(tmp_path / "out"), **folder)
    assert run.returncode == 0, run.stderr
    for command in (["pytest", "-q", "-W", "error"], ["ruff", "check"]):
        done = subprocess.run(
            [sys.executable, "-m", *command], capture_output=True, text=True, **folder
        )
        assert done.returncode == 0, done.stdout


def test_the_new_operator_is_shown_with_its_example(holoflow, tmp_path):
    holoflow("new", "operator", "find_edges")
    shown = holoflow("ops", "show", "./find_edges/find_edges.py:FindEdgesOp")
    assert shown.returncode == 0
    assert "    type: ./find_edges.py:FindEdgesOp\n" in shown.stdout
