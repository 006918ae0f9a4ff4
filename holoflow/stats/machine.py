"""Sampling of the process and its machine during a run, and the history of a run for curves.

The thread that samples waits most of the time. How late it wakes up shows how long the threads of
the run have to wait: for a core, which Linux counts, and for Python's interpreter lock, which is
the rest.
"""

from __future__ import annotations

import ctypes
import functools
import math
import os
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from holoflow.stats.histogram import Histogram
from holoflow.stats.snapshot import MachineStats, Sample, Snapshot

NOTICEABLE = 1_000_000
"""Nanoseconds after which waiting for the interpreter lock is noticeable. Threads that release it
by themselves do so in far less time; those that compute in Python are made to after 5 ms."""
INTERVAL = 0.1
"""Seconds between two readings of all threads."""
MOST_THREADS = 256
"""Threads that are read; any others are ignored."""
_TASKS = "/proc/self/task"


class MachineProbe:
    """Samples the process and its machine. All calls come from one thread.

    A sample takes about 6 µs, a reading of all threads 4 µs for each. If the system does not
    report how long threads wait for a core, `gil` and `crowded` stay None.
    """

    def __init__(self) -> None:
        self._threads = _Threads()
        self.begin()

    def begin(self) -> None:
        """Start anew, discarding earlier samples."""
        self._samples = self._late = 0
        self._run = self._waited = 0
        self._cpu = time.process_time()
        self._threads.read()
        self._last_read = time.monotonic()

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait for `event` for at most `seconds`, taking a sample; return whether it was set."""
        own = threading.get_native_id()
        before = self._threads.times(own)
        asked = time.monotonic_ns()
        if event.wait(seconds):
            return True
        late = time.monotonic_ns() - asked - round(seconds * 1e9)
        after = self._threads.times(own)
        if before is not None and after is not None:
            self._samples += 1
            self._late += late - (after[1] - before[1]) > NOTICEABLE
        if time.monotonic() - self._last_read > INTERVAL:
            self._read()
        return False

    def machine(self) -> MachineStats:
        """Return the statistics since `begin`; `memory` is the current value."""
        self._read()
        ready = self._run + self._waited
        return MachineStats(
            cores=cores(),
            cpu=time.process_time() - self._cpu,
            memory=memory(),
            gil=self._late / self._samples if self._samples else None,
            crowded=self._waited / ready if ready else None,
        )

    def close(self) -> None:
        """Close the files that are kept open; a later reading opens them again."""
        self._threads.close()

    def _read(self) -> None:
        run, waited = self._threads.read()
        self._run += run
        self._waited += waited
        self._last_read = time.monotonic()


class _Threads:
    """How long the threads of the process have run and waited for a core, in nanoseconds."""

    def __init__(self) -> None:
        self._files: dict[int, int] = {}
        """File descriptor of each thread's statistics, kept open."""
        self._seen: dict[int, tuple[int, int]] = {}
        self._buffer = ctypes.create_string_buffer(128)

    def read(self) -> tuple[int, int]:
        """Return (run, waited) of all threads together since the last reading."""
        run = waited = 0
        seen = {}
        for thread in _all_threads()[:MOST_THREADS]:
            times = self.times(thread)
            if times is not None:
                before = self._seen.get(thread, (0, 0))
                run += max(times[0] - before[0], 0)
                waited += max(times[1] - before[1], 0)
                seen[thread] = times
        for thread in self._files.keys() - seen.keys():
            os.close(self._files.pop(thread))
        self._seen = seen
        return run, waited

    def close(self) -> None:
        while self._files:
            os.close(self._files.popitem()[1])

    def times(self, thread: int) -> tuple[int, int] | None:
        """Return (run, waited) of `thread` since it started; None if that is unknown."""
        file = self._files.get(thread)
        if file is None:
            try:
                file = os.open(f"{_TASKS}/{thread}/schedstat", os.O_RDONLY)
            except OSError:
                return None
            self._files[thread] = file
        size = _pread()(file, self._buffer, len(self._buffer), 0)
        fields = self._buffer.raw[: max(size, 0)].split()
        return (int(fields[0]), int(fields[1])) if len(fields) == 3 else None


