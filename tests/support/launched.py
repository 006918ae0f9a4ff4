"""Apps of several fragments with operators that go wrong, run by the command line."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from holoflow.launch.reaper import VARIABLE, marked
from holoflow.launch.run_folder import place

PATIENCE = 300.0
"""Seconds after which what should have happened long ago is taken to have failed."""

OPERATORS = '''
import ctypes
import itertools
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import numpy as np

from holoflow import HoloflowError, Operator, param

if "LACKING" in os.environ:
    raise HoloflowError("there is no camera here")


class CountOp(Operator):
    """Count, at its own pace; from the second on until there is a file `go`, if it is to wait."""

    until: int = param(0, doc="last number; 0 goes on for ever")
    wait: bool = param(False, doc="whether to wait")

    def frames(self) -> Iterator[float]:
        for number in itertools.count(1):
            if self.until and number > self.until:
                return
            while self.wait and number == 2 and not (self.context.output / "go").exists():
                time.sleep(0.01)
            time.sleep(0.005)
            yield float(number)


class FaultOp(Operator):
    """Pass numbers on; go wrong on one of them, the first time that it comes."""

    fault: str = param("none", doc="how")
    at: int = param(5, doc="number")
    again: bool = param(False, doc="whether to go wrong every time")

    def start(self) -> None:
        if self.fault == "start":
            raise ValueError("no model")
        if self.fault in ("no_files", "no_threads"):
            done = self.context.output / f"{self.context.name}.done"
            if not done.exists():
                done.touch()
                getattr(self, self.fault)()

    def process(self, number: float) -> float:
        if self.fault != "none" and number == self.at:
            done = self.context.output / f"{self.context.name}.done"
            if self.again or not done.exists():
                done.touch()
                getattr(self, self.fault)()
        return number

    def no_files(self) -> None:
        there = len(os.listdir("/proc/self/fd")) - 1
        resource.setrlimit(resource.RLIMIT_NOFILE, (there, there))

    def no_threads(self) -> None:
        def start(thread: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        threading.Thread.start = start

    def kill(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def freeze(self) -> None:
        os.kill(os.getpid(), signal.SIGSTOP)

    def fail(self) -> None:
        raise ValueError("no good")

    def hang(self) -> None:
        print("hanging")
        threading.Event().wait()

    def linger(self) -> None:
        threading.Thread(target=threading.Event().wait, name="left", daemon=False).start()

    def hold(self) -> None:
        ctypes.PyDLL(None).sleep(1000)  # with the interpreter lock

    def leak(self) -> None:
        self.held = []
        while True:
            self.held.append(np.ones(1 << 20))
            time.sleep(0.001)

    def exit(self) -> None:
        os._exit(3)

    def leave(self) -> None:
        sleep = "import time; print('sleeping', flush=True); time.sleep(1000)"
        for apart in (False, True):
            command = [sys.executable, "-S", "-c", sleep]
            started = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=apart)
            started.stdout.readline()
        self.kill()

    def hide(self) -> None:
        sleep = "import os, time; os.fork() and os._exit(0); print(os.getpid(), flush=True); "
        command = [sys.executable, "-S", "-c", sleep + "time.sleep(1000)"]
        started = subprocess.Popen(
            command, stdout=subprocess.PIPE, env={}, start_new_session=True, text=True
        )
        print("hidden", started.stdout.readline())

    def crash(self) -> None:
        ctypes.string_at(0)


class AskOp(Operator):
    """Send numbers on, and after the first wait for an answer to each."""

    def process(self, number: float, answer: float | None) -> float:
        return number


class AnswerOp(Operator):
    """Answer three times."""

    def process(self, number: float) -> Iterator[float]:
        yield from [number] * 3


class PairOp(Operator):
    """Write down which numbers meet."""

    def start(self) -> None:
        self.file = self.context.output.joinpath(f"{self.context.name}.txt").open("a")

    def process(self, number: float, worked: float) -> None:
        print(f"{number:.0f} {worked:.0f}", file=self.file, flush=True)

    def stop(self) -> None:
        self.file.close()


class KeepOp(Operator):
    """Write down every number."""

    def start(self) -> None:
        self.file = self.context.output.joinpath(f"{self.context.name}.txt").open("a")
        print(f"{self.context.name} starts")

    def process(self, number: float) -> None:
        print(f"{number:.0f}", file=self.file, flush=True)
        if number == 1:
            self.context.log.warning("the first")

    def stop(self) -> None:
        self.file.close()
'''

APART = """
app: apart
schema: 1
vars: {until: "40", fault: none, again: "false", restart: on-failure, wait: "false"}
operators:
  good: {type: ./operators.py:CountOp, with: {until: "${until}", wait: "${wait}"}}
  kept: {type: ./operators.py:KeepOp, inputs: {number: good}}
  count: {type: ./operators.py:CountOp, with: {until: "${until}", wait: "${wait}"}}
  work:
    type: ./operators.py:FaultOp
    inputs: {number: {from: count, queue: 3}}
    with: {fault: "${fault}", again: "${again}"}
  keep: {type: ./operators.py:KeepOp, inputs: {number: {from: work, queue: 3}}}
