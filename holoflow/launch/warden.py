"""Ends what is left of a run whose launcher has died: no process outlives it, whoever made it.

A process of its own beside each run, which only waits for its standard input to end. It is run
as a script, and so needs the standard library alone: it is there at once and takes little memory.
"""

import os
import signal
import sys

VARIABLE = "HOLOFLOW_PROCESS"
"""Environment variable that says `run/fragment/incarnation/` in all processes of a fragment, also
in those that its operators have started."""
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


def kill_marked(mark: str) -> list[int]:
    """Kill all processes whose `VARIABLE` begins with `mark`; returns their numbers."""
    killed: list[int] = []
    for _ in range(ROUNDS):
        left = marked(mark)
        if not left:
            break
        for number in left:
            try:
                os.kill(number, signal.SIGKILL)
            except ProcessLookupError:
                continue
            killed.append(number)
    return killed


def main() -> None:
    """Wait for the launcher's end; the argument is the run's name."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    last = b""
    while said := os.read(0, 64):
        last = said
    if last.endswith(GOOD_END):
        return
    kill_marked(f"{sys.argv[1]}/")
    # What the run has left in memory that is shared goes the same way as at the next run.
    os.execv(sys.executable, [sys.executable, "-m", "holoflow.launch.folder"])  # noqa: S606


if __name__ == "__main__":
    main()