@functools.cache
def _pread() -> Any:
    """Return the C library's pread, called without releasing the interpreter lock.

    Getting the lock back after each file would take 5 ms while a thread computes in Python.
    """
    pread = ctypes.PyDLL(None).pread
    pread.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_longlong]
    pread.restype = ctypes.c_ssize_t
    return pread


def _all_threads() -> list[int]:
    try:
        return [int(name) for name in os.listdir(_TASKS)]
    except OSError:
        return []


def cores() -> int:
    """Return how many CPU cores the process may use, with a container's limit rounded up."""
    try:
        free = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        free = os.cpu_count() or 1
    return min(free, _quota("/sys/fs/cgroup/cpu.max") or free)


def _quota(file: str) -> int | None:
    """Return how many cores `file` of a control group allows; None if it sets no limit."""
    try:
        quota, period = Path(file).read_text().split()
        return math.ceil(int(quota) / int(period))
    except (OSError, ValueError, ZeroDivisionError):
        return None


def memory() -> int:
    """Return the bytes of memory in use; outside Linux the largest value so far."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        pass
    try:
        import resource
    except ImportError:
        return 0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


MOST_SAMPLES = 240
"""Samples kept; when there are more, pairs of neighbours become one."""


class History:
    """Samples of a run, never more than `MOST_SAMPLES`."""

    def __init__(self) -> None:
        self.samples: tuple[Sample, ...] = ()
        self._frames: Mapping[str, int] = {}
        self._dropped: Mapping[str, int] = {}
        self._seconds = 0.0

    def add(self, snapshot: Snapshot, latency: Mapping[str, Histogram]) -> None:
        """Add a sample of what has changed since the last call.

        Args:
            snapshot: The current statistics.
            latency: End-to-end times of the frames since the last call, by path.
        """
        span = snapshot.seconds - self._seconds
        if span <= 0:
            return
        frames = {b.name: b.frames for b in snapshot.operators if b.frames is not None}
        dropped = {stats.name: stats.lost for stats in snapshot.flows}
        sample = Sample(
            seconds=snapshot.seconds,
            span=span,
            frames=_differences(frames, self._frames),
            depth={b.name: float(b.waiting) for b in snapshot.flows if b.queue},
            dropped=_differences(dropped, self._dropped),
            latency=latency,
        )
        self._frames, self._dropped, self._seconds = frames, dropped, snapshot.seconds
        samples = (*self.samples, sample)
        if len(samples) > MOST_SAMPLES:
            rest = samples[len(samples) // 2 * 2 :]
            pairs = zip(samples[::2], samples[1::2], strict=False)
            samples = (*(_join(a, b) for a, b in pairs), *rest)
        self.samples = samples


def _differences(now: Mapping[str, int], before: Mapping[str, int]) -> dict[str, int]:
    return {name: count - before.get(name, 0) for name, count in now.items()}


def _sum(a: Mapping[str, int], b: Mapping[str, int]) -> dict[str, int]:
    return {name: a.get(name, 0) + b.get(name, 0) for name in {**a, **b}}


def _join(a: Sample, b: Sample) -> Sample:
    """Return two successive samples as one."""
    latency = {name: times.copy() for name, times in a.latency.items()}
    for name, times in b.latency.items():
        latency.setdefault(name, Histogram()).merge(times)
    return Sample(
        seconds=b.seconds,
        span=a.span + b.span,
        frames=_sum(a.frames, b.frames),
        depth={n: max(a.depth.get(n, 0.0), b.depth.get(n, 0.0)) for n in {**a.depth, **b.depth}},
        dropped=_sum(a.dropped, b.dropped),
        latency=latency,
    )
