"""Applications made by hand for Holoscan: what is written of them prints the same lines."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

pytestmark = [pytest.mark.holoscan, pytest.mark.slow]

APPLICATIONS = Path(__file__).parents[2] / "support" / "byhand"
HOLOFLOW = Path(sys.executable).with_name("holoflow")
BY_HAND = """
import runpy
import sys

import holoflow  # it finds the CUDA runtime that Holoscan needs

sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(APPLICATIONS, tmp_path / "apps")
    return tmp_path / "apps"


def printed(folder: Path, *command: str | Path) -> list[str]:
    """Return the lines that a command prints, without Holoscan's log and a report at the end."""
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stdout + run.stderr
    lines = [line for line in run.stdout.splitlines() if line and not line.startswith("[")]
    ends = [number for number, line in enumerate(lines) if ": done, " in line]
    return lines[: ends[-1]] if ends else lines


def by_hand(folder: Path, *arguments: str) -> list[str]:
    return printed(folder, sys.executable, "-c", BY_HAND, *arguments)


def port(folder: Path, *arguments: str) -> tuple[int, str]:
    command = [HOLOFLOW, "port", *arguments]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    return run.returncode, run.stderr


@pytest.mark.parametrize(
    ("file", "arguments", "count"),
    [
        ("ping.py", [], 10),
        ("two_ports.py", [], 5),
        ("conditions.py", [], 4),
        ("receivers.py", [], 3),
        ("two_fragments.py", [], 4),
        ("configured.py", ["--config", "configured.yaml"], 3),
        ("subgraphs.py", [], 3),
        ("steps.py", [], 4),
        ("services.py", [], 2),
        ("pools.py", [], 2),
        ("replay.py", ["recorded"], 2),
    ],
)
def test_it_prints_the_same(folder: Path, file: str, arguments: list[str], count: int) -> None:
    if file == "replay.py":
        (folder / "recorded").mkdir()
        by_hand(folder, "recording.py", "recorded")
    lines = by_hand(folder, file, *arguments)
    assert len(lines) == count
    status, said = port(folder, file, "--", *arguments)
    assert status == 0, said
    assert [line for line in said.splitlines() if "not ported" in line] == (
        ["not ported: max_duration_ms of its scheduler, which is 60000"]
        if file == "conditions.py"
        else []
    )
    printed(folder, HOLOFLOW, "check", "app.yaml")
    options = ["--no-web", "--output", "out", "--engine", "holoscan", "--together"]
    assert printed(folder, HOLOFLOW, "run", "app.yaml", *options) == lines


def test_what_is_written(folder: Path) -> None:
    assert port(folder, "two_ports.py") == (0, "")
    app = YAML(typ="safe").load(folder / "app.yaml")
    assert app["resources"] == {"pool": {"type": "holoscan.resources:UnboundedAllocator"}}
    assert app["operators"]["join"] == {
        "type": "./two_ports.py:JoinOp",
        "inputs": {"left": "scale_10.scaled", "right": "scale_100.scaled"},
        "with": {
            "mode": "PRODUCT", "path": "./somewhere/notes.txt", "names": ["a", "b"],
            "pool": {"resource": "pool"},
        },
    }  # fmt: skip
    assert app["scheduler"] == {"kind": "greedy"}


DRAWN = """
import enum

from holoscan.core import Application, Operator, Tracker
from holoscan.operators import HolovizOp, PingTensorTxOp
from holoscan.resources import BlockMemoryPool, MemoryStorageType


class Level(enum.IntEnum):
    HIGH = 3


class LevelOp(Operator):
    def __init__(self, app, *args, level=0, **kwargs):
        super().__init__(app, *args, **kwargs)

    def setup(self, spec):
        spec.output("out")


class Drawn(Application):
    def compose(self):
        pool = BlockMemoryPool(self, MemoryStorageType.HOST, 1000, num_blocks=2, name="pool")
        send = PingTensorTxOp(self, name="send", allocator=pool)
        level = LevelOp(self, name="level", level=Level.HIGH)
        spec = HolovizOp.InputSpec("tensor", HolovizOp.InputType.COLOR)
        show = HolovizOp(self, name="show", width=640, allocator=pool, tensors=[spec])
        for source in (level, send):
            self.add_flow(source, show, {("out", "receivers")})
"""
TRACKED = """

if __name__ == "__main__":
    app = Drawn()
    app.enable_metadata(False)
    with Tracker(app, filename="log.txt") as tracker:
        try:
            app.run_async().result()
        except Exception:
            print("something is wrong")
        tracker.print()
"""