fragments:
  well: {operators: [good, kept]}
  ill: {operators: [count, work, keep], restart: "${restart}", hang: 5s}
"""
"""Two fragments that no flow joins; one of them goes wrong."""

_PIECE = """
  count_{0}: {{type: ./operators.py:CountOp, with: {{until: 20}}}}
  work_{0}:
    type: ./operators.py:FaultOp
    inputs: {{number: {{from: count_{0}, queue: 3}}}}
    with: {{fault: {0}}}
  keep_{0}: {{type: ./operators.py:KeepOp, inputs: {{number: {{from: work_{0}, queue: 3}}}}}}
"""


def many(faults: Iterable[str], hang: str) -> str:
    """Return an app with a fragment for each fault, and one without."""
    names = ["none", *faults]
    lines = ["app: many", "schema: 1", "operators:", *map(_PIECE.format, names), "fragments:"]
    for name in names:
        operators = f"[count_{name}, work_{name}, keep_{name}]"
        keys = f"restart: on-failure, memory: 400MB, hang: {hang}"
        lines.append(f"  {name}: {{operators: {operators}, {keys}}}")
    return "\n".join(lines)


JOINED = """
app: joined
schema: 1
vars: {until: "40", fault: none, again: "false", restart: on-failure, wait: "false", link: auto}
operators:
  count: {type: ./operators.py:CountOp, with: {until: "${until}", wait: "${wait}"}}
  work:
    type: ./operators.py:FaultOp
    inputs: {number: {from: count, link: "${link}"}}
    with: {fault: "${fault}", again: "${again}"}
  keep: {type: ./operators.py:KeepOp, inputs: {number: {from: work, link: "${link}"}}}
fragments:
  feed: {operators: [count]}
  ill: {operators: [work], restart: "${restart}", hang: 5s}
  sink: {operators: [keep]}
"""
"""Three fragments in a row; the middle one goes wrong."""


DIAMOND = """
app: diamond
schema: 1
vars: {until: "200", fault: kill, wait: "false", link: auto}
defaults: {link: "${link}"}
operators:
  count: {type: ./operators.py:CountOp, with: {until: "${until}", wait: "${wait}"}}
  work: {type: ./operators.py:FaultOp, inputs: {number: count}, with: {fault: "${fault}", at: 20}}
  pair: {type: ./operators.py:PairOp, inputs: {number: count, worked: work}}
fragments:
  feed: {operators: [count]}
  ill: {operators: [work], restart: on-failure}
  view: {operators: [pair]}
"""
"""A source, what works on its frames and may die, and what joins both by frame."""


DEALT = """
app: dealt
schema: 1
vars: {link: auto}
defaults: {link: "${link}"}
operators:
  count: {type: ./operators.py:CountOp, with: {until: 200}}
  even: {type: flow.share, inputs: {message: count}, with: {of: 2, part: 0}}
  odd: {type: flow.share, inputs: {message: count}, with: {of: 2, part: 1}}
  work: {type: ./operators.py:FaultOp, inputs: {number: odd}, with: {fault: kill, at: 20}}
  merge: {type: flow.merge, inputs: {messages: [even, work]}}
  keep: {type: ./operators.py:KeepOp, inputs: {number: merge}}
fragments:
  feed: {operators: [count, even, odd]}
  ill: {operators: [work], restart: on-failure}
  view: {operators: [merge, keep]}
"""
"""Frames that are dealt out on two ways, one of which dies, and gathered in order."""


CIRCLE = """
app: circle
schema: 1
vars: {link: auto}
operators:
  count: {type: ./operators.py:CountOp}
  ask:
    type: ./operators.py:AskOp
    inputs: {number: {from: count, link: "${link}"}, answer: {from: answer, back_edge: true}}
  answer: {type: ./operators.py:AnswerOp, inputs: {number: {from: ask, link: "${link}"}}}
fragments:
  feed: {operators: [count], restart: on-failure}
  asks: {operators: [ask]}
  answers: {operators: [answer]}
