"""Plugins: what installed packages add to holoflow through entry points.

Names are read from the metadata of packages. Nothing in a package is imported before it is used,
and a broken package affects nothing else.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import importlib
import importlib.util
import inspect
import os
import re
import traceback
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from holoflow.app.mistakes import PluginError
from holoflow.core.operator import Operator
from holoflow.core.text import nearest
from holoflow.core.version import __version__


@dataclass(frozen=True)
class Kind:
    """Something that packages can add."""

    group: str
    """The group of its entry points."""
    word: str
    """What users call it."""
    pattern: str
    """Regular expression of its names."""
    example: str
    """A valid name."""


OPERATORS = Kind("holoflow.operators", "operator", r"[a-z]\w*\.[a-z]\w*", "audio.spectrum")
FRAGMENTS = Kind("holoflow.fragments", "fragment template", r"[a-z]\w*", "microphone")
PAYLOADS = Kind("holoflow.payloads", "payload type", r"[A-Za-z]\w*", "Spectrum")
APPS = Kind("holoflow.apps", "app", r"[a-z][\w-]*", "listen")
KINDS = (OPERATORS, FRAGMENTS, PAYLOADS, APPS)


@dataclass(frozen=True, order=True)
class Package:
    """An installed package."""

    name: str
    version: str
    asks: str = ""
    """The holoflow that it requires, such as `holoflow>=0.2`; empty if it does not say."""

    def __str__(self) -> str:
        """Return the name and the version."""
        return f"{self.name} {self.version}"


@dataclass(frozen=True)
class Entry:
    """Something that a package adds."""

    kind: Kind
    name: str
    target: str
    """`package.module:Class` for operators and payload types, `package.folder` for the others."""
    package: Package

    def __str__(self) -> str:
        """Return its kind, name and package."""
        return f"{self.kind.word} {self.name!r} of {self.package}"


@dataclass(frozen=True)
class Offer:
    """Everything of one kind that packages add."""

    entries: Mapping[str, Entry] = field(default_factory=dict)
    refused: Mapping[str, PluginError] = field(default_factory=dict)
    """Names claimed by several packages, or by holoflow itself."""
    problems: tuple[PluginError, ...] = ()
    """All problems, including those of refused names."""


@functools.cache
def offered(kind: Kind, shipped: frozenset[str]) -> Offer:
    """Return what packages add of `kind`; imports nothing.

    `shipped` are the names that holoflow itself has.
    """
    every, unreadable = _installed()
    entries: dict[str, Entry] = {}
    refused: dict[str, PluginError] = {}
    problems = list(unreadable)
    for entry in (entry for entry in every if entry.kind == kind):
        other = entries.get(entry.name)
        if re.fullmatch(kind.pattern, entry.name, re.ASCII) is None:
            right = f"its author has to choose another, such as {kind.example}"
            problems.append(PluginError(f"{entry} has an invalid name", right))
        elif entry.name in shipped:
            wrong = f"{entry} is left out: holoflow itself has one of that name, which is used"
            error = PluginError(wrong, "its author has to choose another name")
            refused.setdefault(entry.name, error)
            problems.append(error)
        elif other is not None:
            wrong = f"{kind.word} {entry.name!r} is in two packages, {other.package} and "
            error = PluginError(f"{wrong}{entry.package}", "uninstall one of them")
            refused[entry.name] = error
            problems.append(error)
        else:
            entries[entry.name] = entry
    usable = {n: entry for n, entry in entries.items() if n not in refused}
    return Offer(usable, refused, tuple(problems))


@functools.cache
def _installed() -> tuple[tuple[Entry, ...], tuple[PluginError, ...]]:
    """Return the entries of all packages, sorted by package, and the packages' problems."""
    entries: list[Entry] = []
    problems: list[PluginError] = []
    seen: set[str] = set()
    groups = {kind.group: kind for kind in KINDS}
    for distribution in metadata.distributions():
        # A broken file must not hide all others, as it would with metadata.entry_points.
        try:
            text = distribution.read_text("entry_points.txt") or ""
            if "[holoflow." not in text.replace(" ", ""):
                continue
            package = _package(distribution)
            if package.name in seen or _hidden(package.name, text):
                continue
            seen.add(package.name)
        except Exception:  # noqa: S112 - a package without a name cannot be reported or used
            continue
        try:
            for point in distribution.entry_points:
                kind = groups.get(point.group)
                if kind is not None:
                    entries.append(Entry(kind, point.name, point.value, package))
        except Exception as error:  # importlib may raise anything for a broken file
            wrong = f"{package} has entry points that cannot be read: {_said(error)}"
            problems.append(PluginError(wrong, f"install {package.name} again, or uninstall it"))
    return tuple(sorted(entries, key=lambda entry: (entry.package, entry.name))), tuple(problems)


def _package(distribution: metadata.Distribution) -> Package:
    name, version = distribution.metadata["Name"], distribution.version
    lines = (re.match(r"holoflow(?![\w.-])[^;]*", line) for line in distribution.requires or ())
    asks = [line[0].strip() for line in lines if line]
    return Package(re.sub(r"[-_.]+", "-", name).lower(), version, asks[0] if asks else "")


