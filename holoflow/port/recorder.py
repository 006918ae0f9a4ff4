"""Notes how the objects of a Holoscan application are made, and what the application is told.

Holoscan's own classes are used, with constructors that note their arguments first.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from types import ModuleType
from typing import Any

from holoflow.holoscan import runtime
from holoflow.port.application import Made, OperatorPool, PoolAddition
from holoflow.port.stand_ins import declare, stand_in

_UNSAID = ("add_default_green_context_pool",)
"""Methods of applications and fragments for which an app file has no word."""


class AskedToRun(BaseException):
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
        self.pools: dict[int, OperatorPool] = {}
        self.notes: list[str] = []
        self.applications: list[Any] = []
        """Those that were asked to run."""
        self._undo = ExitStack()
        self._wrapped: set[type] = set()

    def __enter__(self) -> CompositionRecorder:
        self._core = runtime.load().core
        # Conditions and schedulers, which `load` has imported, add classes as these do.
        operators, resources = map(runtime.submodule, ("operators", "resources"))
        self.wrap_classes()
        for cls in (self._core.Application, self._core.Fragment):
            self._wrap_fragment(cls)
        self._wrap_operator(self._core._core.OperatorBase)
        self._wrap_lookup(operators)
        self._wrap_pool(resources.ThreadPool)
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
        original_pool = cls.make_thread_pool  # type: ignore[attr-defined]

        # Each has the name of what it stands for, by which pybind11 sees that C++ is to be called.
        def run(self: Any, *_: Any) -> None:
            recorder.applications.append(self)
            raise AskedToRun

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

        def make_thread_pool(self: Any, name: str, initialize_size: int = 1) -> Any:
            pool = original_pool(self, name, initialize_size)
            recorder.kept.append(pool)
            recorder.pools[id(pool)] = OperatorPool(name, initialize_size)
            return pool

        methods = (
            add_flow, from_config, set_dynamic_flows, register_service, add_data_logger,
            make_thread_pool, run,
        )  # fmt: skip
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

    def _wrap_pool(self, cls: Any) -> None:
        """Note which operators are added to thread pools; Holoscan need not know."""
        recorder = self

        def add(
            self: Any, ops: Any, pin_operator: bool = False, pin_cores: Sequence[int] = ()
        ) -> None:
            added = tuple(ops) if isinstance(ops, (list, tuple)) else (ops,)
            addition = PoolAddition(added, pin_operator, tuple(pin_cores))
            recorder.pools[id(self)].additions.append(addition)

        def add_realtime(
            self: Any, op: Any, sched_policy: Any, pin_operator: bool = True,
            pin_cores: Sequence[int] = (), **_: Any,
        ) -> None:  # fmt: skip
            addition = PoolAddition((op,), pin_operator, tuple(pin_cores), sched_policy)
            recorder.pools[id(self)].additions.append(addition)

        self._replace(cls, "add", add)
        self._replace(cls, "add_realtime", add_realtime)

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
