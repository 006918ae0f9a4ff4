"""Runs the file of a Holoscan application up to its `run()`, and lets that compose itself.

So every branch, loop and subgraph of `compose()` is followed, and Holoscan says what is connected.
"""

from __future__ import annotations

import contextlib
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import Any

from holoflow.core.errors import HoloflowError, describe
from holoflow.holoscan import runtime
from holoflow.port.application import Composed, composed_fragment
from holoflow.port.recorder import AskedToRun, CompositionRecorder


def compose(file: Path, arguments: Sequence[str], chosen: str = "") -> Composed:
    """Run `file` as a script until its application is to run, and let that compose itself.

    What the script prints goes to stderr. An application that the script does not run is made
    without arguments.

    Args:
        file: The script.
        arguments: Its arguments.
        chosen: Name of the application's class, if the script runs none and has several.

    Raises:
        HoloflowError: The file has no application, or fails before it is composed.
    """
    if not file.is_file():
        raise HoloflowError(f"there is no file {str(file)!r}", "name a file of Python")
    recorder = CompositionRecorder()
    with _as_script(file, arguments) as namespace, redirect_stdout(sys.stderr), recorder:
        _run(file, recorder, namespace)
        application = _application(file, recorder, namespace, chosen)
        recorder.wrap_classes()
        recorder.wrap_functions(namespace)
        with _failures(file, f"{type(application).__name__}.compose()"):
            application.compose()
        for fragment in recorder.fragments:
            with _failures(file, f"{type(fragment).__name__}.compose()"):
                fragment.compose()
        if not application.is_metadata_enabled:
            recorder.notes.append("enable_metadata(False), as headers travel as metadata in an app")
        parts = recorder.fragments or [application]
        if not any(part.graph.get_nodes() for part in parts):
            raise HoloflowError(f"{file}: {type(application).__name__} adds no operators")
        _require_guard(file, recorder)
        config = application.config().config_file
        return Composed(
            file=file,
            name=application.name or type(application).__name__,
            fragments=tuple(composed_fragment(part.name, part.graph) for part in parts),
            between=tuple(recorder.between),
            distributed=bool(recorder.fragments),
            config=Path(config) if config else None,
            scheduler=_scheduler(application, recorder),
            made=recorder.made,
            sections=recorder.sections,
            dynamic=tuple(recorder.dynamic),
            pools=tuple(recorder.pools.values()),
            services=tuple(recorder.services),
            loggers=tuple(recorder.loggers),
            notes=tuple(dict.fromkeys(recorder.notes)),
            kept=(application, recorder),
        )


def _run(file: Path, recorder: CompositionRecorder, namespace: dict[str, Any]) -> None:
    """Run the script in `namespace`, up to where its application is to run."""
    try:
        with _failures(file, "the script"):
            exec(compile(file.read_bytes(), str(file), "exec"), namespace)  # noqa: S102
    except AskedToRun:
        return
    except SystemExit as end:
        if not recorder.applications:
            wrong = f"{file} ends with status {end.code} before its application runs"
            raise HoloflowError(wrong, "give it the arguments it needs, after --") from None


def _require_guard(file: Path, recorder: CompositionRecorder) -> None:
    """Raise an error if the file runs its application when an app imports its operators."""
    if not any(item.cls.__module__ == "__main__" for item in recorder.made.values()):
        return
    asked = len(recorder.applications)
    _run(file, recorder, {"__name__": file.stem, "__file__": str(file)})
    if len(recorder.applications) > asked:
        raise HoloflowError(
            f"{file} runs its application when it is imported, as an app does for its operators",
            'put that under `if __name__ == "__main__":`',
        )


def _application(
    file: Path, recorder: CompositionRecorder, namespace: dict[str, Any], chosen: str
) -> Any:
    """Return the application that was asked to run, or else the one that the file defines."""
    if recorder.applications:
        return recorder.applications[-1]
    base = runtime.load().core.Application
    found = {
        name: value
        for name, value in namespace.items()
        if isinstance(value, type) and issubclass(value, base) and value is not base
    }
    own = {name: cls for name, cls in found.items() if cls.__module__ == "__main__"}
    if chosen:
        own = {name: cls for name, cls in found.items() if name == chosen}
    if not own:
        named = f"no application {chosen!r}" if chosen else "no application"
        right = "it has a class derived from holoscan.core.Application"
        raise HoloflowError(f"{file} defines {named}", right)
    if len(own) > 1:
        named = ", ".join(own)
        raise HoloflowError(f"{file} has several applications: {named}", f"write {file}:CLASS")
    ((name, cls),) = own.items()
    with _failures(file, f"{name}()"):
        return cls()


def _scheduler(application: Any, recorder: CompositionRecorder) -> Any:
    """Return the scheduler that was chosen; None for the usual one."""
    made = [item.thing for item in recorder.made.values()]
    scheduler = application.scheduler()
    return scheduler if any(scheduler is thing for thing in made) else None


@contextlib.contextmanager
def _as_script(file: Path, arguments: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Give the namespace of a main module, with arguments and import path as if Python ran it."""
    before = sys.argv, sys.path[:], sys.modules["__main__"]
    main = ModuleType("__main__")
    main.__file__ = str(file)
    sys.argv, sys.modules["__main__"] = [str(file), *arguments], main
    sys.path.insert(0, str(file.parent.absolute()))
    try:
        yield vars(main)
    finally:
        sys.argv, sys.path[:], sys.modules["__main__"] = before


@contextlib.contextmanager
def _failures(file: Path, what: str) -> Iterator[None]:
    """Turn an exception of the user's code into an error with its line."""
    try:
        yield
    except HoloflowError:
        raise
    except Exception as error:
        if isinstance(error, SyntaxError):
            place = f"{error.filename}:{error.lineno}"
            raise HoloflowError(f"{place} is not valid Python: {error.msg}") from error
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if Path(frame.filename) == file]
        place = f"{file}:{lines[-1]}" if lines else str(file)
        right = "the application must be able to compose itself here; nothing is run"
        raise HoloflowError(f"{place}: {what} fails: {describe(error)}", right) from error
