"""What the operators of an app need that is not installed, because nobody has declared it."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path

from holoflow.app import load
from holoflow.app.catalogue import extras
from holoflow.app.graph import App, Node
from holoflow.core.errors import AppError, Location, Mistake
from holoflow.core.operator import Operator
from holoflow.deploy.imports import missing

_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+).*;.*\bextra == ['\"]([A-Za-z0-9_-]+)['\"]")


def undeclared(path: Path, settings: Mapping[str, str], types: Mapping[str, str]) -> list[Mistake]:
    """Return what the operators of the app at `path` need and is not there.

    Operators of files are read, not run, so that what they import later is found as well. `types`
    are those of the operators, by name, as far as they are known, for where the app cannot be
    loaded: a module that is missing may be the very reason.
    """
    try:
        app = load(path, settings=settings)
    except AppError:
        files = {name: path.parent / kind.rpartition(":")[0] for name, kind in types.items()}
        return sorted(_imports({n: f for n, f in files.items() if f.suffix == ".py"}, path.parent))
    own = {name: file for name, node in app.operators.items() if (file := _file(node)) is not None}
    return sorted((*_imports(own, path.parent), *_extras(app, path)))


def _file(node: Node) -> Path | None:
    """Return the file of an operator that is named by it."""
    if not node.type_name.startswith((".", "/")):
        return None
    file = getattr(sys.modules.get(node.cls.__module__), "__file__", None)
    return None if file is None else Path(file)


def _imports(files: Mapping[str, Path], folder: Path) -> Iterator[Mistake]:
    seen = set()
    for name, file in files.items():
        for found in missing(Path(os.path.normpath(file))):
            if found not in seen:
                seen.add(found)
                where = Location(os.path.relpath(found.file, folder), found.line, found.column)
                wrong = f"operator {name!r} needs the module {found.module!r}, "
                wrong += "which is not installed"
                yield Mistake(where, wrong, "write it into requirements.txt beside the app")


def _extras(app: App, path: Path) -> Iterator[Mistake]:
    brought = _brought()
    for name, node in app.operators.items():
        for extra in extras(node.cls) if issubclass(node.cls, Operator) else ():
            for library in brought.get(extra, ()):
                if not _is_there(library):
                    wrong = f"operator {name!r} needs {library}, which is not installed"
                    right = f"it comes with holoflow[{extra}]"
                    yield Mistake(node.location or Location(path.name), wrong, right)


def _brought() -> dict[str, list[str]]:
    """Return the libraries that extras of holoflow bring."""
    found: dict[str, list[str]] = {}
    for line in metadata.requires("holoflow") or () if _is_there("holoflow") else ():
        if (matched := _REQUIREMENT.match(line)) and matched[1] != "holoflow":
            found.setdefault(matched[2], []).append(matched[1])
    return found


def _is_there(library: str) -> bool:
    try:
        metadata.distribution(library)
    except metadata.PackageNotFoundError:
        return False
    return True
