"""`holoflow set` beside an app of several processes, one of which is killed."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.launched import wait_for

APP = """
app: changed
schema: 1
operators:
  count: {type: ./operators.py:CountOp}
  gain: {type: ./operators.py:GainOp, inputs: {number: count}}
  keep: {type: ./operators.py:KeepOp, inputs: {value: gain}}
fragments:
  first: {operators: [count]}
  second: {operators: [gain, keep], restart: on-failure}
"""
OPERATORS = '''
import os
from collections.abc import Iterator

from holoflow import Duration, Operator, param


class CountOp(Operator):
    """Count until the end."""

    pause: Duration = param("10ms", gt=0, doc="between two numbers", live=True)

    def frames(self) -> Iterator[int]:
        number = 0
        while not self.context.ending.wait(self.pause):
            number += 1
            yield number


class GainOp(Operator):
    """Say with which gain, and in which process."""

    gain: float = param(1.0, ge=0, doc="factor", live=True)

    def process(self, number: int) -> str:
        return f"{os.getpid()} {self.gain:g}"


class KeepOp(Operator):
    """Keep what is new."""

    def start(self) -> None:
        self.last = ""

    def process(self, value: str) -> None:
        if value != self.last:
            self.last = value
            with open(self.context.output / "seen.txt", "a") as file:
                print(value, file=file)
'''
HOLOFLOW = Path(sys.executable).with_name("holoflow")


@pytest.fixture
def run(tmp_path):
    """A run of the app in a folder of its own; killed at the end."""
    (tmp_path / "app.yaml").write_text(APP)
    (tmp_path / "operators.py").write_text(OPERATORS)
    (tmp_path / "run").mkdir(mode=0o700)
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path / "run")}
    with subprocess.Popen(
        [HOLOFLOW, "run", "app.yaml", "--engine", "inline", "--output", "out"],
        cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True,
    ) as started:  # fmt: skip

        def change(*arguments):
            command = [HOLOFLOW, "set", *arguments]
            return subprocess.run(
                command, cwd=tmp_path, env=environment, capture_output=True, text=True
            )

        yield started, change, tmp_path
        started.kill()


def test_parameters_of_any_fragment_change_and_outlive_a_restart(run):
    started, change, folder = run

    def seen():
        file = folder / "out" / "seen.txt"
        return (
            [tuple(line.split()) for line in file.read_text().splitlines()] if file.exists() else []
        )

    wait_for(seen)
    ((process, gain),) = seen()
    assert gain == "1"
    done = change("changed", "gain.gain=2.5", "count.pause=5ms")
    assert done.returncode == 0, done.stderr
    wait_for(lambda: (process, "2.5") in seen())

    wrong = change("changed", "gain.gain=-1", "gain.gian=2", "nobody.gain=1", "gain.gain=3")
    assert wrong.returncode == 2
    assert (
        "gain.gain: GainOp.gain: Input should be greater than or equal to 0, got -1" in wrong.stderr
    )
    assert "gain.gian: GainOp has no parameter 'gian'; did you mean 'gain'?" in wrong.stderr
    assert "changed has no operator 'nobody'" in wrong.stderr
    assert wrong.stdout == "changed: gain.gain = 3\n"
    assert any("gain.gain: 3 instead of 2.5" in line for line in started.stdout)
    assert seen()[-1] == (process, "3")

    os.kill(int(process), signal.SIGKILL)
    wait_for(lambda: seen()[-1][0] != process)
    assert seen()[-1][1] == "3"

    saved = change("app.yaml", "gain.gain=4", "--save", "mine.yaml")
    assert saved.returncode == 0, saved.stderr
    assert "gain: 4" in (folder / "mine.yaml").read_text()
    assert subprocess.run([HOLOFLOW, "check", "mine.yaml"], cwd=folder, check=False).returncode == 0
    wait_for(lambda: seen()[-1][1] == "4")

    started.send_signal(signal.SIGINT)
    started.communicate()
    report = json.loads((folder / "out" / "report.json").read_text())
    changes = [(c["operator"], c["value"]) for c in report["snapshot"]["changes"]]
    assert ("count", '"5ms"') in changes
    assert changes[-1] == ("gain", "4")

    late = change("changed", "gain.gain=4")
    assert late.returncode == 2
    assert "no run of changed is there" in late.stderr
