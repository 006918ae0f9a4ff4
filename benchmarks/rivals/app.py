"""holoflow as it is used: an app of two fragments, run by `holoflow run`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from rivals.fragments import HOSTS, await_prepared, prepare
from rivals.job import Job


def run(job: Job) -> None:
    """Run both fragments in one command."""
    _run(job, prepare(job))


def receive(job: Job) -> None:
    """Run the receiving fragment, as on a host of its own."""
    _run(job, prepare(job), "receiving")


def send(job: Job) -> None:
    """Run the sending fragment, as on a host of its own."""
    _run(job, await_prepared(job), "sending")


def _run(job: Job, app: Path, fragment: str | None = None) -> None:
    command = [sys.executable, "-m", "holoflow", "run", str(app), "--no-web"]
    command += ["--output", str(job.path / f"run-{fragment}")]
    if fragment is not None:
        command += ["--fragment", fragment]
        command += [f"--host={name}=127.0.0.1" for name in sorted(HOSTS.values())]
    os.execv(sys.executable, command)
