"""Paths in parameters: where they are meant from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, TypeAlias

from pydantic import Field


@dataclass(frozen=True)
class InputPathMarker:
    """Marks a parameter that names something to read."""


InputPath: TypeAlias = Annotated[
    str, InputPathMarker(), Field(json_schema_extra={"format": "path"})
]
"""A file or folder to read, or a URL.

In an app file a relative path is meant from the app's folder, or, if it is not there, from the
current one; a missing file is a mistake of the app, found before anything starts.
"""

OutputPath: TypeAlias = Annotated[str, Field(json_schema_extra={"format": "path"})]
"""A file to write, relative to `Operator.context.output`."""
