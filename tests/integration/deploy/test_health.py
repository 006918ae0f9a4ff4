"""Whether a run is live and ready, asked from outside."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest
from support.launched import Launched, wait_for

from holoflow.live.health import ask

ONE = """
app: gated
schema: 1
operators:
  count: {type: ./gated.py:CountOp}
  keep: {type: ./gated.py:GateOp, inputs: {number: count}}
"""
TWO = (
    ONE
    + """
fragments:
  feed: {operators: [count]}
  sink: {operators: [keep]}
"""
)
GATED = '''
import itertools
import time
from collections.abc import Iterator

from holoflow import Operator


class CountOp(Operator):
    """Count for ever."""

    def frames(self) -> Iterator[float]:
        for number in itertools.count():
            time.sleep(0.01)
            yield float(number)


class GateOp(Operator):
    """Take numbers, once its device is there: a file `go`."""

    def start(self) -> None:
        while not (self.context.output / "go").exists():
            time.sleep(0.01)

    def process(self, number: float) -> None: ...
'''


@pytest.fixture
def launch(tmp_path, monkeypatch):
    """Start an app that waits for its device, with nothing else to be found."""
    runtime = tmp_path / "runtime"
    runtime.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    monkeypatch.setenv("TMPDIR", str(runtime))
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "gated.py").write_text(GATED)
    started = []

    def launch(app):
        started.append(Launched(folder, app, "--engine", "inline"))
        return started[-1]

    yield launch
    for run in started:
        run.__exit__()


def health(*options):
    """Ask; returns the exit status and what was printed."""
    command = [sys.executable, "-m", "holoflow", "health", *options]
    asked = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert asked.stderr == ""
    return asked.returncode, asked.stdout.strip()


@pytest.mark.parametrize(
    ("app", "who", "fragments"),
    [(ONE, "gated", ["gated"]), (TWO, "sink", ["feed", "sink"])],
    ids=["one process", "several"],
)
def test_an_app_is_live_while_it_waits_and_ready_when_it_has_begun(launch, app, who, fragments):
    assert health("gated") == (1, "gated is not live: no run of gated is there")
    run = launch(app)
    wait_for(lambda: ask("gated").live)
    status, said = health("--ready", "--json")
    found = json.loads(said)
    assert (status, found["live"], found["ready"]) == (1, True, False)
    assert found["phases"][who] == "starting"
    assert found["why"].endswith("is starting")
    run.output.joinpath("go").touch()
    wait_for(lambda: ask("gated").ready)
    assert health("--ready") == (0, "gated is ready")
    found = ask(None)
    assert (found.live, list(found.phases), found.why) == (True, fragments, "")

    run.signal(signal.SIGSTOP)
    status, said = health()
    assert status == 1
    assert "it does not answer; it may be stopped" in said
    run.signal(signal.SIGCONT)
    wait_for(lambda: ask("gated").ready)
    run.signal(signal.SIGTERM)
    assert run.end() == 130
    assert not ask("gated").live
