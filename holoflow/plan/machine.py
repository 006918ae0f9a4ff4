"""The machine that the program runs on, as far as fragments may ask for parts of it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Machine:
    """What a process may use here."""

    cores: frozenset[int]
    """Numbers of the CPU cores."""
    gpus: tuple[str, ...]
    """What CUDA calls each GPU (`0`, `GPU-…`), by its number."""
    memory: int
    """Bytes; a container's limit counts."""


def read_machine(root: Path = Path("/"), environment: Mapping[str, str] = os.environ) -> Machine:
    """Look at this machine: its files below `root`, and what `environment` leaves visible."""
    return Machine(_cores(), _gpus(root, environment), _memory(root))


def _cores() -> frozenset[int]:
    try:
        return frozenset(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        return frozenset(range(os.cpu_count() or 1))


def _gpus(root: Path, environment: Mapping[str, str]) -> tuple[str, ...]:
    count = _devices(root / "dev", r"nvidia\d+") or _devices(root / "proc/driver/nvidia/gpus", ".*")
    count = count or _listed()  # such as in WSL, which has neither
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return tuple(map(str, range(count)))
    found = []
    for name in map(str.strip, visible.split(",")):
        # CUDA takes those before the first that it does not know.
        if not (name.startswith(("GPU-", "MIG-")) or (name.isdecimal() and int(name) < count)):
            break
        found.append(name)
    return tuple(found if count else ())


def _devices(folder: Path, pattern: str) -> int:
    try:
        return sum(re.fullmatch(pattern, name) is not None for name in os.listdir(folder))
    except OSError:
        return 0


def _listed() -> int:
    command = shutil.which("nvidia-smi")
    if command is None:
        return 0
    try:
        listed = subprocess.run(
            [command, "-L"], capture_output=True, text=True, timeout=10, check=False
        ).stdout
    except (OSError, subprocess.SubprocessError, UnicodeError):
        return 0
    return sum(line.startswith("GPU ") for line in listed.splitlines())


def _memory(root: Path) -> int:
    there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for file in ("memory.max", "memory/memory.limit_in_bytes"):  # control groups, new and old
        try:
            there = min(there, int((root / "sys/fs/cgroup" / file).read_text()))
        except (OSError, ValueError):  # not there, or no limit
            continue
    return there
