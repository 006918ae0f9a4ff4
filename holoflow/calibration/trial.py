"""Running one small app, with its two fragments joined by one kind of link."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from holoflow.errors import HoloflowError
from holoflow.flow.books import Snapshot
from holoflow.flow.report.run_report import read_report
from holoflow.link.keys import KeyStore
from holoflow.plan.simulate.costs import LinkName
from holoflow.plan.simulate.profile import joined

QUEUE = 8
_HOSTS = {"sending": "there", "receiving": "here"}
_PATIENCE = 60.0


def run_trial(
    folder: Path, link: LinkName | None, size: int, rate: float, seconds: float
) -> Snapshot:
    """Run the app for some seconds with messages of `size` bytes, and return its books.

    A `link` of None keeps both operators in one process, in stages of their own. A `rate` of 0
    sends as fast as it goes. Raises HoloflowError where that fails.
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
    where = f"{__package__}.operators"
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
