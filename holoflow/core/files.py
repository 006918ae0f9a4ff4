"""Atomic file writing, and the parameter types for paths."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Annotated, Any, BinaryIO, TypeAlias

from pydantic import BeforeValidator, Field


@contextlib.contextmanager
def replacing(path: Path, mode: int = 0o600, *, durable: bool = False) -> Iterator[BinaryIO]:
    """Open a new file beside `path` that takes its place at the end of the block.

    If the block raises, or the program ends within it, `path` is as it was.

    Args:
        path: File to create or replace.
        mode: Permissions of the file, less those that the process's umask takes.
        durable: Whether its bytes are on the disk first, so that no power cut leaves it empty.

    Raises:
        OSError: The file could not be written; `path` is as it was.
    """
    half = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        opened = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with open(opened, "wb") as file:
            yield file
            if durable:
                file.flush()
                os.fsync(opened)
        half.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            half.unlink()
        raise


def write_whole(path: Path, content: bytes, mode: int = 0o600, *, durable: bool = False) -> None:
    """Write `content` to `path` whole or not at all; arguments and errors are `replacing`'s."""
    with replacing(path, mode, durable=durable) as file:
        file.write(content)


@dataclass(frozen=True)
class InputPathMarker:
    """Marks a parameter that names something to read."""


def _text(value: Any) -> Any:
    """Return a `pathlib.Path`, which Python code may pass, as a str; anything else unchanged."""
    return str(value) if isinstance(value, PurePath) else value


InputPath: TypeAlias = Annotated[
    str, InputPathMarker(), BeforeValidator(_text), Field(json_schema_extra={"format": "path"})
]
"""A file or folder to read, or a URL.

In an app file a relative path is relative to the app's folder or, if there is no such file there,
to the current one. A missing file is a mistake in the app, found before anything starts. Python
code may pass a `pathlib.Path`, which becomes a str.
"""

OutputPath: TypeAlias = Annotated[
    str, BeforeValidator(_text), Field(json_schema_extra={"format": "path"})
]
"""A file to write, relative to `Operator.context.output`; a str, like an `InputPath`."""
