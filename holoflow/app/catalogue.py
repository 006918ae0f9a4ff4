"""The operator catalogue: the modules of `holoflow.operators`, one public operator each."""

from __future__ import annotations

import difflib
import functools
import importlib
import inspect
import pkgutil

import holoflow.operators
from holoflow.app.errors import TypeNameError
from holoflow.app.report import short
from holoflow.errors import OperatorDefinitionError
from holoflow.operator import Operator


@functools.cache
def _names() -> tuple[str, ...]:
    found = []
    for category in pkgutil.iter_modules(holoflow.operators.__path__):
        if category.ispkg and not category.name.startswith("_"):
            folders = [f"{path}/{category.name}" for path in holoflow.operators.__path__]
            modules = (module.name for module in pkgutil.iter_modules(folders))
            found += [f"{category.name}.{name}" for name in modules if not name.startswith("_")]
    return tuple(sorted(found))


def names() -> list[str]:
    """Return the names of all operators of the catalogue, sorted: `capture.video`.

    Imports none of them.
    """
    return list(_names())


def find(name: str) -> type[Operator]:
    """Import the operator called `name` and return its class.

    Raises `TypeNameError` where the catalogue has no such name, `OperatorDefinitionError` where
    its module does not hold exactly one public operator.
    """
    if name not in _names():
        nearest = difflib.get_close_matches(name[:100], _names(), n=1)
        right = f"did you mean {nearest[0]!r}?" if nearest else "holoflow ops lists all there are"
        raise TypeNameError(f"unknown operator type {short(name)}", right)
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


def summary(name: str) -> str:
    """Return the first line of what operator `name` says of itself; errors as `find`."""
    return (inspect.getdoc(find(name)) or "").partition("\n")[0]
