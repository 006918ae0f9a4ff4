"""What `holoflow predict` predicts against what really happens, on 1, 2 and 3 hosts.

    python benchmarks/prediction.py [--seconds 8] [--cases 0,2] [--json FILE] [--markdown FILE]

Apps of three fragments with known work (operators that sleep, or spin on a core, and messages of
a known size) are run on one host. From that run, and from nothing else that was measured on the
app, rates and latencies are predicted for one, two and three hosts and networks of several
speeds; then each is run. The hosts are network namespaces on this machine, joined by cables with
a bandwidth (`tc … tbf`), so they share its cores, and the predictions are told so.

Needs root, and Debian's iproute2 and util-linux. What links cost is what `holoflow predict
--calibrate` has found on this machine, else what ships with holoflow.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from predicted.cases import CASES, PLACES, Case, document
from rich.console import Console
from rich.table import Table
from support.hosts import Host, hosts, why_not
from support.trials import HOLOFLOW, introduce

from holoflow.app import load
from holoflow.predict.build import Setting
from holoflow.predict.calibration import known_costs
from holoflow.predict.prediction import predict
from holoflow.predict.profile import joined, read_profile
from holoflow.report.run_report import read_report
from holoflow.stats.snapshot import Snapshot

OPERATORS = Path(__file__).with_name("predicted") / "operators.py"
DELAY = 0.00005
"""Seconds from namespace to namespace."""
BURSTS = {"1gbit": "256kb", "200mbit": "32kb", "100mbit": "16kb", "50mbit": "16kb"}
"""What cables let through at once: as little as timers allow that carry the rest at its rate."""
BITS = {"1gbit": 1e9, "200mbit": 2e8, "100mbit": 1e8, "50mbit": 5e7}

shown = Console(stderr=True, highlight=False)


@dataclass(frozen=True)
class Speed:
    """Frames a second at the sink, and latency in seconds."""

    rate: float
    p50: float
    p99: float


@dataclass(frozen=True)
class Compared:
    """A prediction and what came true."""

    case: str
    hosts: int
    bandwidth: str
    predicted: Speed
    measured: Speed
    limit: str
    load: float
    """Of the machine, before the run."""


def main() -> None:
    """Run, predict and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=8.0, help="of each run")
    parser.add_argument("--cases", help="numbers, with commas between")
    parser.add_argument("--json", type=Path, help="write everything there")
    parser.add_argument("--markdown", type=Path, help="write the table there")
    arguments = parser.parse_args()
    if reason := why_not():
        sys.exit(f"there can be no hosts here: {reason}")
    numbers = arguments.cases.split(",") if arguments.cases else range(len(CASES))
    found: list[Compared] = []
    for number in map(int, numbers):
        with tempfile.TemporaryDirectory(prefix="prediction", dir="/tmp") as folder:
            found += compare(CASES[number], Path(folder), arguments.seconds)
    Console(width=max(130, shown.width)).print(table(found))
    if arguments.markdown:
        arguments.markdown.write_text(markdown(found))
    if arguments.json:
        document_ = {
            "cores": os.cpu_count(), "links": known_costs().measured,
            "seconds": arguments.seconds, "compared": [asdict(item) for item in found],
        }  # fmt: skip
        arguments.json.write_text(json.dumps(document_, indent=1) + "\n")


def compare(case: Case, folder: Path, seconds: float) -> list[Compared]:
    """Run a case on one host, predict it from that, and run it on several."""
    found = []
    with hosts(folder, "a", "b", "c") as started:
        by_name = {host.name: host for host in started}
        introduce(*started)
        shown.print(f"{case.name}: one host")
        load_before = os.getloadavg()[0]
        profile = run(case, PLACES[0], by_name, seconds)
        for places in PLACES:
            apart = len(set(places.values()))
            for bandwidth in case.bandwidths if apart > 1 else ("",):
                measured = profile
                if apart > 1:
                    shown.print(f"{case.name}: {apart} hosts, {bandwidth}", style="dim")
                    load_before = os.getloadavg()[0]
                    for host in started:
                        host.cable.limit(bandwidth, burst=BURSTS[bandwidth], queue="4mb")
                    measured = run(case, places, by_name, seconds)
                speed, limit = predicted(case, places, bandwidth or "1gbit", profile, folder)
                real = speed_of(measured)
                found.append(Compared(case.name, apart, bandwidth, speed, real, limit, load_before))
                shown.print(f"  {found[-1]}", style="dim")
    return found


