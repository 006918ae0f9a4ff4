"""Starting the processes of a measurement, and making sure that nothing of them is left."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from rivals.job import Job

PATIENCE: Final = 5.0
"""Seconds that processes get to end by themselves once all is measured."""
_DIE_WITH_PARENT: Final = 1  # PR_SET_PDEATHSIG
_ADOPT: Final = 36  # PR_SET_CHILD_SUBREAPER


class MeasurementError(Exception):
    """A measurement that gave no result; says why."""


def adopt() -> None:
    """Have processes whose parents die become children of this one, so that it can end them."""
    _control(_ADOPT, 1)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def die_with_parent() -> None:
    """Have this process, and what it becomes, killed when the process that started it dies."""
    _control(_DIE_WITH_PARENT, signal.SIGKILL)


def _control(what: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(what, value, 0, 0, 0)


def measure(job: Job, roles: Sequence[str], deadline: float, hopeless: str = "") -> str:
    """Run `roles` until there is a result, and return it.

    Raises MeasurementError where they end without one, take more than `deadline` seconds, or
    write `hopeless` into their logs, after which they hang.
    """
    with _started(job, roles) as processes:
        end = time.monotonic() + deadline
        while not job.result.exists():
            failed = [p for p in processes if p.poll()]
            if hopeless and any(hopeless in log.read_text(errors="replace") for log in _logs(job)):
                raise MeasurementError(f"hangs: {_last_words(job)}")
            if failed or time.monotonic() > end or all(p.poll() == 0 for p in processes):
                why = f"exit status {failed[0].returncode}" if failed else "no result in time"
                raise MeasurementError(f"{why}: {_last_words(job)}")
            time.sleep(0.02)
        result = job.result.read_text()
        end = time.monotonic() + PATIENCE
        while any(p.poll() is None for p in processes) and time.monotonic() < end:
            time.sleep(0.02)
    return result


@contextmanager
def _started(job: Job, roles: Sequence[str]) -> Iterator[list[subprocess.Popen[bytes]]]:
    processes: list[subprocess.Popen[bytes]] = []
    before = children()
    try:
        processes.extend(_start(job, role) for role in roles)
        yield processes
    finally:
        _end_all(processes, before)


def _start(job: Job, role: str) -> subprocess.Popen[bytes]:
    with (job.path / f"{role}.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "rivals.role", role],
            cwd=job.folder,
            env=job.environment(),
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )


def _end_all(processes: Sequence[subprocess.Popen[bytes]], before: set[int]) -> None:
    """Kill what is left: each process' session, and whatever has got away from it."""
    for process in processes:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    while orphans := children() - before:
        for pid in orphans:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in orphans:
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)


def children() -> set[int]:
    """Return the processes whose parent this one is."""
    found: set[int] = set()
    for task in Path("/proc/self/task").glob("*/children"):
        found.update(int(pid) for pid in task.read_text().split())
    return found


def _logs(job: Job) -> list[Path]:
    return sorted(job.path.glob("*.log"))


def _last_words(job: Job) -> str:
    """Return the last line that says something of each process' log."""
    lines = []
    for log in _logs(job):
        text = log.read_text(errors="replace").strip()
        if text:
            lines.append(f"{log.stem}: {text.splitlines()[-1][:200]}")
    return "; ".join(lines) or "nothing was said"
