"""What the operators of an app need but is not installed, because it was not declared."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from importlib.machinery import PathFinder
from pathlib import Path

from holoflow.app import load
from holoflow.app.catalogue import extras
from holoflow.app.graph import App, Node
from holoflow.core.errors import AppError, Location, Mistake
from holoflow.core.operator import Operator

_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+).*;.*\bextra == ['\"]([A-Za-z0-9_-]+)['\"]")


def undeclared(path: Path, settings: Mapping[str, str], types: Mapping[str, str]) -> list[Mistake]:
    """Return what the operators of the app at `path` need but is not installed.

    Files of operators are read and not executed, so that imports within functions are found too.

    Args:
        path: The app's YAML file.
        settings: Settings of `--set`.
        types: Types of the operators by name, as far as they are known. They are used if the app
            cannot be loaded, for which a missing module may be the reason.
    """
    try:
        app = load(path, settings=settings)
    except AppError:
        files = {name: path.parent / kind.rpartition(":")[0] for name, kind in types.items()}
        return sorted(_imports({n: f for n, f in files.items() if f.suffix == ".py"}, path.parent))
    found = {name: _operator_file(node) for name, node in app.operators.items()}
    own = {name: file for name, file in found.items() if file is not None}
    return sorted((*_imports(own, path.parent), *_extras(app, path)))


def _operator_file(node: Node) -> Path | None:
    """Return the file of an operator whose type names one."""
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
    """Return the libraries that extras of holoflow install, with the name of the extra."""
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
    """Return the imports of missing modules in `file` and in the modules beside it that it imports.

    Imports within functions count. Those that the code can do without do not: within
    `try: … except ImportError`, `with suppress(ImportError)` and `if TYPE_CHECKING`.

    Args:
        file: A Python file; any other has no imports.
        lacks: Returns the part of a module's name that is not installed; None if all of it is.
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
        except (SyntaxError, ValueError, OSError):  # reported when it is imported
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
    """Return the part of `module`'s name that is not installed; None if all of it is.

    Nothing is imported. Modules of an installed regular package count as installed.
    """
    top, *rest = module.split(".")
    if top in sys.stdlib_module_names:
        return None
    try:
        spec = importlib.util.find_spec(top)
    except ValueError:  # an imported module without a spec
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
    """Return the last part of a name: `TYPE_CHECKING` of `typing.TYPE_CHECKING`."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _names(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""]


def _relatives(node: ast.ImportFrom, path: Path) -> list[Path]:
    """Return the existing files that a relative import in `path` refers to."""
    folder = path.parents[node.level - 1] if node.level <= len(path.parents) else path.parent
    base = node.module or ""
    names = [base, *(f"{base}.{alias.name}".lstrip(".") for alias in node.names)]
    return [found for name in names if name and (found := _file(folder, name)) is not None]


def _file(folder: Path, module: str) -> Path | None:
    """Return the file of `module` relative to `folder`; None if it does not exist."""
    place = folder.joinpath(*module.split("."))
    candidates = (place.with_name(f"{place.name}.py"), place / "__init__.py")
    return next((path for path in candidates if path.is_file()), None)
