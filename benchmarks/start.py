"""How long it takes to start: importing, commands, the first frame of apps; and what idling costs.

    python benchmarks/start.py [--repeats 5] [--json]

Every row is measured in turn with bare Python (`python -c pass`), `--repeats` times, once
beforehand, so that files are in memory and modules are compiled (into a folder of the benchmark's
own, whatever PYTHONDONTWRITEBYTECODE says). Medians: seconds by the clock, seconds of CPU of the
process and all that it starts, and both less those of bare Python. With a frame: from the start of
the command until the first frame has arrived at the last operator; CPU then is that of a run of one
frame, from start to end. On a busy machine compare CPU, not time.

Idle apps wait for a source that gives nothing: the share of a core of each of their processes.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from rich.console import Console
from rich.table import Table

BARE: Final = "python -c pass"
OPERATORS: Final = Path(__file__).parent / "starting" / "operators.py"
APPS: Final = Path(__file__).parent.parent / "apps"
HOLOFLOW: Final = ("-m", "holoflow")

COMMANDS: Final[Mapping[str, tuple[Sequence[str], float | None]]] = {
    BARE: (("-c", "pass"), None),
    "import holoflow": (("-c", "import holoflow"), 0.1),
    "from holoflow import Operator": (("-c", "from holoflow import Operator"), None),
    "holoflow --help": ((*HOLOFLOW, "--help"), 0.25),
    "holoflow check hello": ((*HOLOFLOW, "check", "hello"), 0.5),
    "holoflow check faces": ((*HOLOFLOW, "check", "faces"), None),
}
"""Arguments of Python, and the seconds over bare Python that are wanted."""

FIRST_FRAMES: Final[Mapping[str, tuple[dict[str, Any], float]]] = {
    "hello": ({"extends": str(APPS / "hello" / "app.yaml")}, 1.0),
    "faces": ({"extends": str(APPS / "faces" / "app.yaml")}, 1.5),
    "faces/apart": (
        {
            "extends": str(APPS / "faces" / "apart.yaml"),
            "fragments": {
                "view": {"operators": ["overlay", "screen", "annotated", "table", "seen"]}
            },
        },
        2.5,
    ),
}
"""Apps that get an operator `seen` behind their `overlay`, and the seconds that are wanted."""

IDLE: Final[Mapping[str, dict[str, Any]]] = {
    "idle": {},
    "idle, three fragments": {
        "fragments": {name: {"operators": [name]} for name in ("source", "work", "seen")}
    },
}
SETTLED: Final = 3.0
"""Seconds after the first frame from which on an idle app is watched."""


@dataclass(frozen=True)
class Cost:
    """What a command took."""

    seconds: float
    cpu: float


def start(arguments: Sequence[str], stderr: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    """Start Python with `arguments`."""
    return subprocess.Popen(
        [sys.executable, *arguments],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr,
    )  # fmt: skip


def spend(arguments: Sequence[str]) -> tuple[Cost, float]:
    """Run Python with `arguments`; return what it took, and when it began (s, monotonic)."""
    began = time.monotonic()
    process = start(arguments, subprocess.PIPE)
    assert process.stderr is not None
    said = process.stderr.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - began
    if status:
        raise RuntimeError(f"{' '.join(arguments)}: {said}")
    return Cost(seconds, usage.ru_utime + usage.ru_stime), began


def first_frame(app: Path, output: Path) -> Cost:
    """Run `app` for one frame; return the seconds until it is through, and the CPU of all."""
    arguments = (*HOLOFLOW, "run", str(app), "--frames", "1", "--output", str(output))
    whole, began = spend(arguments)
    return Cost(int((output / "first").read_text()) / 1e9 - began, whole.cpu)


def write_apps(folder: Path) -> None:
    """Write the apps that are timed to `folder`."""
    seen = {"type": f"{OPERATORS}:FirstFrameOp", "inputs": {"frame": "overlay"}}
    for name, (app, _) in FIRST_FRAMES.items():
        app = {"app": "start", **app, "operators": {"seen": seen}}
        path_of(folder, name).write_text(json.dumps(app))
    operators = {
        "source": {"type": f"{OPERATORS}:IdleOp"},
        "work": {"type": f"{OPERATORS}:PassOp", "inputs": {"value": "source"}},
        "seen": {"type": f"{OPERATORS}:FirstFrameOp", "inputs": {"frame": "work"}},
    }
    for name, app in IDLE.items():
        path_of(folder, name).write_text(json.dumps({"app": "idle", **app, "operators": operators}))


def path_of(folder: Path, name: str) -> Path:
    """Return the file in `folder` of the app called `name`."""
    return folder / (name.replace("/", "-").replace(" ", "-").replace(",", "") + ".yaml")


def idle(app: Path, output: Path, seconds: float) -> dict[str, float]:
    """Run `app`; return the share of a core that each of its processes takes while it idles."""
    run = start((*HOLOFLOW, "run", str(app), "--output", str(output)))
    try:
        while not (output / "first").exists():
            if run.poll() is not None:
                raise RuntimeError(f"{app} has ended with exit status {run.returncode}")
            time.sleep(0.05)
        time.sleep(SETTLED)
        before, began = dict(_processes(run.pid)), time.monotonic()
        time.sleep(seconds)
        after, elapsed = dict(_processes(run.pid)), time.monotonic() - began
    finally:
        run.terminate()
        run.wait()
    return {name: (after[name] - before[name]) / elapsed for name in before}


def _processes(parent: int) -> Iterator[tuple[str, float]]:
    """Yield the CPU seconds of `parent` and of its children, by name."""
    ticks = os.sysconf("SC_CLK_TCK")
    for stat in Path("/proc").glob("[0-9]*/stat"):
        fields = stat.read_text().rpartition(")")[2].split()
        pid, above = int(stat.parent.name), int(fields[1])
        if parent in (pid, above):
            words = (stat.parent / "cmdline").read_bytes().split(b"\0")[:-1]
            name = "the command" if pid == parent else Path(words[-1].decode()).name
            yield name, (int(fields[11]) + int(fields[12])) / ticks


def measure(repeats: int, seconds: float) -> tuple[dict[str, list[Cost]], dict[str, Any]]:
    """Run everything in turn, once and then `repeats` times; what each took, by name."""
    costs: dict[str, list[Cost]] = {}
    with TemporaryDirectory() as name:
        folder = Path(name)
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = str(folder / "compiled")
        write_apps(folder)
        for repeat in range(-1, repeats):
            for command, (arguments, _) in COMMANDS.items():
                _add(costs, command, spend(arguments)[0], repeat)
            for app in FIRST_FRAMES:
                path = path_of(folder, app)
                cost = first_frame(path, folder / f"{path.stem}-{repeat}")
                _add(costs, f"first frame of {app}", cost, repeat)
        shares = {app: idle(path_of(folder, app), folder / app, seconds) for app in IDLE}
    return costs, shares


def _add(costs: dict[str, list[Cost]], name: str, cost: Cost, repeat: int) -> None:
    if repeat >= 0:
        costs.setdefault(name, []).append(cost)


def rows(costs: Mapping[str, Sequence[Cost]]) -> list[dict[str, Any]]:
    """Return the medians by command, what they are over bare Python, and what is wanted."""
    medians = {
        name: Cost(
            statistics.median(c.seconds for c in each), statistics.median(c.cpu for c in each)
        )
        for name, each in costs.items()
    }
    bare = medians[BARE]
    frames = {f"first frame of {name}": seconds for name, (_, seconds) in FIRST_FRAMES.items()}
    wanted = {name: seconds for name, (_, seconds) in COMMANDS.items()} | frames
    return [
        {
            "what": name,
            "seconds": cost.seconds,
            "CPU seconds": cost.cpu,
            "seconds over bare Python": cost.seconds - bare.seconds,
            "CPU seconds over bare Python": cost.cpu - bare.cpu,
            "CPU / bare Python": cost.cpu / bare.cpu,
            # To the first frame counts from the command itself.
            "wanted": wanted[name],
            "found": cost.seconds - (0 if name in frames else bare.seconds),
        }
        for name, cost in medians.items()
    ]  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10.0, help="that idle apps are watched")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    costs, shares = measure(arguments.repeats, arguments.seconds)
    found = rows(costs)
    if arguments.json:
        result = {
            "repeats": arguments.repeats,
            "python": sys.version.split()[0],
            "load average": [load, os.getloadavg()[0]],
            "medians": found,
            "share of a core": shares,
        }
        json.dump(result, sys.stdout, indent=2)
        print()
        return
    table = Table("", "s", "CPU s", "over bare Python: s", "CPU s", "CPU ratio", "wanted: s")
    for row in found:
        wanted = "" if row["wanted"] is None else f"{row['wanted']:g}"
        table.add_row(
            row["what"], f"{row['seconds']:.3f}", f"{row['CPU seconds']:.3f}",
            f"{row['seconds over bare Python']:.3f}", f"{row['CPU seconds over bare Python']:.3f}",
            f"{row['CPU / bare Python']:.1f}", wanted,
        )  # fmt: skip
    Console(width=130).print(table)
    table = Table("idle app", "process", "% of a core")
    for app, by_process in shares.items():
        for name, share in by_process.items():
            table.add_row(app, name, f"{share * 100:.2f}")
    Console(width=130).print(table)


if __name__ == "__main__":
    main()