def _hidden(name: str, text: str) -> bool:
    """Whether another installation of the package comes earlier on the path."""
    return (metadata.distribution(name).read_text("entry_points.txt") or "") != text


def forget() -> None:
    """Clear the cached metadata, so that it is read again the next time."""
    _installed.cache_clear()
    offered.cache_clear()


# -- operators and payload types -----------------------------------------------------------------


def load_class(entry: Entry) -> Any:
    """Import and return the class that `entry` names.

    Raises:
        PluginError: The import fails, for whatever reason, or the object is not an operator
            class or, for a payload type, not a dataclass.
    """
    from holoflow.holoscan.runtime import preload

    where, _, attribute = entry.target.replace(" ", "").partition(":")
    preload()
    try:
        found: Any = importlib.import_module(where)
        for part in attribute.split("."):
            found = getattr(found, part)
    except (Exception, SystemExit) as error:
        raise _failed(entry, error) from error
    if entry.kind == OPERATORS and not (isinstance(found, type) and issubclass(found, Operator)):
        right = f"{entry.package.name} has to name a class derived from holoflow.Operator"
        raise PluginError(f"{entry} is not an operator: {entry.target}", right)
    if entry.kind == PAYLOADS and not (isinstance(found, type) and dataclasses.is_dataclass(found)):
        right = f"{entry.package.name} has to name a dataclass"
        raise PluginError(f"{entry} is not a payload type: {entry.target}", right)
    return found


def _failed(entry: Entry, error: BaseException) -> PluginError:
    own = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(("<frozen", str(importlib.__file__), __file__))
    ]
    place = f" in {own[-1].filename}:{own[-1].lineno}" if own else ""
    right = f"correct or update {entry.package.name}, or uninstall it"
    asks = entry.package.asks
    if asks not in ("", "holoflow"):
        right += f"; it requires {asks}, and this is holoflow {__version__}"
    return PluginError(f"{entry} cannot be imported: {_said(error)}{place}", right)


def _said(error: BaseException) -> str:
    lines = f"{type(error).__name__}: {error}".strip().splitlines()
    return lines[0][:200]


def read_summary(entry: Entry) -> str | None:
    """Return the first line of the docstring of the class of `entry`; imports nothing.

    Returns None if the source does not contain it.

    Raises:
        PluginError: The entry points at nothing.
    """
    module, _, name = entry.target.replace(" ", "").partition(":")
    path = _find(module)
    if path is not None and path.is_dir():
        path = path / "__init__.py"
    again = f"install {entry.package.name} again, or uninstall it"
    if path is None or not path.is_file():
        raise PluginError(f"{entry} points at nothing: there is no module {module!r}", again)
    if path.suffix != ".py":
        return None
    source = path.read_bytes()
    try:
        classes = {n.name: n for n in ast.parse(source).body if isinstance(n, ast.ClassDef)}
    except (SyntaxError, ValueError) as error:
        raise _failed(entry, error) from None
    if name in classes:
        return inspect.cleandoc(ast.get_docstring(classes[name]) or "").partition("\n")[0]
    # It may come from elsewhere: an import, a star import, the module's own __getattr__.
    if re.search(rf"\b{re.escape(name)}\b|import \*|__getattr__", source.decode(errors="replace")):
        return None
    near = nearest(name, classes)
    right = f"did its author mean {near!r}?" if near else again
    raise PluginError(f"{entry} points at nothing: {path} has no {name!r}", right)


def payload_types() -> tuple[list[type], list[PluginError]]:
    """Import the payload types of all packages; return them and the problems."""
    from holoflow.core import payload

    types: list[type] = []
    offer = offered(PAYLOADS, frozenset(payload.__all__))
    problems = list(offer.problems)
    for entry in offer.entries.values():
        try:
            types.append(load_class(entry))
        except PluginError as error:
            problems.append(error)
    return types, problems


# -- fragment templates and apps -----------------------------------------------------------------


def file_of(entry: Entry) -> Path:
    """Return the file of a fragment template, `NAME.yaml`, or an app, `app.yaml`; imports nothing.

    Raises:
        PluginError: There is no such file.
    """
    name = f"{entry.name}.yaml" if entry.kind == FRAGMENTS else "app.yaml"
    folder = _find(entry.target)
    file = folder / name if folder is not None else None
    if file is None or not file.is_file():
        wrong = f"{entry} points at nothing: there is no {name} in {entry.target!r}"
        raise PluginError(wrong, f"install {entry.package.name} again, or uninstall it")
    return file


def _find(module: str) -> Path | None:
    """Return the file of a module or the folder of a package; imports nothing."""
    top, *rest = module.strip().split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if not rest and spec.origin is not None and spec.submodule_search_locations is None:
        return Path(spec.origin)
    return next(_below(spec.submodule_search_locations or (), rest), None)


def _below(folders: Collection[str], rest: list[str]) -> Iterator[Path]:
    for folder in folders:
        place = Path(os.path.join(folder, *rest))
        if place.is_dir():
            yield place
        elif place.with_suffix(".py").is_file():
            yield place.with_suffix(".py")
        elif place.parent.is_dir():
            yield from place.parent.glob(f"{place.name}.*.so")
