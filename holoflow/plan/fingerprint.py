"""Fingerprint of what all processes of an app must agree on, for comparison when they connect."""

from __future__ import annotations

import hashlib
import importlib.metadata
import inspect
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any, Final

from holoflow.core.version import __version__
from holoflow.plan.plan import Plan

_BESIDE: Final = "_holoflow_app_"
"""Prefix of the names of modules beside an app (`app/catalogue.py`)."""
_WHOLE: Final = 32
_PIECE: Final = 6
_MOST: Final = 500
"""Longest text that is sent with a greeting, in characters."""


def digest(plan: Plan) -> str:
    """Return hashes of what all processes of `plan` must have in common.

    They cover the graph, the code and parameters of the operators, the assets and the versions
    of installed packages: equal on all hosts, whichever fragments run there. `difference`
    compares two of them.
    """
    found = pieces(plan)
    whole = _hash(found)[:_WHOLE]
    short = "".join(_hash(found[name])[:_PIECE] for name in sorted(found))
    text = f"{whole}-{_hash(sorted(found))[:_PIECE]}-{short}"
    return text if len(text) <= _MOST else whole


def difference(plan: Plan, other: str) -> str:
    """Return what differs between `plan` and a process with digest `other`; empty if not known."""
    found = sorted(pieces(plan))
    _, _, said = other.partition("-")
    _, _, own = digest(plan).partition("-")
    if not own or own.partition("-")[0] != said.partition("-")[0]:
        return ""  # it has other parts, or too many
    ours, theirs = own.partition("-")[2], said.partition("-")[2]
    at = range(0, len(found) * _PIECE, _PIECE)
    differ = [
        n for n, i in zip(found, at, strict=True) if ours[i : i + _PIECE] != theirs[i : i + _PIECE]
    ]
    return ", ".join(differ)


def pieces(plan: Plan) -> Mapping[str, str]:
    """Return hashes or versions of what processes must agree on, by its name for the user."""
    app = plan.app
    shape = [
        [[name, node.type_name] for name, node in app.operators.items()],
        [[str(f.source), str(f.target), f.queue, f.when_full] for f in plan.flows],
        [[process.fragment, *process.placement.operators] for process in plan.processes],
    ]
    found = {"the graph": json.dumps(shape), "the version of holoflow": __version__}
    folder = app.path.resolve().parent if app.path is not None else None
    for name, node in app.operators.items():
        found[f"the parameters of {name}"] = _hash(_plain(node.parameters))
        for file in _files(node.cls):
            found[_called(file, folder, node.cls)] = _content(file)
        package = node.cls.__module__.partition(".")[0]
        # To find out that no package has a name takes a look at all of them.
        installed = package != "holoflow" and not package.startswith(_BESIDE)
        if installed and (version := _version(package)) is not None:
            found[f"the version of {package}"] = version
    found |= {f"the version of {package.name}": package.version for package in app.plugins}
    for asset in app.assets.values():
        found[f"the asset {asset.name}"] = asset.sha256
    return found


def _files(cls: type) -> Iterator[Path]:
    """Yield the file of a class and, if it is beside an app, the files there that it imports."""
    try:
        own = inspect.getsourcefile(cls)
    except TypeError:  # not defined in a file
        own = None
    if own is not None:
        yield Path(own).resolve()
    package = cls.__module__.rpartition(".")[0]
    if package.startswith(_BESIDE):
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None)
            if name.startswith(f"{package}.") and file is not None:
                yield Path(file).resolve()


def _called(file: Path, folder: Path | None, cls: type) -> str:
    """Return a name for a file of operators that is the same on all hosts."""
    if folder is not None and file.is_relative_to(folder):
        return str(file.relative_to(folder))
    return file.name if cls.__module__.startswith(_BESIDE) else cls.__module__


def _content(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return ""


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _plain(value: Any) -> Any:
    """Return a parameter as it is on every host: only the last part of a path."""
    if isinstance(value, Mapping):
        return [[str(key), _plain(inner)] for key, inner in value.items()]
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, PurePath) or (isinstance(value, str) and value.startswith("/")):
        return PurePath(value).name
    return repr(value)


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
