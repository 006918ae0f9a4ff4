"""The output folder of a run, locked so that no other run writes there."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import tempfile
from collections.abc import Iterator
from datetime import datetime
from itertools import chain, count
from pathlib import Path

from holoflow.core.errors import HoloflowError, ShortageError, is_shortage


@contextlib.contextmanager
def output_folder(chosen: Path | None, name: str) -> Iterator[Path]:
    """Make the output folder of a run of the app `name`, and lock it for this run.

    The default is a new folder below `runs`. The processes of a run share the folder.

    Raises:
        HoloflowError: The folder cannot be made, or another run writes there.
    """
    folder = _new(name) if chosen is None else chosen
    if chosen is not None:
        _make(chosen, new=False)
        _require_writing(chosen)
    try:
        directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise HoloflowError(f"cannot use the folder {folder}: {error.strerror}") from None
    try:  # the lock is released when the process ends, however it ends
        _lock(directory, folder)
        yield folder
    finally:
        os.close(directory)


def _new(name: str) -> Path:
    started = datetime.now().strftime("%Y%m%d-%H%M%S")
    base = Path("runs") / f"{re.sub(r'[^A-Za-z0-9_-]+', '-', name)}-{started}"
    others = (base.with_name(f"{base.name}-{number}") for number in count(2))
    return next(folder for folder in chain([base], others) if _make(folder, new=True))


def _make(folder: Path, *, new: bool) -> bool:
    """Make `folder`; false if it has to be `new` and is not."""
    try:
        folder.mkdir(parents=True, exist_ok=not new)
    except FileExistsError:
        if new:
            return False
        raise HoloflowError(f"the output folder {folder} is a file", "name a folder") from None
    except OSError as error:
        raise HoloflowError(
            f"cannot make the output folder {folder}: {error.strerror}", "name another"
        ) from None
    return True


def _require_writing(folder: Path) -> None:
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        kind = ShortageError if is_shortage(error) else HoloflowError
        raise kind(
            f"nothing can be written to the output folder {folder}: {error.strerror}",
            "name another",
        ) from None


def _lock(directory: int, folder: Path) -> None:
    try:
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise HoloflowError(
            f"another run{_holder(directory)} writes into the output folder {folder}",
            "name another",
        ) from None
    except OSError:  # a network file system without locks for folders
        pass


def _holder(directory: int) -> str:
    """Return the process that holds the lock, in brackets; empty if the system hides it."""
    about = os.fstat(directory)
    device = f"{os.major(about.st_dev):02x}:{os.minor(about.st_dev):02x}:{about.st_ino}"
    with contextlib.suppress(OSError):
        for line in Path("/proc/locks").read_text().splitlines():
            # 1: FLOCK  ADVISORY  WRITE 12345 08:01:1048 0 EOF
            words = line.split()
            if len(words) == 8 and words[1] == "FLOCK" and words[5] == device and words[4] > "0":
                return f" (process {words[4]})"
    return ""
