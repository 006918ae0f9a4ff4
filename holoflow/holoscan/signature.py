"""What the constructors of Holoscan's classes take, and conversion of what a file gives them."""

from __future__ import annotations

import datetime
import functools
import importlib
import inspect
import re
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

from holoflow.core.quantity import DURATION_UNITS, parse_quantity
from holoflow.core.text import choices, suggestion

_SKIPPED = {"self", "fragment", "name", "args", "kwargs"}
_PLAIN: Mapping[Any, tuple[type, ...]] = {
    int: (int,), float: (int, float), bool: (bool,), str: (str,), list: (list, tuple),
    dict: (dict,), tuple: (list, tuple), type(None): (type(None),),
}  # fmt: skip
_BUILT_IN = {kind.__name__: kind for kind in (int, float, bool, str, list, dict, tuple)}
_UNITS_BY_SUFFIX = {"_ns": 1e9, "_us": 1e6, "_ms": 1e3}


@dataclass(frozen=True)
class Keyword:
    """A keyword of a constructor."""

    text: str
    """Its type, for people."""
    required: bool
    kinds: frozenset[Any] = frozenset()
    """The classes that its annotation names, those in a list or a union too; empty if unknown."""

    @property
    def wants_object(self) -> bool:
        """Whether it wants a condition or a resource."""
        return any(isinstance(kind, type) and is_object(kind) for kind in self.kinds)

    @property
    def wants_function(self) -> bool:
        """Whether it wants a function."""
        return Callable in self.kinds


UNKNOWN = Keyword("any", False)


def is_object(cls: type) -> bool:
    """Whether `cls` is a Holoscan condition, resource or allocator."""
    return bool(bases(cls) & {"Condition", "Resource", "ResourceBase", "ConditionBase"})


def is_condition(cls: type) -> bool:
    """Whether `cls` is a Holoscan condition."""
    return bool(bases(cls) & {"Condition", "ConditionBase"})


def is_service(cls: type) -> bool:
    """Whether `cls` can be registered as a service: it is a resource or a FragmentService."""
    service = "FragmentService" in bases(cls)
    return service or (is_object(cls) and not is_condition(cls))


def is_logger(cls: type) -> bool:
    """Whether `cls` is a data logger of Holoscan's."""
    return "DataLogger" in bases(cls)


def bases(cls: type) -> set[str]:
    """Return the names of the classes of Holoscan's that `cls` derives from; imports nothing."""
    return {base.__name__ for base in cls.__mro__ if base.__module__.split(".")[0] == "holoscan"}


@functools.cache
def keywords_of(cls: type) -> dict[str, Keyword]:
    """Return the keywords of the constructor of `cls`; none if they cannot be known.

    For C++ classes they are read from the signatures in the docstring that pybind11 writes.
    """
    function = _constructor(cls)
    if inspect.isfunction(function):
        received: frozenset[str] = getattr(cls, "_received", frozenset())
        annotated = _annotated(function, _leading(cls, function))
        return {name: keyword for name, keyword in annotated if name not in received}
    found: dict[str, list[Keyword]] = {}
    signatures = re.findall(r"__init__\(self.*", function.__doc__ or "")
    for signature in signatures:
        for name, keyword in _documented(signature):
            found.setdefault(name, []).append(keyword)
    return {
        name: Keyword(
            " or ".join(dict.fromkeys(k.text for k in keywords)),
            all(k.required for k in keywords) and len(keywords) == len(signatures),
            frozenset[Any]().union(*(k.kinds for k in keywords)),
        )
        for name, keywords in found.items()
    }


def accepts_any(cls: type) -> bool:
    """Whether the constructor takes keywords that its signature does not name."""
    function = _constructor(cls)
    if not inspect.isfunction(function):
        return not keywords_of(cls)
    return any(
        parameter.kind is parameter.VAR_KEYWORD
        for parameter in inspect.signature(function).parameters.values()
    )


def _constructor(cls: type) -> Any:
    """Return what takes the arguments of `cls`; of what `create_op` has made, that is behind it."""
    original = getattr(cls, "_original", cls)
    return original.__init__ if isinstance(original, type) else original  # type: ignore[misc]


def _leading(cls: type, function: Callable[..., Any]) -> int:
    """Return how many of the first parameters of a constructor are no arguments.

    That of what is in a fragment takes that one after the instance, whatever it calls it.
    """
    original = getattr(cls, "_original", None)
    if original is not None:
        return int(isinstance(original, type))
    parameters = list(inspect.signature(function).parameters.values())[1:]
    takes_it = parameters and parameters[0].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    return 1 + bool(takes_it and "ComponentBase" in bases(cls))


def _annotated(function: Callable[..., Any], leading: int) -> Iterator[tuple[str, Keyword]]:
    """Yield the keywords of `function`, without the `leading` parameters."""
    for name, parameter in list(inspect.signature(function).parameters.items())[leading:]:
        if name in _SKIPPED or parameter.kind in (
            parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY,
        ):  # fmt: skip
            continue
        hint = _evaluated(parameter.annotation, function)
        said = parameter.annotation
        text = "any" if said is parameter.empty else getattr(said, "__name__", str(said))
        kinds = frozenset(_kinds(hint))
        required = parameter.default is parameter.empty
        yield name, Keyword(text, required, frozenset() if Any in kinds else kinds)


