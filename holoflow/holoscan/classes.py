"""Holoscan operators, Python or C++: what they are, and how they are made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from holoflow.core.errors import HoloflowError, describe
from holoflow.core.text import choices, suggestion
from holoflow.holoscan.signature import bases, is_object, keywords_of, misfit


@dataclass(frozen=True)
class HoloscanPorts:
    """Ports of a Holoscan operator."""

    inputs: Mapping[str, bool] = field(default_factory=dict)
    """Whether each must be connected: it must if the operator waits for a message there."""
    outputs: tuple[str, ...] = ()
    several: frozenset[str] = frozenset()
    """Inputs that any number of flows may end at."""


@dataclass(frozen=True)
class HoloscanOperator:
    """A Holoscan operator class, Python or C++, with everything needed to construct it."""

    cls: type
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """Plain values, and `HoloscanObject` for allocators, stream pools and other resources."""
    conditions: tuple[HoloscanObject, ...] = ()
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    dynamic_flows: Callable[[Any], None] | None = None
    """Chooses, after each call, the flows that are followed; Holoscan's `set_dynamic_flows`."""


@dataclass(frozen=True)
class HoloscanObject:
    """A Holoscan condition, resource or allocator: `type:` and `with:`.

    The same instance given to several operators is one object that they share.
    """

    cls: type
    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


class HoloscanOperatorError(HoloflowError):
    """A Holoscan operator has wrong or missing arguments."""

    def __init__(self, wrong: str, right: str = "", *, parameter: str | None = None) -> None:
        """Say what is wrong and what would be right, and of which parameter."""
        super().__init__(wrong, right)
        self.parameter = parameter


def is_operator(cls: type) -> bool:
    """Whether `cls` derives from `holoscan.core.Operator`; imports nothing."""
    return bool(bases(cls) & {"Operator", "OperatorBase"}) or missing(cls) != ""


def missing(cls: type) -> str:
    """Return the library for want of which `cls` is only a stand-in here; empty if it is there."""
    return str(cls.__dict__.get("missing_library", ""))


def is_python(cls: type) -> bool:
    """Whether the operator is written in Python, so that its calls can be observed.

    Those that `create_op` makes have a class of their own, which nobody sees before.
    """
    return hasattr(getattr(cls, "compute", None), "__code__") and not is_created(cls)


def is_created(cls: type) -> bool:
    """Whether `cls` stands for operators that `create_op` makes of `cls._original`."""
    return "_original" in cls.__dict__


def stand_in(name: str, module: str, reason: str) -> type:
    """Return what stands for an operator class that cannot be imported here, for `reason`."""

    def refuse(_self: Any, *_args: Any, **_keywords: Any) -> None:
        raise HoloflowError(f"{name} cannot be imported: {reason}", "install that library")

    return type(name, (), {"missing_library": reason, "__module__": module, "__init__": refuse})


def operator_of(function: Callable[..., Any], name: str, module: str) -> type | None:
    """Return an operator class for what `create_op` has made of a function; None if it is not.

    Making an instance calls `function`, which returns an operator of a class of its own. What was
    a class and not a function is made with the arguments first.
    """
    if getattr(function, "__module__", "") != "holoscan.decorator":
        return None
    from holoflow.holoscan import runtime

    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    held = {variable: cell.cell_contents for variable, cell in cells}
    original: Any = held.get("func_or_cls") or held["function_or_class"]
    received = {held.get("op_param")}
    for given in held.get("inputs", ()):
        arguments = given.arg_map
        received |= set(arguments.values() if isinstance(arguments, dict) else [arguments])

    def made(_cls: type, fragment: Any, *args: Any, name: str, **keywords: Any) -> Any:
        if isinstance(original, type):
            return function(**keywords)(fragment, *args, name=name)
        return function(fragment, *args, name=name, **keywords)

    members = {
        "__new__": made, "_original": staticmethod(original), "_received": frozenset(received),
        "__module__": module, "__doc__": original.__doc__,
    }  # fmt: skip
    return type(name, (runtime.load().core.Operator,), members)


def is_enabled(cls: type, arguments: Mapping[str, Any], port: str) -> bool:
    """Whether a declared port takes part: HolovizOp drops those that `enable_…` does not enable."""
    switch = f"enable_{port}"
    return switch not in keywords_of(cls) or bool(arguments.get(switch))


class Objects:
    """The conditions and resources of one Holoscan application, each made once."""

    def __init__(self, fragment: Any) -> None:
        """Make them in `fragment`."""
        self._fragment = fragment
        self._made: dict[int, Any] = {}

    def of(self, value: Any) -> Any:
        """Return an argument with what is to be made in it."""
        if isinstance(value, HoloscanObject):
            if id(value) not in self._made:
                values = {key: self.of(item) for key, item in value.arguments.items()}
                place: tuple[Any, ...] = ()
                if is_object(value.cls):  # else a service that is no resource, and has no name
                    place, values = (self._fragment,), {**values, "name": value.name}
                self._made[id(value)] = _construct(value.cls, place, values, value.arguments)
            return self._made[id(value)]
        if isinstance(value, list):
            return [self.of(item) for item in value]
        if isinstance(value, dict):
            return {key: self.of(item) for key, item in value.items()}
        return value


def make(
    fragment: Any, cls: type, name: str, arguments: Mapping[str, Any],
    conditions: Sequence[HoloscanObject], extra: Sequence[Any] = (),
    objects: Objects | None = None,
) -> Any:  # fmt: skip
    """Construct an operator of class `cls` with all its conditions and resources.

    Raises:
        HoloscanOperatorError: An argument is unknown, missing or of the wrong type.
    """
    objects = objects or Objects(fragment)
    positional = [objects.of(condition) for condition in conditions]
    values = {key: objects.of(value) for key, value in arguments.items()}
    return _construct(cls, (fragment, *positional, *extra), {**values, "name": name}, arguments)


def _construct(
    cls: type, positional: tuple[Any, ...], keywords: dict[str, Any], given: Mapping[str, Any]
) -> Any:
    _check_types(cls, given)
    try:
        return cls(*positional, **keywords)
    except HoloflowError:
        raise
    except Exception as error:
        _explain(cls, given)
        text = describe(error).split(" The following argument types", maxsplit=1)[0]
        raise HoloscanOperatorError(f"{cls.__name__} cannot be constructed: {text}") from error


def _check_types(cls: type, given: Mapping[str, Any]) -> None:
    """Raise an error for an argument of the wrong type that Holoscan would accept."""
    signature = keywords_of(cls)
    for name, value in given.items():
        wrong = misfit(value, signature[name]) if name in signature else ""
        if wrong:
            raise HoloscanOperatorError(f"{name!r} of {cls.__name__} {wrong}", parameter=name)


def _explain(cls: type, given: Mapping[str, Any]) -> None:
    """Raise an error that names the argument at fault, if the signature shows it."""
    signature = keywords_of(cls)
    if not signature:
        return
    for name in given:
        if name not in signature:
            raise unknown(cls, name, list(signature))
    for name, keyword in signature.items():
        if keyword.required and name not in given:
            raise HoloscanOperatorError(
                f"{cls.__name__} needs {name!r} ({keyword.text})", parameter=name
            )


def unknown(cls: type, name: str, known: Sequence[str]) -> HoloscanOperatorError:
    """Return the error of a parameter that `cls` does not have."""
    wrong = f"{cls.__name__} has no parameter {name!r}"
    right = suggestion(name, known, f"it has {choices(known)}") if known else "it has none"
    return HoloscanOperatorError(wrong, right, parameter=name)
