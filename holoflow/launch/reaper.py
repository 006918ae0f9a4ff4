"""Ends what is left of a run whose launcher has died: no process outlives it, whoever made it.

A process of its own beside each run, which only waits for its standard input to end. It is run
as a script, and so needs the standard library alone: it is there at once and takes little memory.
"""

import hashlib
import os
import resource
import signal
import sys
from collections.abc import Callable

VARIABLE = "HOLOFLOW_PROCESS"
"""Environment variable that says `run/fragment/incarnation/` in all processes of a fragment, also
in those that its operators have started."""
FILE_LOCKS = 10
"""The limit of file locks (RLIMIT_LOCKS), which Linux does not look at since 2.4. It carries a
number of the run: unlike the environment and the session, a program that is started keeps it."""
GOOD_END = b"."
"""What the launcher writes when nothing is left for the warden to do."""
ROUNDS = 20
"""How often processes are looked for: those that are being killed may still start others."""


def marked(mark: str) -> list[int]:
    """Return the processes whose `VARIABLE` begins with `mark`, but for this one."""
    wanted = f"{VARIABLE}={mark}".encode()
    found = []
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():
        if name.isdigit() and int(name) != os.getpid():
            try:
                with open(f"/proc/{name}/environ", "rb") as file:
                    variables = file.read().split(b"\0")
            except OSError:  # another user's, or gone
                continue
            if any(variable.startswith(wanted) for variable in variables):
                found.append(int(name))
    return found


def number_of(run: str) -> int:
    """Return the number of `run` that its processes have as their limit of file locks."""
    return int.from_bytes(hashlib.sha256(run.encode()).digest()[:7], "big") | 1 << 60


def mark_by_limit(run: str) -> None:
    """Give this process, and all that it starts, the number of `run`."""
    if sys.platform == "linux":
        _, hard = resource.getrlimit(FILE_LOCKS)
        most = number_of(run)
        if hard == resource.RLIM_INFINITY or hard >= most:
            resource.setrlimit(FILE_LOCKS, (most, hard))


def numbered(run: str) -> list[int]:
    """Return the processes that have the number of `run`, but for this one."""
    wanted = str(number_of(run)).encode()
    found = []
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():
        if name.isdigit() and int(name) != os.getpid():
            try:
                with open(f"/proc/{name}/limits", "rb") as file:
                    lines = [line.split() for line in file if line.startswith(b"Max file locks")]
                if any(line[3] == wanted for line in lines) and not _is_dead(name):
                    found.append(int(name))
            except OSError:  # gone
                continue
    return found


def _is_dead(name: str) -> bool:
    with open(f"/proc/{name}/stat", "rb") as file:
        return file.read().rpartition(b")")[2].split()[0] in (b"Z", b"X")


def kill_numbered(run: str) -> None:
    """Kill all processes that have the number of `run`."""
    _kill(lambda: numbered(run))


def kill_marked(mark: str) -> list[int]:
    """Kill all processes whose `VARIABLE` begins with `mark`; returns their numbers."""
    return _kill(lambda: marked(mark))


def _kill(find: Callable[[], list[int]]) -> list[int]:
    killed: list[int] = []
    for _ in range(ROUNDS):
        left = find()
        if not left:
            break
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):  # gone, or another user's by now
                continue
            killed.append(pid)
    return killed


def main() -> None:
    """Wait for the launcher's end; the argument is the run's name."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    last = b""
    while said := os.read(0, 64):
        last = said
    if last.endswith(GOOD_END):
        return
    kill_marked(f"{sys.argv[1]}/")
    kill_numbered(sys.argv[1])
    # What the run has left in memory that is shared goes the same way as at the next run.
    os.execv(sys.executable, [sys.executable, "-m", "holoflow.launch.run_folder"])  # noqa: S606


if __name__ == "__main__":
    main()
