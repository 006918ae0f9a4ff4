"""What an image contains, as its manifest says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from holoflow.core.errors import HoloflowError

FORMAT = "holoflow image"
VERSION = 1


@dataclass(frozen=True)
class Contents:
    """What is known about an image before its app is read."""

    text: str
    """The manifest."""
    name: str
    """Name of the app."""
    file: str
    """The app's YAML file, in its folder."""
    settings: Mapping[str, str]
    """Settings (`--set`) with which the image was made."""
    fragments: tuple[str, ...]
    types: Mapping[str, str]
    """Types of the operators, by name."""


def read_contents(path: Path) -> Contents:
    """Return what the manifest at `path` says.

    Raises:
        HoloflowError: It cannot be read or is invalid.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise HoloflowError(
            f"this is not an image of an app: its manifest cannot be read: {error}"
        ) from None
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise HoloflowError(f"the manifest {path} is broken: {error}") from None
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise HoloflowError(
            f"{path} is not a manifest of an image", f"its format must be {FORMAT!r}"
        )
    if data.get("version") != VERSION:
        raise HoloflowError(
            f"the manifest {path} has version {data.get('version')!r}; this holoflow reads version "
            f"{VERSION}",
            "package the app again with this holoflow",
        )
    try:
        return _contents(text, data)
    except (KeyError, TypeError, AttributeError) as error:
        cause = f"{type(error).__name__}: {error}"
        raise HoloflowError(f"the manifest {path} is broken: {cause}") from None


def _contents(text: str, data: Mapping[str, Any]) -> Contents:
    app = data["app"]
    return Contents(
        text=text,
        name=str(app["name"]),
        file=str(app["file"]),
        settings={str(key): str(value) for key, value in data["settings"].items()},
        fragments=tuple(map(str, data["fragments"])),
        types={str(op["name"]): str(op["type"]) for op in data["graph"]["operators"]},
    )
