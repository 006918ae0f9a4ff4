"""Files that are there whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path


def write_whole(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Write `content` to `path`, in the place of what is there once all of it is on the disk.

    Whatever fails, `path` is as it was. Raises OSError.
    """
    half = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        opened = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with open(opened, "wb") as file:
            file.write(content)
        half.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            half.unlink()
        raise