def _evaluated(annotation: Any, function: Callable[..., Any]) -> Any:
    """Return the type that an annotation of `function` stands for; `Any` if it is not known."""
    if annotation is inspect.Parameter.empty:
        return Any
    one = types.SimpleNamespace(__annotations__={"hint": annotation}, __globals__={})
    try:
        return typing.get_type_hints(one, function.__globals__)["hint"]
    except Exception:  # a name that only type checkers import
        return Any


def _kinds(hint: Any) -> Iterator[Any]:
    """Yield the classes that an annotation names; `Any` if it allows anything."""
    origin = get_origin(hint)
    if origin is Annotated:
        yield from _kinds(get_args(hint)[0])
    elif origin in (Union, types.UnionType):
        for part in get_args(hint):
            yield from _kinds(part)
    elif origin is not None and issubclass(origin, Callable):  # type: ignore[arg-type]
        yield Callable
    elif origin is not None:
        yield {Mapping: dict}.get(origin, origin if origin in _PLAIN else list)
        for part in get_args(hint):
            yield from (kind for kind in _kinds(part) if kind is not Any and kind is not Ellipsis)
    elif hint is None:
        yield type(None)
    elif hint is object:
        yield Any
    else:
        yield Callable if hint in (Callable, typing.Callable) else hint


def _documented(signature: str) -> Iterator[tuple[str, Keyword]]:
    """Yield the keywords of a signature that pybind11 has written."""
    pattern = r"(\w+): ([\w.:]+(?:\[[^=]*?\])?)(?: = (.*?))?(?=, \w+: |, \*|\) ->)"
    for match in re.finditer(pattern, signature):
        if match[1] in _SKIPPED:
            continue
        words = set(re.findall(r"[\w.]+", match[2])) - {"Optional", "Union"}
        kinds = {_named(word) for word in words}
        if None in kinds:  # what is not known may be anything
            kinds = {kind for kind in kinds if isinstance(kind, type) and is_object(kind)}
        yield match[1], Keyword(match[2], match[3] is None, frozenset(kinds))


@functools.cache
def _named(word: str) -> Any:
    """Return the class that `word` names in a signature; None if it is not known."""
    if word in ("None", "NoneType"):
        return type(None)
    if word.rpartition(".")[2] in ("Callable", "function"):
        return Callable
    if word in _BUILT_IN:
        return _BUILT_IN[word]
    if word == "datetime.timedelta":
        return datetime.timedelta
    module, dot, rest = word.rpartition(".")
    while dot and module:
        try:
            return functools.reduce(getattr, rest.split("."), importlib.import_module(module))
        except (ImportError, AttributeError):
            module, dot, inner = module.rpartition(".")
            rest = f"{inner}.{rest}"
    return None


def misfit(value: Any, keyword: Keyword) -> str:
    """Return why `value` is nothing that `keyword` takes, though Holoscan would accept it."""
    kinds = keyword.kinds
    if not kinds or any(kind not in _PLAIN for kind in kinds):
        return ""
    accepted = tuple(cls for kind in kinds for cls in _PLAIN[kind])
    if isinstance(value, accepted) and (bool in kinds or not isinstance(value, bool)):
        return ""
    return f"must be {keyword.text}, got {value!r}"


def convert(name: str, value: Any, keyword: Keyword, folder: Path) -> Any:
    """Return `value`, as a file gives it, as what `keyword` wants.

    Text becomes a path (relative to `folder`), a member of an enumeration, or of a duration
    nanoseconds or a time difference.

    Raises:
        ValueError: The text is none of these; the two arguments are what is wrong and right.
    """
    if isinstance(value, list):
        return [convert(name, item, keyword, folder) for item in value]
    if not isinstance(value, str):
        return value
    kinds = keyword.kinds
    if Path in kinds:
        return folder / Path(value).expanduser()
    for kind in kinds:
        members: Mapping[str, Any] | None = getattr(kind, "__members__", None)
        if not isinstance(kind, type) or not members:
            continue
        by_name = {member.lower(): found for member, found in members.items()}
        by_value = {str(getattr(found, "value", found)): found for found in members.values()}
        found = by_name.get(value.lower(), by_value.get(value))
        if found is not None:
            return found
        if str not in kinds:
            right = suggestion(value, list(members), f"one of {choices(members)}")
            raise ValueError(f"{name!r} cannot be {value!r}", right)
    if datetime.timedelta in kinds:
        seconds = _seconds(name, value)
        return round(seconds * 1e9) if int in kinds else datetime.timedelta(seconds=seconds)
    unit = _UNITS_BY_SUFFIX.get(name[-3:])
    if unit is not None and kinds & {int, float} and str not in kinds:
        return round(_seconds(name, value) * unit)
    return value


def _seconds(name: str, text: str) -> float:
    try:
        return parse_quantity(text, DURATION_UNITS, "200ms", bare=False)
    except Exception as error:
        raise ValueError(f"{name!r} cannot be {text!r}", getattr(error, "right", "")) from None
