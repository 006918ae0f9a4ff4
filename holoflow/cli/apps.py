"""Finding the file of an app: by path, or by the name of one that ships or that a plugin adds."""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from holoflow.core.errors import HoloflowError
from holoflow.core.text import nearest

if TYPE_CHECKING:
    from holoflow.app.plugins import Offer

APP_FILE = "app.yaml"


class UnknownAppError(HoloflowError):
    """There is no app of that path or name."""


def shipped() -> Path:
    """Return the folder of the apps that ship with holoflow, with one folder per app."""
    return Path(str(files("holoflow") / "apps"))


def offered() -> Offer:
    """Return the apps that plugins add."""
    from holoflow.app import plugins

    return plugins.offered(plugins.APPS, frozenset(_shipped()))


def _shipped() -> list[str]:
    return [path.parent.name for path in shipped().glob(f"*/{APP_FILE}")]


def names() -> list[str]:
    """Return the names of the apps that ship with holoflow and that plugins add, sorted."""
    return sorted((*_shipped(), *offered().entries))


def find(name_or_path: str) -> Path:
    """Return the YAML file of an app.

    The file system takes precedence over names, so that a copy of a shipped app in a folder of its
    name can be edited.

    Args:
        name_or_path: The path of a YAML file or of a folder with an `app.yaml`, or the name of an
            app that ships or that a plugin adds. A name may be followed by that of another file of
            the app: `faces/apart` for `faces/apart.yaml`.

    Raises:
        UnknownAppError: There is no such app.
        PluginError: The app of a plugin is missing.
    """
    # os.path treats a name that cannot be a path (too long, a zero byte) as missing
    inside = Path(name_or_path) / APP_FILE
    if os.path.isfile(inside):
        return inside
    if os.path.exists(name_or_path) and not os.path.isdir(name_or_path):
        return Path(name_or_path)
    for file in shipped().glob("*/*.yaml"):
        if name_or_path == f"{file.parent.name}/{file.stem}":
            return file
    if name_or_path in _shipped():
        return shipped() / name_or_path / APP_FILE
    added = _find_added(name_or_path)
    if added is not None:
        return added
    raise _unknown(name_or_path, names())


def _find_added(name: str) -> Path | None:
    """Return the file of an app that a plugin adds, or another file beside it."""
    from holoflow.app.plugins import file_of

    offer = offered()
    folder, _, beside = name.partition("/")
    if folder in offer.refused:
        raise offer.refused[folder]
    if folder not in offer.entries:
        return None
    file = file_of(offer.entries[folder])
    others = {path.stem: path for path in file.parent.glob("*.yaml")}
    return others.get(beside) if beside else file


def _unknown(name_or_path: str, known: list[str]) -> UnknownAppError:
    path = Path(name_or_path)
    if os.path.isdir(name_or_path):
        wrong = f"folder {name_or_path!r} has no {APP_FILE}"
    elif path.suffix in (".yaml", ".yml") or len(path.parts) > 1:
        wrong = f"there is no file {name_or_path!r}"
    else:
        wrong = f"there is no app {name_or_path!r}"
    meant = nearest(path.name.removesuffix(path.suffix), known)
    return UnknownAppError(
        f"{wrong} (did you mean {meant!r}?)" if meant else wrong,
        "give the path of an app's YAML file or of its folder, "
        f"or one of these apps: {', '.join(known) or 'none'}",
    )
