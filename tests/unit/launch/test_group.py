"""The processes of a fragment, with all that they start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from support.launched import wait_for

from holoflow.launch.group import confined, exit_status, kill_group, own_memory, reap
from holoflow.launch.reaper import VARIABLE, marked

SLEEP = "import time; print('there', flush=True); time.sleep(1000)"
FAMILY = f"""
import subprocess, sys, time
for apart in (False, True):
    command = [sys.executable, "-S", "-c", {SLEEP!r}]
    made = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=apart)
    made.stdout.readline()
    print(made.pid)
print("there", flush=True)
time.sleep(1000)
"""
MARK = f"test{os.getpid()}/a/0/"


@pytest.fixture
def start() -> Iterator[object]:
    started = []

    def start(code: str) -> tuple[subprocess.Popen[str], list[int]]:
        process = subprocess.Popen(
            [sys.executable, "-S", "-c", code], stdout=subprocess.PIPE, text=True,
            env={**os.environ, VARIABLE: MARK}, start_new_session=True,
        )  # fmt: skip
        started.append(process)
        said = list(iter(process.stdout.readline, "there\n"))  # type: ignore[union-attr]
        return process, [int(line) for line in said]

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def gone(number: int) -> bool:
    try:
        with open(f"/proc/{number}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_who_has_left_the_group_is_killed_too(start) -> None:
    process, others = start(FAMILY)
    assert sorted(marked(MARK)) == sorted([process.pid, *others])
    assert marked(f"{MARK}1") == marked("other/") == []
    killed = kill_group(process.pid, MARK)
    process.wait()
    reap(process.pid, killed)
    assert process.returncode == -signal.SIGKILL
    assert len(others) == 2
    wait_for(lambda: all(map(gone, others)))
    assert marked(MARK) == []


# An operator's process that starts one which nothing in its environment tells of, and ends.
ORPHANS = f"""
import os, subprocess, sys
from holoflow.launch import group
group.adopt_orphans()
own = subprocess.Popen([sys.executable, "-S", "-c", {SLEEP!r}], stdout=subprocess.DEVNULL)
before = frozenset(group.children())
code = "import subprocess, sys; made = subprocess.Popen([sys.executable, '-S', '-c', sys.argv[1]],"
code += "env={{}}, start_new_session=True, stdout=subprocess.PIPE); made.stdout.readline()"
code += "; print(made.pid, flush=True)"
family = subprocess.run([sys.executable, "-c", code, {FAMILY!r}], stdout=subprocess.PIPE, text=True)
print(family.stdout, *set(group.children()) - before)
group.end_adopted(before)
print(own.poll(), set(group.children()) == before)
own.kill()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="orphans are adopted on Linux only")
def test_orphans_that_hide_are_found_by_who_adopts_them() -> None:
    ran = subprocess.run([sys.executable, "-c", ORPHANS], capture_output=True, text=True)
    adopted, _, kept, whole = ran.stdout.split() if not ran.stderr else (ran.stderr,) * 4
    assert gone(int(adopted))
    assert (kept, whole) == ("None", "True")


def test_an_exit_status_is_seen_before_the_process_is_reaped(start) -> None:
    process, _ = start(SLEEP)
    assert exit_status(process.pid) is None
    os.kill(process.pid, signal.SIGTERM)
    assert wait_for(lambda: exit_status(process.pid)) == -signal.SIGTERM
    assert exit_status(process.pid) == -signal.SIGTERM
    process, _ = start("print('there'); raise SystemExit(3)")
    assert wait_for(lambda: exit_status(process.pid)) == 3


def test_memory_is_that_of_the_group(start) -> None:
    held = "held = bytearray(50_000_000); held[::4096] = held[::4096]\n"
    child = f"subprocess.Popen([sys.executable, '-S', '-c', {held + SLEEP!r}])\n"
    process, _ = start(f"import subprocess, sys, time\n{held}{child}time.sleep(1000)")
    assert own_memory(process.pid) > 50e6
    assert wait_for(lambda: own_memory(process.pid) > 100e6)
    assert own_memory(process.pid) < 200e6


def test_what_is_started_uses_the_cores_it_is_given() -> None:
    there = os.sched_getaffinity(0)
    core = min(there)
    code = "import os; print(sorted(os.sched_getaffinity(0)))"
    with confined(frozenset({core})):
        said = subprocess.check_output([sys.executable, "-S", "-c", code], text=True)
    assert said == f"[{core}]\n"
    assert os.sched_getaffinity(0) == there
