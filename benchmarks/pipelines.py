"""Whole pipelines: holoflow beside plain calls, a thread pool, Holoscan by hand, and ezmsg.

    python benchmarks/pipelines.py [--repeats 5] [--seconds 4] [--pipelines video …] [--json FILE]

Every contender calls the same operators, in a process of its own, in turn with the others:

- `plain loop`: all operators on one frame after the other, in one thread.
- `thread pool`: operators that keep no state on as many frames at once as there are cores, one more
  waiting; the others in order, in a thread of their own.
- `Holoscan`: an operator of Holoscan's in Python with ports for each, with its greedy scheduler,
  and its event-based one with a worker for each core.
- `ezmsg`: a unit for each operator. `queues by hand`: processes joined by `multiprocessing.Queue`.

Full speed: frames a second after the first fifth of a run, medians over the repetitions; CPU a
frame is the slope between a run and one of a quarter of its length, start-up not included; memory
is the most that the largest process had. Latency is that of all repetitions together, from the
moment at which a frame was due, or, at full speed, at which the source had made it. At 120% of its
own rate a contender has a live source, which overwrites what is not fetched in time. `all`: a rate
that all are given. “–” is not measured, or a percentile with too few frames.

`others`: cores that other programs took meanwhile, with a mark above a tenth of a core.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from pipelined.apps import CLIP, FACES, PIPELINES
from pipelined.clip import write_clip
from pipelined.contender import Order
from pipelined.results import Runs, load_rows, markdown, summary, tables
from rich.console import Console
from rivals.processes import adopt

from holoflow.app import load
from holoflow.app.assets import fetch_all

SIZE: Final = (1280, 720)
PATIENCE: Final = 600.0
"""Seconds that a contender may take."""
shown = Console(stderr=True)


class ContenderError(Exception):
    """A contender that gave no result; says why."""


def measure(order: Order) -> dict[str, Any]:
    """Have a contender measured in a process of its own.

    Raises ContenderError where it fails, or takes more than `PATIENCE`.
    """
    folder = Path(order.folder)
    folder.mkdir(parents=True)
    log = folder / "log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "pipelined.contender", json.dumps(asdict(order))],
            cwd=folder, env=os.environ | {"PYTHONPATH": str(Path(__file__).parent)},
            stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True,
        )  # fmt: skip
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise ContenderError("no result in time") from None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    result = folder / "result.json"
    if not result.exists():
        lines = log.read_text(errors="replace").strip().splitlines() or ["nothing was said"]
        raise ContenderError(lines[-1][:300])
    found: dict[str, Any] = json.loads(result.read_text())
    return found


def measure_all(
    chosen: Mapping[str, Sequence[str]], repeats: int, seconds: float, *, quick: bool
) -> tuple[Runs, list[str]]:
    """Measure the contenders on each pipeline in turn; also what failed."""
    runs: dict[str, dict[str, list[dict[str, Any]]]] = {
        pipeline: {contender: [] for contender in contenders}
        for pipeline, contenders in chosen.items()
    }
    failures: list[str] = []
    with TemporaryDirectory() as name:
        folder = Path(name)
        if "video" in chosen:
            write_clip(fetch_all(load(FACES))["clip"], folder / CLIP, *SIZE)
        for repeat in range(repeats):
            for pipeline, contenders in runs.items():
                for number, (contender, measured) in enumerate(contenders.items()):
                    shown.print(f"{repeat + 1}/{repeats} {pipeline}: {contender}", style="dim")
                    own = folder / f"{pipeline}-{number}-{repeat}"
                    try:
                        measured.append(
                            measure(Order(pipeline, contender, str(own), seconds, quick))
                        )
                    except ContenderError as error:
                        failures.append(f"{pipeline}, {contender}: {error}")
                        shown.print(f"  {error}", style="red")
    return runs, failures


def absent() -> str | None:
    """Return the contender that is not installed, if any; says what to install."""
    if find_spec("ezmsg") is not None:
        return None
    shown.print("left out: ezmsg (pip install 'holoflow[bench]')", style="yellow")
    return "ezmsg"


def read(sources: Sequence[Path]) -> Runs:
    """Return the runs in `sources`; what several files have is taken from the last."""
    runs: dict[str, Any] = {}
    for source in sources:
        runs.update(json.loads(source.read_text())["runs"])
    return {name: runs[name] for name in PIPELINES if name in runs}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int)
    parser.add_argument("--seconds", type=float, default=4.0, help="of a run")
    parser.add_argument("--pipelines", nargs="+", choices=PIPELINES, default=list(PIPELINES))
    parser.add_argument("--contenders", nargs="+", default=[""], help="beginnings of names")
    parser.add_argument("--quick", action="store_true", help="once, few frames, no loads")
    parser.add_argument("--json", type=Path, help="write everything there")
    parser.add_argument("--markdown", type=Path, help="write the tables there")
    parser.add_argument(
        "--from", type=Path, nargs="+", dest="sources", metavar="FILE",
        help="measure nothing, read what --json has written",
    )  # fmt: skip
    arguments = parser.parse_args()
    if arguments.sources:
        runs = read(arguments.sources)
    else:
        adopt()
        repeats = arguments.repeats or (1 if arguments.quick else 5)
        begun = os.getloadavg()[0]
        wanted = tuple(arguments.contenders)
        missing = absent()
        chosen = {
            name: [c for c in PIPELINES[name].contenders if c.startswith(wanted) and c != missing]
            for name in arguments.pipelines
        }
        runs, failures = measure_all(chosen, repeats, arguments.seconds, quick=arguments.quick)
    for table in tables(runs):
        Console(width=130).print(table)
    if arguments.markdown:
        arguments.markdown.write_text(markdown(runs))
    if arguments.json and not arguments.sources:
        result = {
            "machine": {"cores": os.cpu_count(), "system": platform.platform()},
            "python": sys.version.split()[0],
            "load average": [begun, os.getloadavg()[0]],
            "repeats": repeats,
            "seconds": arguments.seconds,
            "summary": {name: summary(contenders) for name, contenders in runs.items()},
            "latency": {name: load_rows(contenders) for name, contenders in runs.items()},
            "failures": failures,
            "runs": runs,
        }
        arguments.json.write_text(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
