"""Arrays between two processes of this host: holoflow's links against those of others.

    python benchmarks/links.py [--quick] [--repeats 3] [--sizes 64,6220800]
                               [--rivals iceoryx2 "app, zeromq"] [--pace 1000]
                               [--json FILE] [--markdown FILE]
    python benchmarks/links.py --from FILE... [--markdown FILE]  # tables of runs written before

Every contender runs in processes of its own, one contender at a time, all in turn. Its sender has
its data in arrays of its own (`copy`) or writes a few bytes into memory of the link (`loan`); its
receiver gets an array and looks at its stamp, its middle and its end. First the sender sends as
fast as the contender lets it: messages per second are counted as they arrive. Then it keeps a
pace - 200 Hz, or what `--pace` says; 30 Hz above 10 MB, and never more than half of what was found
before - and latency is taken: from the moment before the array is given to the contender to the
moment the receiver has one. Medians over the repeats. `app` are whole apps of two fragments run by
`holoflow run`, `link` the bare ends of a link with what it takes to encode and decode a message.

Rivals that are not installed are left out: `pip install -e '.[bench]'` has them all.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from dataclasses import asdict
from importlib import metadata
from pathlib import Path

from rich.console import Console
from rivals.contenders import CONTENDERS, Contender
from rivals.job import Job
from rivals.meter import Measured
from rivals.processes import MeasurementError, adopt, measure
from rivals.report import HD, Runs, label, markdown, medians, read, tables, wanted

SIZES = (64, 4 << 10, 64 << 10, 1 << 20, HD, 25_000_000)
QUICK = (4 << 10, HD)
PACE = 200.0
"""Messages a second at which latency is taken."""
DEADLINE = 60.0
"""Seconds that one measurement may take beyond its windows."""
PACKAGES = ("holoscan-cu12", "iceoryx2", "pyzmq", "ezmsg", "dora-rs", "dora-rs-cli", "numpy")

shown = Console(stderr=True, highlight=False)


def run(contender: Contender, size: int, seconds: float, pace: float) -> Measured:
    """Measure once; raises MeasurementError where there is no result."""
    with tempfile.TemporaryDirectory(prefix="links", dir="/tmp") as folder:
        job = Job(
            contender.module, contender.variant, size, rate=pace if size <= 10_000_000 else 30.0,
            warm=seconds / 4, seconds=seconds, folder=folder,
        )  # fmt: skip
        before = _shared_memory(contender, job)
        try:
            deadline = DEADLINE + 4 * seconds
            found = measure(job, contender.roles, deadline, contender.hopeless)
            return Measured(**json.loads(found))
        finally:
            for left in _shared_memory(contender, job) - before:
                left.unlink(missing_ok=True)


def _shared_memory(contender: Contender, job: Job) -> set[Path]:
    # Where a name with an underscore would not do, it has a hyphen.
    pattern = contender.leaves.format(job=job.path.name.replace("_", "?"))
    return set(Path("/dev/shm").glob(pattern)) if pattern else set()


def try_to(
    contender: Contender, size: int, seconds: float, pace: float
) -> tuple[Measured | None, list[str]]:
    """Measure, as often as it takes within the contender's attempts; also what failed."""
    failures: list[str] = []
    for _ in range(contender.attempts):
        try:
            return run(contender, size, seconds, pace), failures
        except MeasurementError as failure:
            failures.append(str(failure))
            shown.print(f"  {contender.name}, {label(size)}: {failure}", style="red")
    return None, failures


def chosen(names: list[str]) -> list[Contender]:
    """Return those whose names begin with one of `names`; all where there are none."""
    return [c for c in CONTENDERS if c.name.startswith(tuple(names) or "")]


def present(contenders: list[Contender]) -> list[Contender]:
    """Return those that are installed; says what is missing."""
    for contender in contenders:
        if missing := contender.missing():
            how = f"pip install {' '.join(missing)}"
            shown.print(f"left out: {contender.name} ({how})", style="yellow")
    return [contender for contender in contenders if not contender.missing()]


def measure_all(
    contenders: list[Contender], sizes: list[int], repeats: int, seconds: float, pace: float
) -> tuple[Runs, dict[str, list[str]]]:
    """Measure all in turn; also what failed."""
    runs: dict[str, dict[int, list[Measured]]] = {
        c.name: {s: [] for s in sizes} for c in contenders
    }
    failures: dict[str, list[str]] = {}
    for repeat in range(repeats):
        for size in sizes:
            for contender in contenders:
                shown.print(f"{repeat + 1}/{repeats} {label(size)}: {contender.name}", style="dim")
                measured, failed = try_to(contender, size, seconds, pace)
                runs[contender.name][size].extend([measured] if measured else [])
                if failed:
                    failures.setdefault(f"{contender.name}, {label(size)}", []).extend(failed)
    return runs, failures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int)
    parser.add_argument("--seconds", type=float, help="of each of the two windows")
    parser.add_argument("--pace", type=float, default=PACE, help="Hz at which latency is taken")
    parser.add_argument("--sizes", help="bytes, with commas between")
    parser.add_argument("--rivals", nargs="+", default=[], help="beginnings of names")
    parser.add_argument("--quick", action="store_true", help="two sizes, once, short windows")
    parser.add_argument("--json", type=Path, help="write everything there")
    parser.add_argument("--markdown", type=Path, help="write the tables there")
    parser.add_argument(
        "--from",
        type=Path,
        nargs="+",
        dest="sources",
        metavar="FILE",
        help="measure nothing, read runs; what several files have is taken from the last",
    )
    arguments = parser.parse_args()
    if arguments.sources:
        runs = read([json.loads(source.read_text())["runs"] for source in arguments.sources])
    else:
        sizes = [int(s) for s in arguments.sizes.split(",")] if arguments.sizes else []
        repeats = arguments.repeats or (1 if arguments.quick else 3)
        seconds = arguments.seconds or (0.5 if arguments.quick else 2.0)
        adopt()
        runs, failures = measure_all(
            present(chosen(arguments.rivals)),
            sizes or list(QUICK if arguments.quick else SIZES),
            repeats,
            seconds,
            arguments.pace,
        )
    cells = medians(runs)
    sizes = sorted({size for by_size in runs.values() for size in by_size})
    for table in tables(cells, sizes):
        Console(width=max(130, shown.width)).print(table)
    if arguments.markdown:
        arguments.markdown.write_text(markdown(cells, sizes))
    if arguments.json and not arguments.sources:
        result = {
            "machine": {"cores": os.cpu_count(), "system": platform.platform()},
            "python": sys.version.split()[0],
            "versions": {name: _version(name) for name in PACKAGES},
            "repeats": repeats,
            "seconds": seconds,
            "wanted": wanted(cells),
            "medians": cells,
            "runs": runs,
            "failures": failures,
        }
        arguments.json.write_text(json.dumps(result, indent=2, default=asdict) + "\n")


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


if __name__ == "__main__":
    main()
