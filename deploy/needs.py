"""What an app needs from elsewhere: extras of holoflow, requirements, Debian packages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from holoflow.app.catalogue import extras
from holoflow.app.graph import App
from holoflow.app.mistakes import PluginError
from holoflow.app.plugins import APPS, Package, file_of, offered
from holoflow.core.errors import HoloflowError
from holoflow.core.operator import Operator
from holoflow.plan.plan import Plan

REQUIREMENTS = "requirements.txt"
"""File beside an app with what its own operators need from the package index."""

WHEELS = "wheels"
"""Folder beside an app with wheels that are in no package index."""

_LINKS = {"shared_memory": {"shared-memory"}, "zeromq": {"zeromq"}}
_ENGINE = "cu12"
_ALWAYS = {_ENGINE, "metrics"}


@dataclass(frozen=True)
class Needs:
    """What is put into an image beside the app itself."""

    extras: tuple[str, ...]
    """Extras of holoflow, sorted."""
    requirements: tuple[str, ...]
    """Lines of the app's own requirements.txt, without comments; then the plugins."""
    apt: tuple[str, ...]
    """Debian packages, sorted."""
    gpu: bool
    """Whether to include what only works with a GPU."""
    plugins: tuple[str, ...] = ()
    """Installed packages that provide its operators, fragment templates or the app, by name."""


def needs_of(plan: Plan, folder: Path, *, gpu: bool) -> Needs:
    """Return what the app of `plan` in `folder` needs; files are read, nothing is executed.

    Raises:
        HoloflowError: Its requirements.txt has options of pip.
    """
    plugins = sorted({*plan.app.plugins, *_owners(folder)})
    pinned = [f"{package.name}=={package.version}" for package in plugins]
    return Needs(
        extras=tuple(sorted(_extras(plan))),
        requirements=(*_lines(folder / REQUIREMENTS), *pinned),
        apt=tuple(sorted(set(plan.app.apt))),
        gpu=gpu,
        plugins=tuple(package.name for package in plugins),
    )


def _owners(folder: Path) -> Iterator[Package]:
    """Yield the packages that provide the app in `folder`."""
    for entry in offered(APPS, frozenset()).entries.values():
        with suppress(PluginError):
            if file_of(entry).parent.resolve() == folder.resolve():
                yield entry.package


def _extras(plan: Plan) -> set[str]:
    found = _ALWAYS | set().union(*_of_operators(plan.app))
    for flow in plan.flows:
        found |= _LINKS.get(flow.link, set())
        if flow.compress == "jpeg":
            found.add("web")
    if len(plan.processes) > 1:  # it is decided later which of its fragments share a host
        found |= set().union(*_LINKS.values())
    return found


def _of_operators(app: App) -> Iterable[set[str]]:
    classes = {node.cls for node in app.operators.values()}
    return [set(extras(cls)) for cls in classes if issubclass(cls, Operator)]


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        return []
    found = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        text = line.partition(" #")[0].strip()
        if text.startswith("-"):
            raise HoloflowError(
                f"{path}:{number}: {text.split()[0]} is an option of pip",
                f"give requirements only (wheels of your own can lie in {WHEELS}/ beside it)",
            )
        if text and not text.startswith("#"):
            found.append(text)
    return found
