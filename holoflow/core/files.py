"""Files that are written whole or not at all, and where relative paths are taken from."""

from __future__ import annotations

import contextlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator, Field


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


@dataclass(frozen=True)
class InputPathMarker:
    """Marks a parameter that names something to read."""


def _text(value: Any) -> Any:
    """Return the text of a `pathlib.Path`, as Python code may give it; all else as it is."""
    return str(value) if isinstance(value, PurePath) else value


InputPath: TypeAlias = Annotated[
    str, InputPathMarker(), BeforeValidator(_text), Field(json_schema_extra={"format": "path"})
]
"""A file or folder to read, or a URL.

In an app file a relative path is meant from the app's folder, or, if it is not there, from the
current one; a missing file is a mistake of the app, found before anything starts. Python code
may give a `pathlib.Path`, which becomes a str.
"""

OutputPath: TypeAlias = Annotated[
    str, BeforeValidator(_text), Field(json_schema_extra={"format": "path"})
]
"""A file to write, relative to `Operator.context.output`; a str, as an `InputPath` is."""
