"""The private folder of a run on one host: its counters, its sockets, all that vanishes with it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from holoflow.core.errors import HoloflowError, ShortageError, is_shortage
from holoflow.launch import group, reaper
from holoflow.live import sockets

_LOCK = "lock"
_SETTING_UP = 60.0
"""Seconds that a launcher has between making a folder and locking it."""


class RunFolder:
    """A folder that exists, and is locked, as long as its launcher lives."""

    def __init__(self, run: str) -> None:
        """Make the folder of `run`; raises HoloflowError if that is not possible."""
        self.run = run
        base = _own_place()
        self.path = base / run
        made = base / f".{run}"
        try:
            for _ in range(100):
                base.mkdir(mode=0o700, exist_ok=True)
                try:
                    made.mkdir(mode=0o700)
                except FileNotFoundError:  # another run has just removed the empty folder
                    continue
                break
            with sockets.opened(base):
                self._lock = os.open(made / _LOCK, os.O_CREAT | os.O_RDWR, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            made.rename(self.path)
        except OSError as error:
            kind = ShortageError if is_shortage(error) else HoloflowError
            raise kind(f"cannot make the folder of the run: {error.strerror}: {made}") from None

    def remove(self) -> None:
        """Remove the folder, and what the links of the run have left elsewhere."""
        _remove(self.path, self.run)
        with contextlib.suppress(OSError):
            os.close(self._lock)


def place() -> Path:
    """Return the folder of this user's run folders, in memory if the system allows that."""
    if os.access("/dev/shm", os.W_OK | os.X_OK):  # noqa: S108
        return Path(f"/dev/shm/holoflow-{os.getuid()}")  # noqa: S108
    return sockets.places()[0].with_name(f"holoflow-runs-{os.getuid()}")


def _own_place() -> Path:
    """Return `place()`, or a folder beside it if another user has taken that."""
    first = place()
    for there in (first, *_others(first)):
        try:
            if there.lstat().st_uid == os.getuid():
                return there
        except FileNotFoundError:
            return there
    # With a name that cannot be predicted.
    return Path(tempfile.mkdtemp(prefix=f"{first.name}-", dir=first.parent))


def _others(first: Path) -> Iterator[Path]:
    """Yield the folders beside `first` that this user has made instead of it."""
    with contextlib.suppress(OSError):
        for there in sorted(first.parent.glob(f"{first.name}-*")):
            with contextlib.suppress(OSError):
                if there.lstat().st_uid == os.getuid():
                    yield there


def sweep() -> None:
    """Remove what is left of runs whose launcher has died."""
    with contextlib.suppress(HoloflowError):
        for folder in _folders():
            with _locked(folder) as stale:
                if stale:
                    _remove(folder, folder.name.removeprefix("."))


def remove_sockets() -> None:
    """Remove the sockets for watching of killed processes."""
    for there in sockets.places():
        with contextlib.suppress(HoloflowError):
            sockets.clean(there)


def _folders() -> Iterator[Path]:
    first = place()
    for base in (first, *_others(first)):
        with contextlib.suppress(OSError, HoloflowError), sockets.opened(base):
            yield from [
                Path(entry.path)
                for entry in os.scandir(base)
                if entry.is_dir(follow_symlinks=False)
            ]


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Lock a folder; yields whether its launcher is gone."""
    try:
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW)
    except OSError:
        with contextlib.suppress(OSError):
            yield time.time() - folder.stat().st_mtime > _SETTING_UP
            return
        yield False
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        yield False
    else:
        yield True
    finally:
        os.close(lock)


def _remove(folder: Path, run: str) -> None:
    try:
        from holoflow.link.shared_memory import remove_leftovers
    except ImportError:  # no such links here
        pass
    else:
        remove_leftovers(run)
    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):  # other runs have folders there
        folder.parent.rmdir()


if __name__ == "__main__":
    sweep()
    remove_sockets()


@contextmanager
def run_environment(run: str) -> Iterator[RunFolder]:
    """Make the folder of `run`, and ensure that all its processes end even if this one is killed.

    What earlier runs have left is removed first. Raises HoloflowError if the folder cannot be made.
    """
    sweep()
    made = RunFolder(run)
    try:
        with _reaper(run):
            group.adopt_orphans()
            before = frozenset(group.children())
            try:
                yield made
            finally:
                group.end_adopted(before)
                remove_sockets()
    finally:
        made.remove()


@contextmanager
def _reaper(run: str) -> Iterator[None]:
    with subprocess.Popen(
        [sys.executable, "-I", "-S", reaper.__file__, run],
        stdin=subprocess.PIPE,
        bufsize=0,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        yield
        # Not if the block has failed: then the reaper kills what may be left.
        if process.stdin is not None:
            with contextlib.suppress(OSError):  # the reaper was killed
                process.stdin.write(reaper.REGULAR_END)
