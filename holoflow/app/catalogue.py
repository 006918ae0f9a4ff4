"""The operator catalogue: the modules of `holoflow.operators`, and what plugins add to them."""

from __future__ import annotations

import difflib
import functools
import importlib
import inspect
import pkgutil
import sys

import holoflow.operators
from holoflow.app import plugins
from holoflow.app.errors import PluginError, TypeNameError
from holoflow.app.report import short
from holoflow.errors import OperatorDefinitionError
from holoflow.operator import Operator


@functools.cache
def _shipped() -> tuple[str, ...]:
    found = []
    for category in pkgutil.iter_modules(holoflow.operators.__path__):
        if category.ispkg and not category.name.startswith("_"):
            folders = [f"{path}/{category.name}" for path in holoflow.operators.__path__]
            modules = (module.name for module in pkgutil.iter_modules(folders))
            found += [f"{category.name}.{name}" for name in modules if not name.startswith("_")]
    return tuple(sorted(found))


def offered() -> plugins.Offer:
    """Return the operators that plugins add."""
    return plugins.offered(plugins.OPERATORS, frozenset(_shipped()))


def names() -> list[str]:
    """Return the names of all operators of the catalogue, sorted: `capture.video`.

    Imports none of them.
    """
    return sorted((*_shipped(), *offered().entries))


def package(name: str) -> plugins.Package | None:
    """Return the package that adds operator `name`; None where it ships or is unknown."""
    entry = None if name in _shipped() else offered().entries.get(name)
    return entry.package if entry is not None else None


def origin(name: str) -> str:
    """Return ` (from PACKAGE VERSION)` for an operator that a plugin adds, else nothing."""
    added_by = package(name)
    return f" (from {added_by})" if added_by is not None else ""


def knows(name: str) -> bool:
    """Whether `find` has something to say of `name`, be it why it cannot be had."""
    return name in _shipped() or name in offered().entries or name in offered().refused


def elsewhere(name: str) -> str:
    """Say what may be right about `name`, which no operator has and none is like."""
    known = {known.partition(".")[0] for known in names()}
    category, dot, _ = name.partition(".")
    if dot and category not in known:
        return f"holoflow ops lists all there are; no package in {sys.prefix} adds {short(name)}"
    return "holoflow ops lists all there are"


def find(name: str) -> type[Operator]:
    """Import the operator called `name` and return its class.

    Raises `TypeNameError` where the catalogue has no such name or its plugin is broken,
    `OperatorDefinitionError` where its module does not hold exactly one public operator.
    """
    if name in _shipped():
        return _find_shipped(name)
    entry = offered().entries.get(name)
    if entry is None:
        refused = offered().refused.get(name)
        if refused is not None:
            raise TypeNameError(refused.wrong, refused.right)
        nearest = difflib.get_close_matches(name[:100], names(), n=1)
        right = f"did you mean {nearest[0]!r}?" if nearest else elsewhere(name)
        raise TypeNameError(f"unknown operator type {short(name)}", right)
    try:
        cls: type[Operator] = plugins.load_class(entry)
    except PluginError as error:
        raise TypeNameError(error.wrong, error.right) from error
    return cls


def _find_shipped(name: str) -> type[Operator]:
    module = importlib.import_module(f"holoflow.operators.{name}")
    found = [
        member
        for member in vars(module).values()
        if inspect.isclass(member)
        and issubclass(member, Operator)
        and member.__module__ == module.__name__
        and not member.__name__.startswith("_")
    ]
    if len(found) != 1:
        listed = ", ".join(member.__name__ for member in found) or "none"
        raise OperatorDefinitionError(
            f"{module.__name__}: a module of the catalogue has one public operator, not {listed}"
        )
    return found[0]


def usable() -> tuple[dict[str, type[Operator]], list[str]]:
    """Import all operators; return the classes by name, and what is wrong with plugins."""
    classes: dict[str, type[Operator]] = {}
    problems = [str(problem) for problem in offered().problems]
    for name in names():
        try:
            cls = find(name)
            if name not in _shipped():
                cls.ports()
                cls.parameters()
        except TypeNameError as error:
            problems.append(str(error))
        except Exception as error:  # annotations are the plugin's code: anything may come out
            problems.append(f"{offered().entries[name]} is written wrongly: {error}")
        else:
            classes[name] = cls
    return classes, problems


def summary(name: str) -> str:
    """Return the first line of what operator `name` says of itself.

    That of a plugin is read from its source, where this tells. Raises `TypeNameError` where
    there is no such operator or it points at nothing.
    """
    entry = None if name in _shipped() else offered().entries.get(name)
    if entry is not None:
        try:
            read = plugins.read_summary(entry)
        except PluginError as error:
            raise TypeNameError(error.wrong, error.right) from error
        if read is not None:
            return read
    return (inspect.getdoc(find(name)) or "").partition("\n")[0]
