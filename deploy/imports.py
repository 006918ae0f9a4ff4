"""Which modules Python files import that are not installed, read and never run."""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path

_CATCHING = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}


@dataclass(frozen=True, order=True)
class Import:
    """An import of a module by its full name."""

    file: Path
    line: int
    column: int
    """Both count from 1."""
    module: str


def missing(file: Path, lacks: Callable[[str], str | None] | None = None) -> list[Import]:
    """Return the imports of `file`, and of the modules beside it that it imports, of what lacks.

    Those inside of functions count. Those that the code can do without do not: within
    `try: … except ImportError`, `with suppress(ImportError)` and `if TYPE_CHECKING`. `lacks`
    returns the part of a module's name that is not installed. A file that is no Python has none.
    """
    lacks = lacks or absent
    found: set[Import] = set()
    seen: set[Path] = set()
    waiting = [file]
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        try:
            tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError, OSError):  # whoever imports it says what is wrong
            continue
        for node in _needed(tree):
            if isinstance(node, ast.ImportFrom) and node.level:
                waiting += _relatives(node, path)
                continue
            for name in _names(node):
                beside = _file(path.parent, name)
                part = lacks(name)
                if part is not None and beside is not None:
                    waiting.append(beside)
                elif part is not None:
                    found.add(Import(path, node.lineno, node.col_offset + 1, part))
    return sorted(found)


def absent(module: str) -> str | None:
    """Return the part of `module`'s name that is not installed; None where all of it is.

    Nothing is imported; what lies in a package that is a regular one is taken to be there.
    """
    top, *rest = module.split(".")
    if top in sys.stdlib_module_names:
        return None
    try:
        spec = importlib.util.find_spec(top)
    except ValueError:  # it is there, but came from nowhere
        return None
    name = top
    while spec is not None and rest and _is_namespace(spec):
        name = f"{name}.{rest.pop(0)}"
        spec = PathFinder.find_spec(name, spec.submodule_search_locations)
    return name if spec is None else None


def _is_namespace(spec: importlib.machinery.ModuleSpec) -> bool:
    return spec.origin is None and spec.submodule_search_locations is not None


def _needed(node: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """Yield the imports below `node` that the code cannot do without."""
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        yield node
        return
    for child in _children(node):
        yield from _needed(child)


def _children(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.Try) and any(_catches(handler.type) for handler in node.handlers):
        yield from (*node.orelse, *node.finalbody)
    elif isinstance(node, ast.With) and any(_suppresses(item.context_expr) for item in node.items):
        return
    elif isinstance(node, ast.If) and _word(node.test) == "TYPE_CHECKING":
        yield from node.orelse
    else:
        yield from ast.iter_child_nodes(node)


def _catches(kind: ast.expr | None) -> bool:
    kinds = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    return any(one is None or _word(one) in _CATCHING for one in kinds)


def _suppresses(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Call)
        and _word(node.func) == "suppress"
        and any(_catches(kind) for kind in node.args)
    )


def _word(node: ast.expr) -> str:
    """Return the last word of a name: `TYPE_CHECKING` of `typing.TYPE_CHECKING`."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _names(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""]


def _relatives(node: ast.ImportFrom, path: Path) -> list[Path]:
    """Return the files that a relative import in `path` means, as far as they are there."""
    folder = path.parents[node.level - 1] if node.level <= len(path.parents) else path.parent
    base = node.module or ""
    names = [base, *(f"{base}.{alias.name}".lstrip(".") for alias in node.names)]
    return [found for name in names if name and (found := _file(folder, name)) is not None]


def _file(folder: Path, module: str) -> Path | None:
    """Return the file of `module` as seen from `folder`, if it is there."""
    place = folder.joinpath(*module.split("."))
    candidates = (place.with_name(f"{place.name}.py"), place / "__init__.py")
    return next((path for path in candidates if path.is_file()), None)