"""
"""Three fragments, two of which soon wait for each other for room."""


class Launched:
    """A run of `holoflow run` in a folder of its own; a context manager."""

    def __init__(self, folder: Path, app: str, *options: str, **variables: object) -> None:
        folder.mkdir(exist_ok=True)
        (folder / "operators.py").write_text(OPERATORS)
        (folder / "app.yaml").write_text(app)
        self.output = folder / "out"
        settings = [f"--set={name}={value}" for name, value in variables.items()]
        command = [sys.executable, "-m", "holoflow", "run", ".", "--output", "out", *options]
        self._process = subprocess.Popen(
            [*command, *settings],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.said: list[str] = []
        self._news = threading.Condition()
        self._ended = False
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self.runs: set[str] = set()

    def __enter__(self) -> Launched:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        for run in self.runs:
            for number in marked(f"{run}/"):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(number, signal.SIGKILL)
        self._reader.join()
        self._process.stdout.close()  # type: ignore[union-attr]

    def _read(self) -> None:
        for line in self._process.stdout:  # type: ignore[union-attr]
            with self._news:
                self.said.append(line.rstrip("\n"))
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    # -- looking at it -----------------------------------------------------------------------

    def until(self, words: str, count: int = 1) -> None:
        """Wait until `words` have been said, in so many lines."""
        with self._news:
            there = self._news.wait_for(
                lambda: sum(words in line for line in self.said) >= count or self._ended, PATIENCE
            )
        assert there, f"not said in time: {words!r}\n{self}"
        assert sum(words in line for line in self.said) >= count, f"not said: {words!r}\n{self}"

    def processes(self) -> dict[str, int]:
        """Return the process of each fragment that is there."""
        found = {}
        for number in children(self._process.pid):
            fragment = variable(number)
            if fragment is not None:
                self.runs.add(fragment[0])
                found[fragment[1]] = number
        return found

    @property
    def pid(self) -> int:
        return self._process.pid

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def end(self) -> int:
        """Wait until it has ended; returns its exit status."""
        try:
            status = self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it does not end\n{self}") from None
        self._reader.join(PATIENCE)
        return status

    def report(self) -> Any:
        return json.loads((self.output / "report.json").read_text())

    def flows(self) -> dict[str, Any]:
        """Return the statistics of every flow, which must add up."""
        found = {}
        for stats in self.report()["snapshot"]["flows"]:
            name = f"{stats['source']} -> {stats['target']}"
            assert stats["waiting"] == 0, stats
            assert stats["sent"] == stats["delivered"] + sum(stats["dropped"].values()), stats
            found[name.replace(".out", "").replace(".number", "")] = stats
        return found

    def restarts(self) -> dict[str, int]:
        return {b["name"]: b["restarts"] for b in self.report()["snapshot"]["fragments"]}

    def kept(self, name: str = "keep") -> list[int]:
        return [int(line) for line in (self.output / f"{name}.txt").read_text().split()]

    def left(self) -> list[str]:
        """Return what is there still of the runs that were seen, or that the report names."""
        with contextlib.suppress(OSError):
            self.runs.add(self.report()["snapshot"]["run"])
        assert self.runs, f"no run was seen\n{self}"
        found = []
        for run in self.runs:
            found += [f"process {number}" for number in marked(f"{run}/")]
            found += [str(path) for path in (place() / run, place() / f".{run}") if path.exists()]
            found += [str(path) for path in Path("/dev/shm").glob(f"holoflow_{run}_*")]
        return found

    def __str__(self) -> str:
        return "\n".join(self.said)


def children(parent: int) -> Iterator[int]:
    """Yield the processes whose parent is `parent`."""
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError):
                stat = Path(f"/proc/{name}/stat").read_text()
                if int(stat.rpartition(")")[2].split()[1]) == parent:
                    yield int(name)


def read(number: int, name: str) -> bytes:
    """Return a file of a process below /proc."""
    return Path(f"/proc/{number}/{name}").read_bytes()


def variable(number: int) -> list[str] | None:
    """Return run, fragment and generation of a process; None where it is of no fragment."""
    with contextlib.suppress(OSError):
        for entry in read(number, "environ").split(b"\0"):
            name, _, value = entry.decode("utf-8", "replace").partition("=")
            if name == VARIABLE:
                return value.split("/")
    return None


def wait_for(happened: Any) -> Any:
    """Wait until `happened()` is true, and return it."""
    deadline = time.monotonic() + PATIENCE
    while not (found := happened()):
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.01)
    return found
