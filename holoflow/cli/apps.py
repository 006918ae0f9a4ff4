"""Which file an app is: a path, or the name of one of the apps that ship with holoflow."""

from __future__ import annotations

import difflib
import os
from importlib.resources import files
from pathlib import Path

from holoflow.errors import HoloflowError

APP_FILE = "app.yaml"


class UnknownAppError(HoloflowError):
    """There is no app of that path or name."""


def shipped() -> Path:
    """Return the folder of the apps that ship with holoflow, one folder an app."""
    return Path(str(files("holoflow") / "apps"))


def names() -> list[str]:
    """Return the names of the apps that ship with holoflow, sorted."""
    return sorted(path.parent.name for path in shipped().glob(f"*/{APP_FILE}"))


def find(name_or_path: str) -> Path:
    """Return the YAML file of an app.

    `name_or_path` is the path of a YAML file, a folder that holds an `app.yaml`, or the name of
    an app that ships, with that of another file beside its own where there is one (`faces/apart`
    for `faces/apart.yaml`). What lies in the file system goes before a name, so that a copy of a
    shipped app in a folder of its name can be worked on. Raises `UnknownAppError`.
    """
    # os.path, because it takes a name that cannot be a path (too long, a zero byte) as not there
    inside = Path(name_or_path) / APP_FILE
    if os.path.isfile(inside):
        return inside
    if os.path.exists(name_or_path) and not os.path.isdir(name_or_path):
        return Path(name_or_path)
    for file in shipped().glob("*/*.yaml"):
        if name_or_path == f"{file.parent.name}/{file.stem}":
            return file
    known = names()
    if name_or_path in known:
        return shipped() / name_or_path / APP_FILE
    raise UnknownAppError(_unknown(name_or_path, known))


def _unknown(name_or_path: str, known: list[str]) -> str:
    path = Path(name_or_path)
    if os.path.isdir(name_or_path):
        wrong = f"folder {name_or_path!r} has no {APP_FILE}"
    elif path.suffix in (".yaml", ".yml") or len(path.parts) > 1:
        wrong = f"there is no file {name_or_path!r}"
    else:
        wrong = f"there is no app {name_or_path!r}"
    near = difflib.get_close_matches(path.name.removesuffix(path.suffix), known, n=3)
    nearest = f" (did you mean {' or '.join(repr(name) for name in near)}?)" if near else ""
    return (
        f"{wrong}{nearest}; give the path of an app's YAML file or of its folder,"
        f" or one of the apps that ship: {', '.join(known) or 'none'}"
    )
