"""Paths in parameters: where they are meant from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator, Field


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
