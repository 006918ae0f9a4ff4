"""Operators by name: the catalogue, classes named by apps, and the extras they need."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib
import importlib.util
import inspect
import os
import pkgutil
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import holoflow.operators
from holoflow.app import plugins
from holoflow.app.mistakes import PluginError, TypeNameError, short
from holoflow.core.errors import OperatorDefinitionError
from holoflow.core.operator import Operator
from holoflow.core.text import suggestion
from holoflow.core.version import __version__
from holoflow.holoscan.classes import operator_of, stand_in

_CATALOGUE = "holoflow.operators."


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
    """Return the sorted names, such as `capture.video`, of all operators; imports none of them."""
    return sorted((*_shipped(), *offered().entries))


def package(name: str) -> plugins.Package | None:
    """Return the package that adds operator `name`; None if it is built in or unknown."""
    entry = None if name in _shipped() else offered().entries.get(name)
    return entry.package if entry is not None else None


def origin(name: str) -> str:
    """Return ` (from PACKAGE VERSION)` for an operator added by a plugin, else an empty text."""
    added_by = package(name)
    return f" (from {added_by})" if added_by is not None else ""


def knows(name: str) -> bool:
    """Whether `find` can return operator `name` or explain why it is not available."""
    return name in _shipped() or name in offered().entries or name in offered().refused


def elsewhere(name: str) -> str:
    """Return advice about `name`, to which no operator name is similar."""
    known = {known.partition(".")[0] for known in names()}
    category, dot, _ = name.partition(".")
    if dot and category not in known:
        return f"holoflow ops lists all there are; no package in {sys.prefix} adds {short(name)}"
    return "holoflow ops lists all there are"


def find(name: str) -> type[Operator]:
    """Import the operator called `name` and return its class.

    Raises:
        TypeNameError: The catalogue has no such name, or its plugin is broken.
        OperatorDefinitionError: Its module does not define exactly one public operator.
    """
    if name in _shipped():
        return _find_shipped(name)
    entry = offered().entries.get(name)
    if entry is None:
        refused = offered().refused.get(name)
        if refused is not None:
            raise TypeNameError(refused.wrong, refused.right)
        right = suggestion(name, names(), elsewhere(name))
        raise TypeNameError(f"unknown operator type {short(name)}", right)
    try:
        cls: type[Operator] = plugins.load_class(entry)
    except PluginError as error:
        raise TypeNameError(error.wrong, error.right) from error
    return cls


def _find_shipped(name: str) -> type[Operator]:
    module = importlib.import_module(f"{_CATALOGUE}{name}")
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
            f"{module.__name__}: a catalogue module must define one public operator, not {listed}"
        )
    return found[0]


def usable() -> tuple[dict[str, type[Operator]], list[str]]:
    """Import all operators; return the classes by name, and the problems with plugins."""
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
        except Exception as error:  # annotations are the plugin's code and may raise anything
            problems.append(f"{offered().entries[name]} is malformed: {error}")
        else:
            classes[name] = cls
    return classes, problems


def _entry(name: str) -> plugins.Entry:
    """Return the operator `name` of the catalogue as if a package added it."""
    cls = "".join(part.capitalize() for part in name.partition(".")[2].split("_")) + "Op"
    target = f"{_CATALOGUE}{name}:{cls}"
    return plugins.Entry(plugins.OPERATORS, name, target, plugins.Package("holoflow", __version__))


def summary(name: str) -> str:
    """Return the first line of the docstring of operator `name`, from its source if possible.

    Raises:
        TypeNameError: There is no such operator, or its entry point has no target.
    """
    entry = _entry(name) if name in _shipped() else offered().entries.get(name)
    if entry is not None:
        try:
            read = plugins.read_summary(entry)
        except PluginError as error:
            raise TypeNameError(error.wrong, error.right) from error
        if read is not None:
            return read
    return (inspect.getdoc(find(name)) or "").partition("\n")[0]


def find_class(name: str, folder: Path) -> type:
    """Return the class that `name` refers to in a file in `folder`.

    Args:
        name: `capture.video`, `./file.py:Class` or `package.module:Class`.
        folder: Folder that file names are relative to.

    Raises:
        TypeNameError: There is no such class, or the user's module fails to import.
    """
    where, colon, attribute = name.rpartition(":")
    if not colon and not name.endswith(".py") and "/" not in name:
        cls: type = _guarded(lambda: find(name), None)
        return cls
    try:
        found, module = _find_attribute(name, folder, "class")
    except TypeNameError as error:
        library = _missing_library(error)
        if not library:
            raise
        return stand_in(attribute, where, library)
    if isinstance(found, type):
        return found
    created = operator_of(found, attribute, module.__name__)
    if created is None:
        raise TypeNameError(f"{short(attribute)} in {where} is not a class", "name a class")
    return created


def find_function(name: str, folder: Path) -> Callable[..., Any]:
    """Return the function that `name` refers to in a file in `folder`, as `find_class` does.

    Raises:
        TypeNameError: There is no such function, or the user's module fails to import.
    """
    found, _ = _find_attribute(name, folder, "function")
    if not callable(found):
        raise TypeNameError(f"{short(name)} cannot be called", "name a function")
    function: Callable[..., Any] = found
    return function


def _missing_library(error: TypeNameError) -> str:
    """Return why a module that is there cannot be loaded on this machine; empty if that is not it.

    That is no mistake of the app, which may be meant for another machine.
    """
    cause = error.__cause__
    missing = isinstance(cause, ImportError) and "cannot open shared object file" in str(cause)
    return str(cause) if missing else ""


def _find_attribute(name: str, folder: Path, kind: str) -> tuple[Any, ModuleType]:
    """Return what `./file.py:NAME` or `package.module:NAME` refers to, and its module."""
    where, colon, attribute = name.rpartition(":")
    example = f"./file.py:{kind.capitalize() if kind == 'class' else kind}"
    if not colon:
        what = "file" if name.endswith(".py") or "/" in name else "module"
        raise TypeNameError(f"{short(name)} names a {what}, but no {kind}", f"write {example}")
    if not attribute.isidentifier():
        wrong = f"{short(attribute)} cannot be the name of a {kind}"
        raise TypeNameError(wrong, f"write {example}")
    if where.startswith((".", "/")):
        module = _load_file(Path(os.path.normpath(folder.absolute() / where)))
    elif where.endswith(".py"):
        what = "type" if kind == "class" else kind
        right = f"write {example} for a file beside the app"
        raise TypeNameError(f"{short(name)} is not a {what}", right)
    else:
        module = _import(where)
    found = _guarded(lambda: getattr(module, attribute, None), None)
    if found is None:
        known = [key for key in dir(module) if key[:1].isupper() == (kind == "class")]
        right = suggestion(attribute, known, f"name a {kind} that it defines")
        raise TypeNameError(f"{where} has no {kind} {short(attribute)}", right)
    return found, module


def reference(cls: type) -> str:
    """Return `module:Class` or `/path/file.py:Class`, by which another process finds `cls`.

    Raises:
        TypeNameError: `cls` is not at the top level of a module that can be imported there.
    """
    module = sys.modules.get(cls.__module__)
    if getattr(module, cls.__qualname__, None) is not cls:
        wrong = f"{place_of(cls)}{cls.__qualname__} cannot be imported by another process"
        raise TypeNameError(wrong, "define it at the top level of a module")
    if importable := getattr(getattr(module, "__spec__", None), "name", None):
        package = sys.modules.get(importable.partition(".")[0])
        if getattr(package, "__spec__", None) is not None:  # else it is `_package`'s
            return f"{importable}:{cls.__qualname__}"
    file = getattr(module, "__file__", None)
    if file is None:
        wrong = f"{cls.__qualname__} is not in a file, so that no other process can import it"
        raise TypeNameError(wrong, "define it in a file of Python")
    return f"{Path(file).absolute()}:{cls.__qualname__}"


def _import(name: str) -> ModuleType:
    from holoflow.holoscan.runtime import preload

    if not all(part.isidentifier() for part in name.split(".")):
        raise TypeNameError(f"{short(name)} cannot be a module", "write package.module:Class")
    preload()
    try:
        module: ModuleType = _guarded(lambda: importlib.import_module(name), None)
        return module
    except TypeNameError as error:
        cause = error.__cause__
        if isinstance(cause, ModuleNotFoundError) and f"{name}.".startswith(f"{cause.name}."):
            right = "install the package that provides it"
            if cause.name == "holoscan":
                right = "install it with: pip install 'holoflow[cu12]'"
            raise TypeNameError(f"there is no module {short(str(cause.name))}", right) from None
        raise


def _load_file(path: Path) -> ModuleType:
    """Import the Python file at `path`; `from . import other` finds the files beside it."""
    from holoflow.holoscan.runtime import preload

    try:
        found = path.is_file()
    except OSError:  # a name too long, a folder that is not accessible
        found = False
    if not found:
        right = "a path is relative to the app's folder"
        raise TypeNameError(f"there is no file {short(_shown(str(path)))}", right)
    package = _package(path.parent)
    name = f"{package}.{path.stem}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise TypeNameError(f"{path.name} is not a Python file", "write ./file.py:Class")
    module = importlib.util.module_from_spec(spec)
    preload()
    sys.modules[name] = module
    try:
        _guarded(lambda: spec.loader.exec_module(module), path)  # type: ignore[union-attr]
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _package(folder: Path) -> str:
    """Make a package of the Python files in `folder` and return its name.

    The name depends on the folder and its state, so that files of the same name in different
    apps do not collide, and a changed file is read again.
    """
    folder = folder.resolve()
    state = [str(folder)]
    for file in sorted(folder.glob("*.py")):
        status = file.lstat()
        state.append(f"{file.name} {status.st_mtime_ns} {status.st_size}")
    digest = hashlib.sha256("\n".join(state).encode(errors="surrogateescape")).hexdigest()
    name = f"_holoflow_app_{digest[:16]}"
    if name not in sys.modules:
        package = ModuleType(name, f"The operators in {folder}.")
        package.__path__ = [str(folder)]
        sys.modules[name] = package
        importlib.invalidate_caches()
    return name


def _guarded(action: Callable[[], Any], file: Path | None) -> Any:
    """Run user code; its errors become `TypeNameError` with file and line."""
    try:
        return action()
    except TypeNameError:
        raise
    except OperatorDefinitionError as error:
        raise TypeNameError(error.wrong, error.right) from error
    except SyntaxError as error:
        place = _shown(error.filename or str(file or "?")) + (
            f":{error.lineno}" if error.lineno else ""
        )
        wrong = f"{place} is not valid Python: {error.msg}"
        raise TypeNameError(wrong, "correct that line") from error
    except (Exception, SystemExit) as error:  # user code may raise anything
        place = _place(error, file)
        what = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        raise TypeNameError(f"{place}{what}", "correct what fails when it is imported") from error


def _place(error: BaseException, file: Path | None) -> str:
    """Return `file.py:12: ` for the innermost line in the user's file, else for the last frame."""
    frames = traceback.extract_tb(error.__traceback__)
    if file is not None:
        own = [frame for frame in frames if frame.filename == str(file)]
    else:
        inner = ("<frozen", importlib.__file__, __file__)
        own = [frame for frame in frames if not frame.filename.startswith(inner)]
    if not own:
        return f"{_shown(str(file))}: " if file else ""
    return f"{_shown(own[-1].filename)}:{own[-1].lineno}: "


def _shown(filename: str | None) -> str:
    """Return the path of a user's file, relative to the current folder if it is inside it."""
    path = os.path.relpath(filename or "?")
    return filename or "?" if path.startswith("..") else path


def place_of(cls: type) -> str:
    """Return `file.py:12: ` for a user's class; empty if not known."""
    try:
        original = getattr(cls, "_original", cls)  # of a function that create_op has decorated
        line = inspect.getsourcelines(original)[1]
        return f"{_shown(inspect.getsourcefile(original))}:{line}: "
    except (OSError, TypeError):
        return ""


def extras(cls: type) -> tuple[str, ...]:
    """Return the extras that `cls` needs, itself or through its helpers.

    They are read from calls of `holoflow.core.errors.optional(module, extra)` in the file of
    `cls` and in the private modules of the catalogue that it imports.
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
