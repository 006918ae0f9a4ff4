"""What a system runs out of, told from all that can go wrong otherwise."""

from __future__ import annotations

import errno
import os
import resource
from pathlib import Path
from typing import Final

from holoflow.errors import ShortageError

_ERRNOS: Final = frozenset(
    (
        errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EAGAIN,
        errno.ENOBUFS,
    )
)  # fmt: skip
_FEW: Final = 6
"""Descriptors that a library may need at a time for what it then says no reason of."""
_NO_THREAD: Final = "can't start new thread"
"""What Python says, in a RuntimeError, where the system has no thread left."""


def is_shortage(error: BaseException) -> bool:
    """Whether `error` says that the system has run out of something."""
    if isinstance(error, OSError):
        return error.errno in _ERRNOS
    return isinstance(error, MemoryError | ShortageError) or _NO_THREAD in str(error)


def words(error: BaseException) -> str:
    """Return what `error` says, and where the system has run out of something, how to help."""
    if isinstance(error, ShortageError):
        return str(error)
    if isinstance(error, OSError):
        said = (error.strerror or str(error)).lower()
        what = f"{said}: {error.filename}" if error.filename else said
        if error.errno == errno.EMFILE:
            return f"{what} ({_limit()})"
        return what
    if isinstance(error, MemoryError):
        return "no memory left"
    if _NO_THREAD in str(error):
        return f"{_NO_THREAD}: the system, or `ulimit -u`, allows no more of them"
    return str(error)


def require_descriptors() -> None:
    """Raise ShortageError where this process cannot open a few files more."""
    opened: list[int] = []
    try:
        while len(opened) < _FEW:
            opened.append(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        if is_shortage(error):
            error.filename = None
            raise ShortageError(words(error)) from None
    finally:
        for descriptor in opened:
            os.close(descriptor)


def no_memory(folder: Path, size: int, whose: str) -> ShortageError:
    """Return the error that there are no `size` bytes left for `whose` where `folder` is."""
    found = os.statvfs(folder)
    place = next((at for at in (folder, *folder.parents) if at.is_mount()), folder)
    left = found.f_bavail * found.f_frsize
    return ShortageError(
        f"{place} is full: {whose} needs {size:,} bytes, it has {left:,}; "
        "remove what is not needed there, or give it more (of a container: --shm-size=2g)"
    )


def _limit() -> str:
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return f"this process may open {most}; `ulimit -n` says how many, and sets it"
