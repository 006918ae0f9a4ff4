"""Ports of an operator, read from the signature of `process` or `frames`."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias, TypeVar, Union, get_args, get_origin

from typing_extensions import NotRequired, Required, is_typeddict

from holoflow.core.errors import OperatorDefinitionError
from holoflow.core.message import Header, Stamped

T = TypeVar("T")


Trigger: TypeAlias = Literal["all", "any"]
"""What triggers a call: one message at each of the inputs, or each message at any of them."""

_LISTS = (list, Sequence)


class _LatestMarker:
    """Marks an input that holds the newest value."""


Latest = Annotated[Union[T, None], _LatestMarker]  # noqa: UP007 - a generic alias
"""`boxes: Latest[Boxes]` holds the newest value and does not trigger; None before the first."""


@dataclass(frozen=True)
class InputPort:
    """An input: a parameter of `process`."""

    name: str
    type: Any
    """Type of the payload; `Any` accepts everything."""
    required: bool = True
    latest: bool = False
    """Holds the newest value, does not trigger."""
    element: InputPort | None = None
    """The port of each of several flows that `images: [a, b]` joins into a list; None if `type`
    is not a list. The flows end at `images:0`, `images:1`, …"""


@dataclass(frozen=True)
class OutputPort:
    """An output: the return type, or a key of the typed dict that is returned."""

    name: str
    type: Any
    optional: bool = False
    """A call may send nothing: `-> Image | None`, or a key of a typed dict, which may be
    missing."""


@dataclass(frozen=True)
class Ports:
    """Everything the engine needs to know to call an operator."""

    inputs: dict[str, InputPort]
    outputs: dict[str, OutputPort]
    source: bool = False
    """Implements `frames()`."""
    generator: bool = False
    """`process` may send several messages per call."""
    stamped: bool = False
    """Results are `Stamped`."""
    several: bool = False
    """Results are typed dicts, one key an output port."""
    header: str | None = None
    """Parameter of `process` that receives the header of the triggering message."""
    open_inputs: Any = None
    """Type of inputs named by the app (`**values: T`); None if there are none."""
    trigger: Trigger = "all"
    unknown: bool = False
    """Whether its ports are not known on this machine, so that any name may be one of them."""

    def input(self, name: str) -> InputPort:
        """Return the input at which a flow ends: `image`, `images:0`, or one named by the app."""
        base, colon, _ = name.partition(":")
        port = self.inputs.get(base)
        if port is None:
            return InputPort(name, self.open_inputs)
        return port.element or port if colon else port

    def type_of(self, name: str) -> Any:
        """Return the payload type of the input `name`, given as for `input`."""
        return self.input(name).type


def numbered(port: str, index: int) -> str:
    """Return the name of the input for flow `index` of those that `port` takes as a list."""
    return f"{port}:{index}"


def base(port: str) -> str:
    """Return the parameter of `process` that the flow to `port` belongs to."""
    return port.partition(":")[0]


def position(port: str) -> int:
    """Return the position in its list of the flow to `port`; 0 if it is not in a list."""
    return int(port.partition(":")[2] or 0)


def type_name(hint: Any) -> str:
    """Return a short readable name of a payload type."""
    if hint is Any:
        return "any"
    if get_origin(hint) in (Union, types.UnionType):
        return " | ".join(type_name(arg) for arg in get_args(hint))
    name = getattr(hint, "__name__", None) or str(hint)
    if get_origin(hint) in _LISTS:
        return f"{name}[{', '.join(type_name(arg) for arg in get_args(hint))}]"
    return name


def fits(produced: Any, consumed: Any) -> bool:
    """Whether a payload of type `produced` may flow into a port of type `consumed`.

    `Any` fits on both sides; every member of a produced union must fit.
    """
    if produced is Any or consumed is Any or produced == consumed:
        return True
    if get_origin(produced) in (Union, types.UnionType):
        return all(fits(arg, consumed) for arg in get_args(produced) if arg is not type(None))
    if get_origin(consumed) in (Union, types.UnionType):
        return any(fits(produced, arg) for arg in get_args(consumed) if arg is not type(None))
    produced, consumed = class_of(produced), class_of(consumed)
    return (
        isinstance(produced, type) and isinstance(consumed, type) and issubclass(produced, consumed)
    )


def class_of(hint: Any) -> Any:
    """Return the class behind a generic type, or behind an alias of one as NumPy's `NDArray`."""
    origin = get_origin(hint) or hint
    value = getattr(origin, "__value__", None)
    return origin if value is None else class_of(value)


def _hints(cls: type, function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function, include_extras=True)
    except NameError as error:
        raise OperatorDefinitionError(
            f"{cls.__module__}.{cls.__qualname__}.{function.__name__}: the annotation uses "
            f"{error.name!r}, which is not defined in the module"
        ) from None


def _takes_none(hint: Any) -> bool:
    """Whether `hint` allows None: `X | None`, or anything at all."""
    if get_origin(hint) in (Union, types.UnionType):
        return any(_takes_none(arg) for arg in get_args(hint))
    return hint in (Any, object, type(None))


