"""What the SDK's examples do, said in an app file: it prints what the application by hand does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from holoflow.app import load

pytestmark = pytest.mark.holoscan
pytest.importorskip("holoscan")

HERE = Path(__file__).parent


def said(*command: str) -> dict[str, list[str]]:
    """Run `command` and return what each operator has said, in order."""
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", *command],
        capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, "HOLOSCAN_LOG_LEVEL": "ERROR"},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    found: dict[str, list[str]] = {}
    for line in ran.stdout.splitlines():
        mark, _, text = line.partition(" ")
        if mark == "|":
            found.setdefault(text.partition(" ")[0], []).append(text)
    return found


def said_by_app(name: str, folder: Path, *more: str) -> dict[str, list[str]]:
    """Return what the operators of an app have said."""
    output = ("--no-web", "--output", str(folder / "run"))
    return said("-m", "holoflow", "run", str(HERE / f"{name}.yaml"), *more, *output)


def said_by_hand(name: str, folder: Path) -> dict[str, list[str]]:
    """Return what the operators of an application by hand have said."""
    return said(str(HERE / "by_hand.py"), name, str(folder))


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("ports", 4), ("receivers", 7), ("conditions", 1), ("branches", 6), ("execution", 7),
        ("choice", 5), ("tensors", 8), ("arguments", 1), ("functions", 4), ("mailbox", 4),
        ("studies", 1), ("messages", 4), ("either", 1), ("batches", 2), ("own", 3),
    ],
)  # fmt: skip
def test_an_app_does_what_the_application_by_hand_does(name, lines, tmp_path):
    by_hand = said_by_hand(name, tmp_path)
    assert sum(map(len, by_hand.values())) == lines
    assert said_by_app(name, tmp_path) == by_hand


def test_a_recording_is_replayed(tmp_path):
    where = ("--set", f"directory={tmp_path}")
    assert said_by_app("recorded", tmp_path, *where) == {}
    by_hand = said_by_hand("replayed", tmp_path)
    assert len(by_hand["sums"]) == 6
    assert said_by_app("replayed", tmp_path, *where) == by_hand


def test_what_needs_a_gpu_can_be_checked_without():
    """With all that they take; where this machine lacks their libraries a note says so."""
    app = load(HERE / "drawn.yaml")
    drawn = app.operators["view"].holoscan_operator
    assert drawn.arguments["tensors"][0] == {
        "name": "", "type": "color", "opacity": 1.0, "priority": 0,
    }  # fmt: skip
    shared = {
        id(app.operators[name].holoscan_operator.arguments["cuda_stream_pool"])
        for name in ("preprocess", "view")
    }
    assert len(shared) == 1
    assert (
        drawn.arguments["window_close_condition"]
        is (app.operators["replayer"].holoscan_operator.conditions[0])
    )
    assert drawn.arguments["key_callback"](3) == 1.5
    assert [str(flow.target) for flow in app.flows] == [
        "preprocess.source_video", "infer.receivers", "view.receivers:0", "view.receivers:1",
    ]  # fmt: skip
    assert all("cannot be looked into here: lib" in note for note in app.notes)