def test_threads_of_operators_are_written(folder: Path) -> None:
    assert port(folder, "pools.py") == (0, "")
    app = YAML(typ="safe").load(folder / "app.yaml")
    assert app["scheduler"] == {
        "kind": "event", "workers": 3, "stop_on_deadlock_timeout": "700ms",
        "pools": {
            "pinned": {"operators": ["sender"], "size": 1, "pin": True, "cores": [0]},
            "other": {"operators": ["receiver"], "size": 1},
        },
    }  # fmt: skip


def test_an_operator_that_this_machine_cannot_import_is_taken_as_written(folder: Path) -> None:
    (folder / "drawn.py").write_text(DRAWN + TRACKED)
    status, said = port(folder, "drawn.py")
    note = "its argument tensors: an app file has no word for one of class InputSpec"
    metadata = "enable_metadata(False), as headers travel as metadata in an app"
    assert (status, said) == (0, f"not ported: {metadata}\nnot ported: show: {note}\n")
    app = YAML(typ="safe").load(folder / "app.yaml")
    pool = {"storage_type": 0, "block_size": 1000, "num_blocks": 2}
    assert app["resources"]["pool"]["with"] == pool
    assert app["operators"]["level"]["with"] == {"level": 3}
    show = app["operators"]["show"]
    assert show["type"] == "holoscan.operators:HolovizOp"
    assert show["inputs"] == {"receivers": ["level.out", "send.out"]}
    assert show["with"]["width"] == 640


UNLIKE = """
import threading

from holoscan.core import Application, DefaultFragmentService, Operator


class Settings(DefaultFragmentService):
    pass


class WorkOp(Operator):
    def __init__(self, fragment, *args, lock, scale=1, **kwargs):
        super().__init__(fragment, *args, **kwargs)

    def compute(self, op_input, op_output, context):
        pass


class Unlike(Application):
    def compose(self):
        print("composing")
        self.register_service(Settings())
        work = WorkOp(self, name="1st work", lock=threading.Lock(), scale=2)
        work.add_arg(other=3)
        self.add_operator(work)


class Other(Application):
    def compose(self):
        raise ValueError("not today")
"""


def test_what_cannot_be_said_is_noted_and_commented(folder: Path) -> None:
    (folder / "unlike.py").write_text(UNLIKE)
    status, said = port(folder, "unlike.py:Unlike")
    notes = [
        "add_arg() of 1st work; write the argument under its with:",
        "op_1st_work: its argument lock: an app file has no word for one of class lock",
        "the service Settings: it is registered without a name",
    ]
    assert said.splitlines()[1:4] == [f"not ported: {note}" for note in notes]
    assert said.splitlines()[4:] == [
        "app.yaml:8:3: operator 'op_1st_work': WorkOp needs 'lock' (any)"
    ]
    assert status == 2
    text = (folder / "app.yaml").read_text()
    for note in notes:
        assert f"# not ported: {note.removeprefix('op_1st_work: ')}\n" in text


@pytest.mark.parametrize(
    ("text", "arguments", "wrong"),
    [
        (UNLIKE, ["app.py"], "app.py has several applications: Unlike, Other; write app.py:CLASS"),
        (UNLIKE, ["app.py:Other"], "app.py:30: Other.compose() fails: ValueError: not today"),
        (UNLIKE, ["app.py:None"], "app.py defines no application 'None'"),
        (UNLIKE, ["ape.py"], "there is no file 'ape.py'"),
        (UNLIKE, ["app.py", "--output", "app.py", "--force"], "app.py is there already"),
        (UNLIKE, ["app.py", "--output", "ping.py"], "ping.py is there already"),
        ("x = 1", ["app.py"], "app.py defines no application"),
        (
            UNLIKE.replace("self.add_operator(work)", "pass"),
            ["app.py:Unlike"],
            "app.py: Unlike adds no operators",
        ),
        ("x = (", ["app.py"], "app.py:1 is not valid Python"),
        ("import sys; sys.exit('who?')", ["app.py"], "app.py ends with status who? before its"),
        (UNLIKE + "Unlike().run()", ["app.py"], "app.py runs its application when it is imported"),
    ],
)
def test_what_cannot_be_ported(folder: Path, text: str, arguments: list[str], wrong: str) -> None:
    (folder / "app.py").write_text(text)
    status, said = port(folder, *arguments)
    assert status == 2
    assert wrong in said
    assert "Traceback" not in said
    assert not (folder / "app.yaml").exists()
    assert (folder / "app.py").read_text() == text
