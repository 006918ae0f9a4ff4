"""The processes of a fragment: its own, and those that its operators have started."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from holoflow.core.processes import SUBREAPER, prctl
from holoflow.launch.reaper import ROUNDS, kill_marked

REAPING = 2.0
"""Seconds that killed processes have to vanish."""


def adopt_orphans() -> None:
    """Become the parent of descendants that lose theirs, so that their end is seen here."""
    prctl(SUBREAPER, 1)


def children() -> list[int]:
    """Return the children of this process, including those that it has adopted."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and _is_child(name)]


def _is_child(name: str) -> bool:
    try:
        with open(f"/proc/{name}/stat", "rb") as file:
            _, parent, *_ = file.read().rpartition(b")")[2].split()
    except OSError:  # gone
        return False
    return int(parent) == os.getpid()


def end_adopted(before: frozenset[int]) -> None:
    """Kill the orphans that this process has adopted, and their descendants.

    They are its children in other sessions that are not among `before`. So a process that an
    operator has started ends with the run even if it has an empty environment and its own session.
    """
    own = os.getsid(0)
    for _ in range(ROUNDS if sys.platform == "linux" else 0):  # their children become ours
        left = [pid for pid in children() if pid not in before and os.getsid(pid) != own]
        for pid in left:
            with contextlib.suppress(PermissionError):  # it belongs to another user now
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
        if not left:
            return


@contextmanager
def confined(cores: frozenset[int]) -> Iterator[None]:
    """Confine everything started in the block to `cores`, from its first instruction on."""
    if sys.platform != "linux":
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def exit_status(pid: int) -> int | None:
    """Return the exit status of the child `pid`, negative for a signal; None while it runs.

    It is not reaped: its process id stays in use, so that its group can still be killed.
    """
    try:
        ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return 0
    if ended is None:
        return None
    return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status


def kill_group(pid: int, mark: str) -> list[int]:
    """Kill the group of the process `pid` and all processes with `mark`; return the latter."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    return kill_marked(mark)


def reap(pid: int, others: list[int]) -> None:
    """Wait until a killed group is gone, and `others`, which had left the group."""
    deadline = time.monotonic() + REAPING
    left = [(os.P_PGID, pid), *((os.P_PID, number) for number in others)]
    while left and time.monotonic() < deadline:
        left = [which for which in left if _waits(*which)]
        if left:
            time.sleep(0.005)


def _waits(kind: int, number: int) -> bool:
    """Reap children; true if some have not ended yet."""
    with contextlib.suppress(ChildProcessError):
        while os.waitid(kind, number, os.WEXITED | os.WNOHANG) is not None:
            pass
        return True
    return False


def own_memory(pid: int) -> int:
    """Return how many bytes of memory the group of `pid` uses, without shared memory."""
    return sum(_anonymous(member) for member in _members(pid))


def _members(pid: int) -> Iterator[int]:
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError):
                if os.getpgid(int(name)) == pid:
                    yield int(name)


def _anonymous(pid: int) -> int:
    with contextlib.suppress(OSError), open(f"/proc/{pid}/status", "rb") as file:
        for line in file:
            if line.startswith(b"RssAnon:"):
                return int(line.split()[1]) * 1024
    return 0
