"""Ranges for a GPU profiler, heard by a listener that hooks itself in as profilers do."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("nvtx_listener.c")

PROGRAM = """
from collections.abc import Iterator
from holoflow import Operator
from holoflow.engine import nvtx

class CountOp(Operator):
    def frames(self) -> Iterator[int]:
        yield from (1, 2)

class DoubleOp(Operator):
    def process(self, number: int) -> int:
        if number > 1:
            raise ValueError(number)
        return 2 * number

class SplitOp(Operator):
    def process(self, number: int) -> Iterator[int]:
        yield number
        yield number

class BatchOp(DoubleOp):
    def process_batch(self, batch):
        return [2 * inputs["number"] for inputs in batch]

made = {name: cls() for name, cls in
        {"count": CountOp, "double": DoubleOp, "split": SplitOp, "batch": BatchOp}.items()}
for name, operator in made.items():
    nvtx.mark(operator, name)
print(nvtx.ranges() is not None)
assert list(made["count"].frames()) == [1, 2]
assert made["double"].process(1) == 2
try:
    made["double"].process(number=2)
except ValueError:
    pass
assert list(made["split"].process(3)) == [3, 3]
assert made["batch"].process_batch([{"number": 1}, {"number": 2}]) == [2, 4]
assert made["double"].process_batch([{"number": 1}]) == [2]
"""


@pytest.fixture(scope="module")
def compiler(tmp_path_factory):
    """The listener, compiled."""
    library = tmp_path_factory.mktemp("listener") / "listener.so"
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-Wall", "-Werror", "-o", library, SOURCE], check=True
    )
    return library


def run(library, output):
    hooks = {"NVTX_INJECTION64_PATH": str(library), "LISTENER_OUTPUT": str(output)}
    return subprocess.run(
        [sys.executable, "-c", PROGRAM], env={**os.environ, **(hooks if library else {})},
        check=True, capture_output=True, text=True,
    )  # fmt: skip


def test_a_profiler_sees_every_call(compiler, tmp_path):
    assert run(compiler, tmp_path / "heard").stdout == "True\n"
    heard = (tmp_path / "heard").read_text().splitlines()
    assert heard[0] == "domain holoflow"
    pushed = [line.removeprefix("push ") for line in heard if line.startswith("push")]
    # Also the look for a third frame and result is work.
    assert pushed == ["count"] * 3 + ["double"] * 2 + ["split"] * 3 + ["batch", "double"]
    assert [line == "pop" for line in heard[1:]] == [False, True] * len(pushed)


def test_without_one_nothing_is_done(tmp_path):
    result = run(None, tmp_path / "heard")
    assert (result.stdout, result.stderr) == ("False\n", "")
    assert not (tmp_path / "heard").exists()


def test_a_profiler_that_cannot_be_loaded_is_none(tmp_path):
    assert run("/nowhere.so", tmp_path / "heard").stdout == "False\n"


def test_a_profiler_sees_the_operators_of_an_app(compiler, tmp_path):
    hooks = {"NVTX_INJECTION64_PATH": str(compiler), "LISTENER_OUTPUT": str(tmp_path / "heard")}
    subprocess.run(
        [
            sys.executable, "-m", "holoflow", "run", "hello", "--engine", "inline",
            "--frames", "5", "--no-web", "--output", tmp_path / "out",
        ],
        env={**os.environ, **hooks}, check=True, capture_output=True,
    )  # fmt: skip
    heard = Counter((tmp_path / "heard").read_text().splitlines())
    assert {f"push {name}": heard[f"push {name}"] for name in ("find", "overlay", "table")} == {
        "push find": 5, "push overlay": 5, "push table": 5
    }  # fmt: skip
    assert heard["push scene"] in (5, 6)
    assert heard["pop"] == sum(heard.values()) - heard["pop"] - heard["domain holoflow"]
