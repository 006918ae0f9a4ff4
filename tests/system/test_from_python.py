"""Scripts that run apps: Ctrl-C, processes of their own, and an end in the middle of a run."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import os
import signal
import sys
from collections.abc import Iterator

import holoflow
from holoflow import Operator


class CountOp(Operator):
    def frames(self) -> Iterator[int]:
        number = 0
        while not self.context.ending.wait(0.001):
            yield number
            number += 1


class PrintOp(Operator):
    def process(self, number: int) -> None:
        if number == 20:
            print("process", os.getpid(), flush=True)


def made() -> holoflow.App:
    app = holoflow.App("numbers")
    count, show = app.add("count", CountOp), app.add("show", PrintOp)
    app.flow(count, show)
    app.fragment("a", [count])
    app.fragment("b", [show])
    return app


if __name__ == "__main__":
    if sys.argv[1] == "leave":
        handle = holoflow.run_async(made())
        while handle.snapshot() is None:
            pass
        print("state", handle.state)
        sys.exit(3)
    ended = holoflow.run(made(), apart=sys.argv[1] == "apart", frames=int(sys.argv[2]) or None)
    print("outcome", ended.outcome, flush=True)
    try:
        os.kill(os.getpid(), signal.SIGINT)
        signal.pause()
    except KeyboardInterrupt:
        print("Ctrl-C is Python's again")
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    (tmp_path / "counting.py").write_text(SCRIPT)
    return tmp_path / "counting.py"


def start(script: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, script, *arguments], cwd=script.parent, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


@pytest.mark.parametrize("how", ["together", "apart"])
def test_ctrl_c_drains_a_run_and_the_program_goes_on(script: Path, how: str) -> None:
    with start(script, how, "0") as process:
        where = next(line for line in process.stdout if "process" in line)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    assert out.splitlines()[-2:] == ["outcome interrupted", "Ctrl-C is Python's again"], err
    assert process.returncode == 0
    own = int(where.split()[-1]) == process.pid
    assert own == (how == "together")


def test_each_fragment_in_a_process(script: Path) -> None:
    with start(script, "apart", "30") as process:
        out, err = process.communicate(timeout=120)
    assert out.startswith("[b] process "), err
    assert "outcome done\n" in out


def test_a_program_that_ends_stops_its_run(script: Path) -> None:
    with start(script, "leave") as process:
        out, err = process.communicate(timeout=120)
    assert "state running" in out
    assert (process.returncode, err) == (3, "")
