"""Writing a folder of files, completely or not at all."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from holoflow.core.errors import HoloflowError
from holoflow.core.files import replacing

IGNORED = ".gitignore"


@dataclass(frozen=True)
class File:
    """A file to write."""

    name: str
    """Its path in the folder."""
    text: str
    mode: int = 0o644
    folder_mode: int = 0o755
    """Mode of the folder that it is in, if that is not the default."""


def write(folder: Path, files: Sequence[File]) -> None:
    """Write `files` into `folder`, which is created if it does not exist.

    Raises:
        HoloflowError: One cannot be written; then none of them has changed.
    """
    try:
        with ExitStack() as all_written:
            for file in files:
                path = folder / file.name
                folder.mkdir(parents=True, exist_ok=True)
                if path.parent != folder:
                    path.parent.mkdir(exist_ok=True)
                    path.parent.chmod(file.folder_mode)
                if path.is_dir():
                    raise HoloflowError(f"cannot write {path}: it is a folder")
                opened = all_written.enter_context(replacing(path))
                opened.write(file.text.encode())
                opened.flush()  # so that a full disk is noticed before any file is replaced
                os.fchmod(opened.fileno(), file.mode)
    except OSError as error:
        where = error.filename or folder
        raise HoloflowError(f"cannot write {where}: {error.strerror}") from None


def read(path: Path) -> str | None:
    """Return the text of a file, or None if it does not exist.

    Raises:
        HoloflowError: It cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise HoloflowError(f"cannot read {path}: {error}") from None


def ignoring(folder: Path, name: str) -> File:
    """Return the folder's `.gitignore` with `name` added to it."""
    lines = (read(folder / IGNORED) or "").splitlines()
    return File(IGNORED, "".join(f"{line}\n" for line in [*lines, *{name}.difference(lines)]))
