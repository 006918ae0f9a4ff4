"""Which extras of holoflow an operator needs, read from its source and never by running it."""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

_CATALOGUE = "holoflow.operators."


def extras(cls: type) -> tuple[str, ...]:
    """Return the extras that the file of `cls` imports from, itself or through its helpers.

    They are what stands in calls of `holoflow.extras.optional(module, extra)`. Of helpers, the
    private modules of the catalogue are read.
    """
    module = sys.modules.get(cls.__module__)
    file = getattr(module, "__file__", None)
    if file is None:
        return ()
    found: set[str] = set()
    seen: set[str] = set()
    waiting = [(cls.__module__, Path(file))]
    while waiting:
        name, path = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        tree = ast.parse(path.read_bytes())
        found |= set(_called_extras(tree))
        waiting += _helpers(tree, name)
    return tuple(sorted(found))


def _called_extras(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or len(node.args) != 2:
            continue
        called = node.func.attr if isinstance(node.func, ast.Attribute) else node.func
        name = called.id if isinstance(called, ast.Name) else called
        if name == "optional" and isinstance(extra := node.args[1], ast.Constant):
            yield str(extra.value)


def _helpers(tree: ast.AST, module: str) -> Iterator[tuple[str, Path]]:
    package = module.rpartition(".")[0]
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom):
            continue
        base = node.module or ""
        if node.level:
            base = importlib.util.resolve_name("." * node.level + base, package)
        for name in (base, *(f"{base}.{alias.name}" for alias in node.names)):
            if name.startswith(_CATALOGUE) and name.rpartition(".")[2].startswith("_"):
                spec = importlib.util.find_spec(name)
                if spec is not None and spec.origin is not None:
                    yield name, Path(spec.origin)
