"""The reaper: kills every process of a run whose launcher has died, whatever started it.

It is a process beside each run, which only waits for its standard input to end. It runs as a script
and needs only the standard library, so it starts at once and takes little memory.
"""

import hashlib
import os
import resource
import signal
import sys
from collections.abc import Callable

VARIABLE = "HOLOFLOW_PROCESS"
"""Environment variable with `run/fragment/generation/` in all processes of a fragment, including
those that its operators have started."""
FILE_LOCKS = 10
"""The limit of file locks (RLIMIT_LOCKS), which Linux has ignored since 2.4. It carries the number
of the run: unlike the environment and the session, every program that is started keeps it."""
REGULAR_END = b"."
"""What the launcher writes when nothing is left for the reaper to do."""
ROUNDS = 20
"""How often processes are searched: those being killed may still start others."""


def marked(mark: str) -> list[int]:
    """Return the other processes whose `VARIABLE` begins with `mark`."""
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
    """Return the number of `run`, which its processes have as their limit of file locks."""
    return int.from_bytes(hashlib.sha256(run.encode()).digest()[:7], "big") | 1 << 60


def mark_by_limit(run: str) -> None:
    """Give this process, and everything that it starts, the number of `run`."""
    if sys.platform == "linux":
        _, hard = resource.getrlimit(FILE_LOCKS)
        most = number_of(run)
        if hard == resource.RLIM_INFINITY or hard >= most:
            resource.setrlimit(FILE_LOCKS, (most, hard))


def numbered(run: str) -> list[int]:
    """Return the other processes that have the number of `run`."""
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
    """Kill all processes whose `VARIABLE` begins with `mark`; return their process ids."""
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
    """Wait for the launcher's end; the argument is the name of the run."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    last = b""
    while received := os.read(0, 64):
        last = received
    if last.endswith(REGULAR_END):
        return
    kill_marked(f"{sys.argv[1]}/")
    kill_numbered(sys.argv[1])
    # Shared memory that the run has left is removed in the same way as by the next run.
    os.execv(sys.executable, [sys.executable, "-m", "holoflow.launch.run_folder"])  # noqa: S606


if __name__ == "__main__":
    main()