def run(
    case: Case, places: Mapping[str, str], by_name: dict[str, Host], seconds: float
) -> Snapshot:
    """Run the app with its fragments at `places`, and return what all hosts know of it."""
    used = list(dict.fromkeys(places.values()))
    programs = []
    for name in used:
        host = by_name[name]
        for left in ("app", "run"):
            shutil.rmtree(host.home / left, ignore_errors=True)
        write_app(host.home / "app", case, places)
        command = [str(HOLOFLOW), "run", "app", "--output", "run", "--no-web"]
        command += ["--for", f"{seconds}s"]
        if len(used) > 1:
            command += [w for f, at in places.items() if at == name for w in ("--fragment", f)]
        with (host.home / "log").open("w") as log:
            programs.append((host, host.popen(command, stdout=log, stderr=log)))
    for host, program in programs:
        if program.wait(seconds + 120) != 0:
            raise RuntimeError((host.home / "log").read_text())
    return joined([read_report(by_name[name].home / "run").snapshot for name in used])


def write_app(folder: Path, case: Case, places: Mapping[str, str] | None) -> Path:
    """Write the app into `folder`, and return its file."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(OPERATORS, folder / "operators.py")
    file = folder / "app.yaml"
    file.write_text(json.dumps(document(case, places)))  # JSON is YAML
    return file


def predicted(
    case: Case, places: Mapping[str, str], bandwidth: str, profile: Snapshot, folder: Path
) -> tuple[Speed, str]:
    """Return what is predicted, and what is said to limit it."""
    app = load(write_app(folder / "plan", case, None))
    setting = Setting(
        cores=float(os.cpu_count() or 1), shared=True, bandwidth=BITS[bandwidth], delay=DELAY
    )
    found = predict(app, places, read_profile(profile, app), known_costs(), setting)
    assert found.path is not None
    return Speed(found.rate, found.path.p50, found.path.p99), found.limit.words


def speed_of(snapshot: Snapshot) -> Speed:
    """Return what was measured."""
    (path,) = snapshot.paths
    end = snapshot.operator("end")
    seconds = next(f.seconds for f in snapshot.fragments if end.fragment in f.name.split("+"))
    times = path.end_to_end
    return Speed(end.frames / seconds, times.quantile(0.5), times.quantile(0.99))


def rows(found: list[Compared]) -> list[list[str]]:
    """Return the cells of the table."""
    return [
        [
            item.case, str(item.hosts), item.bandwidth or "-",
            f"{item.predicted.rate:.1f}", f"{item.measured.rate:.1f}",
            f"{item.predicted.rate / item.measured.rate - 1:+.0%}",
            f"{item.predicted.p50 * 1e3:.1f}", f"{item.measured.p50 * 1e3:.1f}",
            f"{item.predicted.p50 / item.measured.p50 - 1:+.0%}",
            f"{item.predicted.p99 * 1e3:.0f}", f"{item.measured.p99 * 1e3:.0f}",
            f"{item.load:.1f}",
        ]
        for item in found
    ]  # fmt: skip


HEADINGS = (
    "app", "hosts", "network", "rate /s", "real", "off", "p50 ms", "real", "off", "p99 ms", "real",
    "load",
)  # fmt: skip


def table(found: list[Compared]) -> Table:
    """Return the comparison as a table."""
    made = Table(title="Predicted and real")
    for heading in HEADINGS:
        made.add_column(heading, justify="left" if heading == "app" else "right")
    for cells in rows(found):
        made.add_row(*cells)
    return made


def markdown(found: list[Compared]) -> str:
    """Return the same as Markdown."""
    lines = [HEADINGS, ["---"] + ["---:"] * (len(HEADINGS) - 1), *rows(found)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


if __name__ == "__main__":
    main()
