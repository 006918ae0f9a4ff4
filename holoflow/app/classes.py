"""Types as an app names them become classes: `capture.video`, `./file.py:Class`, `module:Class`."""

from __future__ import annotations

import difflib
import hashlib
import importlib
import importlib.util
import inspect
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from holoflow.app import catalogue
from holoflow.app.errors import TypeNameError
from holoflow.app.report import short
from holoflow.errors import OperatorDefinitionError


def find_class(name: str, folder: Path) -> type:
    """Return the class that `name` means in a file that lies in `folder`.

    Raises `TypeNameError` for whatever stands in the way, errors in the user's file included.
    """
    where, colon, attribute = name.rpartition(":")
    if not colon:
        if name.endswith(".py") or "/" in name:
            raise TypeNameError(
                f"{short(name)} names a file, but no class", "write ./file.py:Class"
            )
        cls: type = _guarded(lambda: catalogue.find(name), None)
        return cls
    if not attribute.isidentifier():
        raise TypeNameError(
            f"{short(attribute)} cannot be the name of a class", "write ./file.py:Class"
        )
    if where.startswith((".", "/")):
        module = _load_file(Path(os.path.normpath(folder.absolute() / where)))
    elif where.endswith(".py"):
        raise TypeNameError(
            f"{short(name)} is no type", "write ./file.py:Class for a file beside the app"
        )
    else:
        module = _import(where)
    found = _guarded(lambda: getattr(module, attribute, None), None)
    if found is None:
        classes = [key for key in dir(module) if key[:1].isupper()]
        near = difflib.get_close_matches(attribute, classes, n=1)
        right = f"did you mean {near[0]!r}?" if near else "name a class that it defines"
        raise TypeNameError(f"{where} has no class {short(attribute)}", right)
    if not isinstance(found, type):
        raise TypeNameError(f"{short(attribute)} in {where} is no class", "name a class")
    return found


def _import(name: str) -> ModuleType:
    from holoflow.engine.runtime import preload

    if not all(part.isidentifier() for part in name.split(".")):
        raise TypeNameError(f"{short(name)} cannot be a module", "write package.module:Class")
    preload()
    try:
        module: ModuleType = _guarded(lambda: importlib.import_module(name), None)
        return module
    except TypeNameError as error:
        cause = error.__cause__
        if isinstance(cause, ModuleNotFoundError) and f"{name}.".startswith(f"{cause.name}."):
            right = "install what brings it"
            if cause.name == "holoscan":
                right = "install it with: pip install 'holoflow[cu12]'"
            raise TypeNameError(f"there is no module {short(str(cause.name))}", right) from None
        raise


def _load_file(path: Path) -> ModuleType:
    """Import the Python file at `path`; `from . import other` finds what lies beside it."""
    from holoflow.engine.runtime import preload

    try:
        found = path.is_file()
    except OSError:  # a name too long, a folder that may not be looked into
        found = False
    if not found:
        right = "a path is meant from the app's folder"
        raise TypeNameError(f"there is no file {short(_shown(str(path)))}", right)
    package = _package(path.parent)
    name = f"{package}.{path.stem}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise TypeNameError(f"{path.name} is no Python file", "write ./file.py:Class")
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

    The name tells folders and their states apart, so that apps with files of the same name do
    not meet, and a file that has changed is read again.
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
    """Run code that users wrote; its errors become `TypeNameError` with file and line."""
    try:
        return action()
    except TypeNameError:
        raise
    except OperatorDefinitionError as error:
        raise TypeNameError(str(error)) from error
    except SyntaxError as error:
        place = _shown(error.filename or str(file or "?")) + (
            f":{error.lineno}" if error.lineno else ""
        )
        raise TypeNameError(f"{place} is no Python: {error.msg}", "correct that line") from error
    except (Exception, SystemExit) as error:  # it is the user's code: anything may come out
        place = _place(error, file)
        what = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        raise TypeNameError(f"{place}{what}", "correct what fails when it is imported") from error


def _place(error: BaseException, file: Path | None) -> str:
    """Return `file.py:12: ` of the innermost line of the user's file, else of the last frame."""
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
    """Return the path of a user's file, from the current folder where it lies in there."""
    path = os.path.relpath(filename or "?")
    return filename or "?" if path.startswith("..") else path


def place_of(cls: type) -> str:
    """Return `file.py:12: ` of a user's class; empty where that is not known."""
    try:
        line = inspect.getsourcelines(cls)[1]
        return f"{_shown(inspect.getsourcefile(cls))}:{line}: "
    except (OSError, TypeError):
        return ""
