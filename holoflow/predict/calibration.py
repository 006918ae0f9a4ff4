"""Measuring what links cost on this machine, with small apps."""

from __future__ import annotations

import json
import os
import platform
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final, get_args

from holoflow.assets.fetching import cache_folder
from holoflow.core.errors import HoloflowError
from holoflow.core.files import write_whole
from holoflow.link.keys import KeyStore
from holoflow.predict.costs import (
    MEASURED,
    Costs,
    LinearCost,
    LinkCosts,
    LinkName,
    plain_costs,
    read_costs,
)
from holoflow.predict.profile import joined
from holoflow.report.run_report import read_report
from holoflow.stats.snapshot import Snapshot

QUEUE = 8
_HOSTS = {"sending": "there", "receiving": "here"}
_PATIENCE = 60.0


def run_trial(
    folder: Path, link: LinkName | None, size: int, rate: float, seconds: float
) -> Snapshot:
    """Run an app of two operators, and return its statistics.

    Args:
        folder: Where the app and its output are written.
        link: The link between the operators; None keeps both in one process, in separate stages.
        size: Bytes of a message.
        rate: Messages per second; 0 sends as fast as possible.
        seconds: For how long it runs.

    Raises:
        HoloflowError: A process fails or does not end.
    """
    folder.mkdir(parents=True)
    apart = link in ("zeromq", "zeromq_encrypted")
    (folder / "app.yaml").write_text(json.dumps(_app(link, size, rate)))  # JSON is YAML
    environment = dict(os.environ)
    if apart:
        environment["HOLOFLOW_KEYS"] = str(folder / "keys")
        keys = KeyStore(folder / "keys")
        own = keys.create("here")
        for host in _HOSTS.values():
            keys.allow(host, own.public)
    parts: list[list[str]] = [["--fuse", "off"]]
    if apart:
        parts = [
            ["--fragment", name, *(f"--host={host}=127.0.0.1" for host in _HOSTS.values())]
            for name in _HOSTS
        ]
    runs = [folder / f"run-{number}" for number in range(len(parts))]
    commands = [_command(folder, run, seconds, part) for run, part in zip(runs, parts, strict=True)]
    _run(commands, environment)
    return joined([read_report(run).snapshot for run in runs])


