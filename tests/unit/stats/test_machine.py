"""What the probe says of real threads and processes, compared with one another."""

from __future__ import annotations

import contextlib
import gc
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pytest
from support.slow_apps import hog

from holoflow.stats import machine
from holoflow.stats.machine import MachineProbe, cores, memory
from holoflow.stats.snapshot import MachineStats

needs_schedstat = pytest.mark.skipif(
    not Path("/proc/self/schedstat").exists(), reason="the kernel does not tell of waits for cores"
)


@contextmanager
def threads(*targets: Callable[[], None]) -> Iterator[None]:
    """Call `targets` over and over, each in a thread of its own."""
    over = threading.Event()

    def repeat(target: Callable[[], None]) -> None:
        while not over.is_set():
            target()

    made = [threading.Thread(target=repeat, args=(target,)) for target in targets]
    for thread in made:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in made:
            thread.join()


def python() -> None:
    end = time.monotonic() + 0.02
    while time.monotonic() < end:
        sum(range(100))


def numpy() -> None:
    np.sin(DATA)


DATA = np.linspace(0, 1, 1_000_000)


def watch(seconds: float = 0.6) -> MachineStats:
    """Watch this process."""
    probe, never = MachineProbe(), threading.Event()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert not probe.wait(never, 0.01)
    return probe.machine()


@needs_schedstat
def test_the_interpreter_lock_is_told_from_code_that_gives_it_up() -> None:
    with threads(python):
        taken = watch()
    with threads(numpy):
        free = watch()
    assert taken.gil is not None
    assert free.gil is not None
    assert taken.gil > 0.8
    assert free.gil < 0.3
    assert free.cpu > 0


@needs_schedstat
def test_busy_programs_crowd_a_machine_and_leave_the_lock_alone() -> None:
    with ExitStack() as stack, threads(numpy):
        for _ in range(3 * cores()):
            stack.enter_context(hog())
        full = watch()
    assert full.crowded is not None
    assert full.gil is not None
    assert full.crowded > 0.4
    assert full.gil < 0.4


def test_an_event_ends_the_wait_and_is_no_sample() -> None:
    probe, over = MachineProbe(), threading.Event()
    over.set()
    assert probe.wait(over, 60)
    assert probe.machine().gil is None


def test_begin_forgets(monkeypatch: pytest.MonkeyPatch) -> None:
    probe = MachineProbe()
    probe.wait(threading.Event(), 0.001)
    monkeypatch.setattr(time, "process_time", lambda: 5.0)
    probe.begin()
    monkeypatch.setattr(time, "process_time", lambda: 7.5)
    assert probe.machine().cpu == 2.5
    assert probe.machine().gil is None


def test_threads_come_and_go_without_leaving_files_open() -> None:
    gc.collect()  # probes of others
    before = watched()
    probe = MachineProbe()
    with threads(*[lambda: time.sleep(0.001)] * 20):
        probe.machine()
        assert watched() > before
    probe.machine()
    while watched() > before + len(os.listdir("/proc/self/task")):
        probe.machine()  # a thread that has been joined is there for a moment yet
    probe.close()
    assert watched() <= before


def watched() -> int:
    """Return how many files of threads are open; others may come and go meanwhile."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            found.append(os.readlink(f"/proc/self/fd/{name}"))
    return sum("/task/" in path for path in found)


def test_what_the_system_does_not_tell_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_TASKS", "/nowhere")
    probe = MachineProbe()
    assert not probe.wait(threading.Event(), 0.001)
    found = probe.machine()
    assert (found.gil, found.crowded) == (None, None)
    assert found.cores >= 1


def test_memory_is_that_of_now() -> None:
    before = memory()
    kept = np.ones(20_000_000)
    assert 100_000_000 < memory() - before < 400_000_000
    assert kept[0] == 1


@pytest.mark.parametrize(
    ("limit", "expected"),
    [("max 100000", None), ("150000 100000", 2), ("50000 100000", 1), ("", None), ("1 0", None)],
)
def test_a_container_s_limit_of_cores(tmp_path: Path, limit: str, expected: int | None) -> None:
    (tmp_path / "cpu.max").write_text(limit)
    assert machine._quota(str(tmp_path / "cpu.max")) == expected


def test_a_machine_without_control_groups_sets_no_limit(tmp_path: Path) -> None:
    assert machine._quota(str(tmp_path / "cpu.max")) is None
