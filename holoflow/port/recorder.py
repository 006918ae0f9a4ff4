"""Runs the file of a Holoscan application up to its `run()`, and notes what is made on the way.

Holoscan's own classes are used, with constructors that note their arguments first: so every branch,
loop and subgraph of `compose()` is followed, and Holoscan itself says what is connected.
"""

from __future__ import annotations

import contextlib
import functools
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import Any

from holoflow.core.errors import HoloflowError, describe
from holoflow.holoscan import runtime
from holoflow.port.application import Composed, Made, composed_fragment
from holoflow.port.stand_ins import declare, stand_in

_UNSAID = ("add_default_green_context_pool", "make_thread_pool")
"""Methods of applications and fragments for which an app file has no word."""


class _RunError(BaseException):
    """The application is to run now: it is not an `Exception`, so that nothing catches it."""


class _Nothing:
    """Has any method, which does nothing."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_args, **_keywords: None


class CompositionRecorder:
    """Notes how Holoscan's objects are made while it is entered."""

    def __init__(self) -> None:
        """Note nothing yet."""
        self.made: dict[int, Made] = {}
        self.sections: dict[int, str] = {}
        self.kept: list[Any] = []
        self.between: list[tuple[Any, Any, Sequence[tuple[str, str]]]] = []
        self.fragments: list[Any] = []
        self.dynamic: list[tuple[Any, Any]] = []
        self.services: list[tuple[str, Any]] = []
        self.loggers: list[tuple[str, Any]] = []
        self.notes: list[str] = []
        self.applications: list[Any] = []
        """Those that were asked to run."""
        self._undo = ExitStack()
        self._wrapped: set[type] = set()

    def __enter__(self) -> CompositionRecorder:
        self._core = runtime.load().core
        # Those that are not used add classes.
        from holoscan import conditions, operators, resources, schedulers  # noqa: F401

        self.wrap_classes()
        for cls in (self._core.Application, self._core.Fragment):
            self._wrap_fragment(cls)
        self._wrap_operator(self._core._core.OperatorBase)
        self._wrap_lookup(operators)
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

    def wrap_classes(self) -> None:
        """Have the constructors of all classes that there are by now note their arguments."""
        waiting = [self._core._core.ComponentBase, self._core._core.FragmentService]
        for cls in waiting:  # the list grows during the iteration
            waiting += cls.__subclasses__()
            if cls not in self._wrapped and "__init__" in vars(cls):
                self._wrapped.add(cls)
                self._replace(cls, "__init__", self._noting(vars(cls)["__init__"]))

    def wrap_functions(self, namespace: dict[str, Any]) -> None:
        """Have what `create_op` has made note its calls, in the `namespace` of the script."""
        for name, function in list(namespace.items()):
            if getattr(function, "__module__", "") == "holoscan.decorator" and callable(function):
                namespace[name] = self._noting_call(name, function)

    def _noting(self, original: Any) -> Callable[..., None]:
        @functools.wraps(original)
        def noting(thing: Any, *args: Any, **keywords: Any) -> None:
            # Constructors of base classes are called with what their subclasses make of it.
            self.made.setdefault(id(thing), Made(thing, type(thing), args, keywords))
            original(thing, *args, **keywords)

        return noting

    def _noting_call(self, name: str, function: Any) -> Callable[..., Any]:
        def noting(*args: Any, **keywords: Any) -> Any:
            thing = function(*args, **keywords)
            self.made[id(thing)] = Made(thing, type(thing), args, keywords, name)
            return thing

        return noting

    def _wrap_fragment(self, cls: type) -> None:
        """Note what an application or a fragment is told."""
        recorder = self
        original_flow, original_config = cls.add_flow, cls.from_config  # type: ignore[attr-defined]
        original_dynamic = cls.set_dynamic_flows  # type: ignore[attr-defined]
        original_service = cls.register_service  # type: ignore[attr-defined]
        original_logger = cls.add_data_logger  # type: ignore[attr-defined]

        # Each has the name of what it stands for, by which pybind11 sees that C++ is to be called.
        def run(self: Any, *_: Any) -> None:
            recorder.applications.append(self)
            raise _RunError

        def add_flow(self: Any, source: Any, target: Any, *more: Any, **keywords: Any) -> None:
            if recorder.is_flow(source, target, (*more, *keywords.values())):
                declare(source, target, (*more, *keywords.values()))
                original_flow(self, source, target, *more, **keywords)

        def add_fragment(_: Any, fragment: Any) -> None:
            recorder.note_fragment(fragment)

        def from_config(self: Any, key: str) -> Any:
            found = original_config(self, key)
            recorder.kept.append(found)
            recorder.sections[id(found)] = key
            return found

        def set_dynamic_flows(self: Any, operator: Any, function: Any) -> None:
            recorder.dynamic.append((operator, function))
            original_dynamic(self, operator, function)

        def register_service(self: Any, service: Any, id: str = "") -> None:  # noqa: A002
            recorder.services.append((id or getattr(service, "name", ""), service))
            original_service(self, service, id)

        def add_data_logger(self: Any, logger: Any) -> None:
            recorder.loggers.append((getattr(logger, "name", ""), logger))
            original_logger(self, logger)

        methods = (add_flow, from_config, set_dynamic_flows, register_service, add_data_logger, run)
        for method in methods:
            self._replace(cls, method.__name__, method)
        self._replace(cls, "run_async", run)
        # A tracker composes an application before it runs; frames are always tracked in an app.
        for name in ("compose_graph", "track", "track_distributed"):
            self._replace(cls, name, lambda *_args, **_keywords: _Nothing())
        if cls is self._core.Application:
            self._replace(cls, "add_fragment", add_fragment)
        for name in _UNSAID:
            self._replace(cls, name, self._unsaid(name, getattr(cls, name)))

    def _wrap_operator(self, cls: Any) -> None:
        """Note what an operator is told after it was made."""
        recorder, original = self, cls.add_arg

        def add_arg(self: Any, *args: Any, **keywords: Any) -> None:
            recorder.notes.append(f"add_arg() of {self.name}; write the argument under its with:")
            original(self, *args, **keywords)

        self._replace(cls, "add_arg", add_arg)

    def _wrap_lookup(self, operators: ModuleType) -> None:
        """Have stand-ins for those operators that cannot be imported here."""
        original = operators.__getattr__
        made: dict[str, type] = {}

        def lookup(name: str) -> Any:
            if name not in made:
                try:
                    return original(name)
                except ImportError:  # `holoflow check` says what is not checked, and why
                    made[name] = stand_in(self._core.Operator, name)
                    self.wrap_classes()
            return made[name]

        self._replace(operators, "__getattr__", lookup)

    def is_flow(self, source: Any, target: Any, more: Sequence[Any]) -> bool:
        """Whether a flow is one between operators; note what else is said of it."""
        if isinstance(source, self._core._core.Fragment):
            self.note_fragment(source)
            self.note_fragment(target)
            self.between.append((source, target, sorted(next(iter(more), ()))))
            return False
        if any("ConnectorType" in type(item).__name__ for item in more):
            self.notes.append(
                f"the connector type of the flow from {source.name} to {target.name}; queue: and "
                "when_full: say what happens where messages wait"
            )
        return True

    def note_fragment(self, fragment: Any) -> None:
        """Note that the application has `fragment`."""
        if not any(fragment is other for other in self.fragments):
            self.fragments.append(fragment)

    def _unsaid(self, name: str, original: Any) -> Any:
        def noting(self_: Any, *args: Any, **keywords: Any) -> Any:
            self.notes.append(f"{name}() of the application, for which an app file has no word")
            return original(self_, *args, **keywords)

        noting.__code__ = noting.__code__.replace(co_name=name)
        return noting

    def _replace(self, owner: Any, name: str, value: Any) -> None:
        own = name in vars(owner)
        before = vars(owner).get(name)
        setattr(owner, name, value)
        undo = functools.partial(setattr, owner, name, before)
        self._undo.callback(undo if own else functools.partial(delattr, owner, name))


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
    except _RunError:
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