def _without_none(hint: Any) -> Any:
    if get_origin(hint) in (Union, types.UnionType):
        members = tuple(arg for arg in get_args(hint) if arg is not type(None))
        return Union[members]  # noqa: UP007 - built from a tuple
    return hint


def _input(name: str, hint: Any, default: Any) -> InputPort:
    if default is None:
        hint = _without_none(hint)  # Python 3.10 puts `Latest[T] = None` into an Optional
    latest = get_origin(hint) is Annotated and any(
        m is _LatestMarker or isinstance(m, _LatestMarker) for m in hint.__metadata__
    )
    plain = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    required = default is inspect.Parameter.empty
    plain = _without_none(plain)
    element = None
    if get_origin(plain) in _LISTS and not latest:
        of = get_args(plain)[0]
        element = InputPort(name, _without_none(of), required=not _takes_none(of) or of is Any)
    return InputPort(name, plain, required, latest, element)


def _element(hint: Any) -> tuple[Any, bool]:
    """Split `Iterator[T]` into T and True; anything else into itself and False."""
    origin = get_origin(hint)
    if origin in (Iterator, Iterable, Generator):
        return get_args(hint)[0], True
    return hint, False


def read_ports(cls: type) -> Ports:
    """Read the ports of operator class `cls`.

    Raises:
        OperatorDefinitionError: The class has neither `process` nor `frames`, or both, an
            annotation is missing, or `trigger` does not fit the inputs.
    """
    where = f"{cls.__module__}.{cls.__qualname__}"
    frames = getattr(cls, "frames", None)
    process = getattr(cls, "process", None)
    if (frames is None) == (process is None):
        raise OperatorDefinitionError(
            f"{where}: this class has {'neither' if frames is None else 'both'}",
            "an operator has a method process(...), a source a method frames()",
        )
    function: Callable[..., Any] = frames or process  # type: ignore[assignment]
    hints = _hints(cls, function)
    if "return" not in hints:
        raise OperatorDefinitionError(
            f"{where}.{function.__name__}: the return type is missing",
            "it makes the output ports (None for a sink)",
        )
    inputs: dict[str, InputPort] = {}
    header: str | None = None
    open_inputs: Any = None
    for parameter in list(inspect.signature(function).parameters.values())[1:]:
        if parameter.name not in hints:
            raise OperatorDefinitionError(
                f"{where}.{function.__name__}: parameter {parameter.name!r} has no type",
                "annotate it with the payload it takes",
            )
        hint = hints[parameter.name]
        if hint is Header:
            header = parameter.name
        elif parameter.kind is inspect.Parameter.VAR_KEYWORD:
            open_inputs = hint
        elif parameter.kind in (
            inspect.Parameter.VAR_POSITIONAL,
            inspect.Parameter.POSITIONAL_ONLY,
        ):
            raise OperatorDefinitionError(
                f"{where}.{function.__name__}: parameter {parameter.name!r} cannot be an input "
                "port",
                "inputs are given by name",
            )
        else:
            inputs[parameter.name] = _input(parameter.name, hint, parameter.default)
    trigger: Any = getattr(cls, "trigger", "all")
    if trigger not in get_args(Trigger):
        raise OperatorDefinitionError(f"{where}.trigger is 'all' or 'any', not {trigger!r}")
    for port in inputs.values():
        needed = port.required and not port.latest and port.element is None
        if trigger == "any" and needed:
            raise OperatorDefinitionError(
                f"{where}.{function.__name__}: with trigger 'any' parameter {port.name!r} has no "
                f"message where another input has brought one",
                "give it a default, or take a list",
            )
    result, generator = _element(hints["return"])
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise OperatorDefinitionError(
            f"{where}.{function.__name__}: it must not be async",
            "a source that waits for a device or a network sets `live = True`",
        )
    if inspect.isgeneratorfunction(function) and not generator:
        raise OperatorDefinitionError(
            f"{where}.{function.__name__}: it yields, so its return type must be "
            f"Iterator[{type_name(result)}]"
        )
    if frames is not None:
        if inputs or header or open_inputs is not None:
            raise OperatorDefinitionError(f"{where}.frames: a source takes no inputs")
        if not generator:
            raise OperatorDefinitionError(f"{where}.frames: the return type must be Iterator[...]")
    optional = _takes_none(result)
    result = _without_none(result)
    stamped = get_origin(result) is Stamped
    if stamped:
        optional |= _takes_none(get_args(result)[0])
        result = _without_none(get_args(result)[0])
    outputs: dict[str, OutputPort] = {}
    several = is_typeddict(result)
    if several:
        members = typing.get_type_hints(result, include_extras=True)
        outputs = {n: OutputPort(n, _without_none(_required(h)), True) for n, h in members.items()}
    elif result is not type(None):
        outputs = {"out": OutputPort("out", result, optional)}
    return Ports(
        inputs, outputs, frames is not None, generator, stamped, several, header, open_inputs,
        trigger,
    )  # fmt: skip


def _required(hint: Any) -> Any:
    """Strip `NotRequired[T]` and `Required[T]`."""
    if get_origin(hint) in (NotRequired, Required):
        return get_args(hint)[0]
    return hint
