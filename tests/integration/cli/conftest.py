"""An app in a folder of its own, and the command line as a process."""

import os
import subprocess
import sys

import pytest

OPERATORS = '''
import itertools
import threading
from collections.abc import Iterator

from holoflow import Operator, param


class CountOp(Operator):
    """Count, and say so once."""

    until: int = param(0, doc="last number; 0 goes on for ever")

    def frames(self) -> Iterator[float]:
        self.context.announce("counting", "[bold]from 1\\x1b[31m →")
        for number in itertools.count(1):
            if self.until and number > self.until:
                return
            if not self.until:
                threading.Event().wait(0.01)
            yield float(number)


class WorkOp(Operator):
    """Pass numbers on."""

    fail_at: int = param(0, doc="number to fail on")
    hang_at: int = param(0, doc="number to hang on for ever")
    log_every: int = param(0, doc="numbers from one log entry to the next")

    def process(self, number: float) -> float:
        if number == self.fail_at:
            raise ValueError("no [red]good µ")
        if number == self.hang_at:
            self.context.announce("hanging", "now")
            while True:
                threading.Event().wait(0.01)
        if self.log_every and number % self.log_every == 0:
            self.context.log.warning("[bold]number %d →\\x1b[2J", number)
        return number


class KeepOp(Operator):
    """Write down every number."""

    def start(self) -> None:
        self.file = self.context.output.joinpath("numbers.txt").open("w")

    def process(self, number: float) -> None:
        self.file.write(f"{number:.0f}\\n")

    def stop(self) -> None:
        self.file.close()
'''

APP = """
app: numbers
schema: 1
vars: {until: "0", fail_at: "0", hang_at: "0", log_every: "0"}
operators:
  count:
    type: ./operators.py:CountOp
    with: {until: "${until}"}
  work:
    type: ./operators.py:WorkOp
    inputs: {number: count}
    with: {fail_at: "${fail_at}", hang_at: "${hang_at}", log_every: "${log_every}"}
  keep:
    type: ./operators.py:KeepOp
    inputs: {number: work}
"""


@pytest.fixture
def folder(tmp_path):
    """A folder with the app `numbers` in it."""
    (tmp_path / "app.yaml").write_text(APP, encoding="utf-8")
    (tmp_path / "operators.py").write_text(OPERATORS, encoding="utf-8")
    return tmp_path


@pytest.fixture
def start(folder):
    """Start `holoflow` with arguments in that folder; whatever still runs is killed."""
    started = []

    def start(*arguments, environment=None, **options):
        options = {
            "stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
            "text": True, "errors": "replace", "cwd": folder,
            "env": {**os.environ, **(environment or {})},
        } | options  # fmt: skip
        process = subprocess.Popen([sys.executable, "-m", "holoflow", *arguments], **options)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def holoflow(start):
    """Run `holoflow` with arguments in that folder to its end."""

    def run(*arguments, **options):
        process = start(*arguments, **options)
        out, err = process.communicate(timeout=300)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    return run