def _app(link: LinkName | None, size: int, rate: float) -> dict[str, Any]:
    flow: dict[str, Any] = {"from": "send", "queue": QUEUE}
    fragments: dict[str, dict[str, Any]] = {
        "sending": {"operators": ["send"]},
        "receiving": {"operators": ["receive"]},
    }
    if link is not None:
        flow["link"] = "shared_memory" if link == "shared_memory" else "zeromq"
    if link in ("zeromq", "zeromq_encrypted"):
        flow["encrypt"] = link == "zeromq_encrypted"
        for name, host in _HOSTS.items():
            fragments[name]["host"] = host
        fragments["receiving"]["port"] = _free_port()
    where = f"{__package__}.calibration_operators"
    return {
        "app": "calibration",
        "operators": {
            "send": {"type": f"{where}:SendOp", "with": {"size": size, "rate": rate}},
            "receive": {"type": f"{where}:ReceiveOp", "inputs": {"array": flow}},
        },
        **({} if link is None else {"fragments": fragments}),
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _command(folder: Path, run: Path, seconds: float, options: Sequence[str]) -> list[str]:
    command = [sys.executable, "-m", "holoflow", "run", str(folder), "--no-web"]
    return [*command, "--output", str(run), "--for", f"{seconds}s", *options]


def _run(commands: Sequence[Sequence[str]], environment: dict[str, str]) -> None:
    programs = [
        subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for command in commands
    ]
    try:
        for program in programs:
            said, _ = program.communicate(timeout=_PATIENCE)
            if program.returncode != 0:
                raise HoloflowError(f"a run that measures links failed:\n{said.strip()}")
    except subprocess.TimeoutExpired:
        raise HoloflowError("a run that measures links does not end") from None
    finally:
        for program in programs:
            if program.poll() is None:
                program.kill()
                program.wait()


UNDISTURBED: Final = 0.1
"""Quantile of a latency that is used: higher ones are affected by other programs."""


@dataclass(frozen=True)
class Trial:
    """Two runs with messages of one size."""

    size: int
    """Bytes."""
    full: Snapshot
    """As fast as possible."""
    calm: Snapshot
    """At a rate at which nothing waits."""


@dataclass(frozen=True)
class CostPoint:
    """Seconds per message of one size."""

    size: int
    send: float
    receive: float
    out: float
    into: float
    latency: float


def reckon(alone: Trial, trials: Mapping[LinkName, Sequence[Trial]], measured: str) -> Costs:
    """Return the costs of links.

    Args:
        alone: A trial with both operators in one process.
        trials: For each link two trials, with small and with large messages.
        measured: Says where and when.
    """
    (process,) = alone.full.fragments
    calls = sum(stats.calls for stats in alone.full.operators)
    overhead = stage_cpu(alone.full, process.name) / max(calls, 1)
    idle = min(
        background(small.calm, fragment.name)
        for small, _ in trials.values()
        for fragment in small.calm.fragments
    )
    wake = alone.calm.operator("receive").waits.quantile(UNDISTURBED)
    return Costs(
        measured=measured,
        overhead=overhead,
        wake=wake,
        background=idle,
        links={
            name: link_costs(
                *(point(trial, overhead, idle) for trial in both), known=wake + overhead
            )
            for name, both in trials.items()
        },
    )


def stage_cpu(snapshot: Snapshot, fragment: str) -> float:
    """Return the CPU seconds of the stages of `fragment` beyond those of their operators."""
    own = [stats for stats in snapshot.operators if stats.fragment in fragment.split("+")]
    busy = sum(stats.busy for stats in own)
    share = sum((1.0 if b.cpu is None else b.cpu) * b.busy for b in own) / busy if busy else 1.0
    return max(_ticks(snapshot, fragment) * share - busy * share, 0.0)


def background(snapshot: Snapshot, fragment: str) -> float:
    """Return how many cores the process of `fragment` kept busy besides its stages."""
    (process,) = [stats for stats in snapshot.fragments if stats.name == fragment]
    return max(process.machine.cpu - _ticks(snapshot, fragment), 0.0) / process.seconds


def _ticks(snapshot: Snapshot, fragment: str) -> float:
    """Return the seconds for which the workers of `fragment` were busy."""
    return sum(stats.busy for stats in snapshot.workers if stats.fragment == fragment)


def point(trial: Trial, overhead: float, idle: float) -> CostPoint:
    """Return what a message of this size costs."""
    count = max(trial.full.operator("receive").calls, 1)

    def stage(fragment: str) -> float:
        return max(stage_cpu(trial.full, fragment) / count - overhead, 0.0)

    def beside(fragment: str) -> float:
        (process,) = [stats for stats in trial.full.fragments if stats.name == fragment]
        return max(background(trial.full, fragment) - idle, 0.0) * process.seconds / count

    (path,) = trial.calm.paths
    return CostPoint(
        size=trial.size,
        send=stage("sending"),
        receive=stage("receiving"),
        out=beside("sending"),
        into=beside("receiving"),
        latency=path.end_to_end.quantile(UNDISTURBED) - path.working.quantile(UNDISTURBED),
    )


def link_costs(small: CostPoint, large: CostPoint, *, known: float) -> LinkCosts:
    """Return the costs for messages of any size.

    Args:
        small: Costs of a small message.
        large: Costs of a large message.
        known: Seconds of their latency that every stage adds, with or without a link.
    """

    def line(name: str) -> LinearCost:
        return LinearCost.through(
            (small.size, getattr(small, name)), (large.size, getattr(large, name))
        )

    parts = {name: line(name) for name in ("send", "receive", "out", "into")}
    rests = [
        (end.size, end.latency - known - sum(part.at(end.size) for part in parts.values()))
        for end in (small, large)
    ]
    return LinkCosts(**parts, delay=LinearCost.through(rests[0], rests[1]))


SIZES: Final = (1_000, 4_000_000)
"""Bytes of a small and of a large message."""
CALM: Final = 50.0
"""Messages per second at which nothing waits."""
SECONDS: Final = 2.0
REPEATS: Final = 2
"""Number of runs at full speed, of which the fastest counts."""


def costs_file() -> Path:
    """Return the path of the file with the costs of this machine's links."""
    return cache_folder() / "link-costs.json"


def known_costs() -> Costs:
    """Return the costs that were measured here, or those that ship with holoflow.

    Raises:
        HoloflowError: The file is invalid.
    """
    file = costs_file()
    if not file.exists():
        return MEASURED
    try:
        return read_costs(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, HoloflowError) as error:
        raise HoloflowError(
            f"the costs of links cannot be read: {error}",
            f"measure them again with holoflow predict --calibrate: {file}",
        ) from None


def _came(snapshot: Snapshot) -> int:
    return snapshot.operator("receive").calls


def calibrate(tell: Callable[[str], None]) -> Costs:
    """Measure the links of this machine and save the result; takes about two minutes.

    Args:
        tell: Called with a description of each measurement.

    Raises:
        HoloflowError: A measurement fails.
    """
    links: tuple[LinkName, ...] = get_args(LinkName)
    trials: dict[LinkName, list[Trial]] = {}
    with tempfile.TemporaryDirectory(prefix="holoflow-links-", dir="/tmp") as name:
        folder = Path(name)

        def trial(link: LinkName | None, size: int) -> Trial:
            where = link or "one process"
            tell(f"{where.replace('_', ' ')}, {size:,} bytes")

            def run(rate: float, number: int = 0) -> Snapshot:
                own = folder / f"{where}-{size}-{rate:g}-{number}"
                return run_trial(own, link, size, rate, SECONDS)

            # Other programs make it slower, and nothing makes it faster.
            full = max((run(0.0, number) for number in range(REPEATS)), key=_came)
            return Trial(size, full, run(CALM))

        alone = trial(None, SIZES[0])
        for link in links:
            trials[link] = [trial(link, size) for size in SIZES]
    machine = f"{platform.node()}, {os.cpu_count()} cores, {date.today().isoformat()}"
    costs = reckon(alone, trials, machine)
    file = costs_file()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, f"{json.dumps(plain_costs(costs), indent=1)}\n".encode())
    except OSError as error:
        raise HoloflowError(
            f"the costs of links cannot be written: {error.strerror}: {file}"
        ) from None
    return costs
