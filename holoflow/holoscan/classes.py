"""Holoscan operators, Python or C++: what they are, and checks of their arguments."""

from __future__ import annotations

import inspect as introspection
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from holoflow.core.errors import HoloflowError, describe
from holoflow.core.text import choices, suggestion
from holoflow.holoscan import runtime


@dataclass(frozen=True)
class HoloscanOperator:
    """A Holoscan operator class, Python or C++, with everything needed to construct it."""

    cls: type
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """Plain values, and `HoloscanObject` for allocators, stream pools and other resources."""
    conditions: tuple[HoloscanObject, ...] = ()
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()


@dataclass(frozen=True)
class HoloscanObject:
    """A Holoscan condition, resource or allocator: `type:` and `with:`."""

    cls: type
    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


_PLAIN = {
    "int": (int,), "float": (int, float), "bool": (bool,), "str": (str,), "list": (list, tuple),
    "dict": (dict,),
}  # fmt: skip


class HoloscanOperatorError(HoloflowError):
    """A Holoscan operator has wrong or missing arguments."""

    def __init__(self, wrong: str, right: str = "", *, parameter: str | None = None) -> None:
        """Say what is wrong and what would be right, and of which parameter."""
        super().__init__(wrong, right)
        self.parameter = parameter


def _bases(cls: type) -> set[str]:
    return {base.__name__ for base in cls.__mro__ if base.__module__.split(".")[0] == "holoscan"}


def is_operator(cls: type) -> bool:
    """Whether `cls` derives from `holoscan.core.Operator`; imports nothing."""
    return bool(_bases(cls) & {"Operator", "OperatorBase"})


def is_object(cls: type) -> bool:
    """Whether `cls` is a Holoscan condition, resource or allocator."""
    return bool(_bases(cls) & {"Condition", "Resource", "ResourceBase", "ConditionBase"})


def inspect(
    cls: type, arguments: Mapping[str, Any], conditions: Sequence[HoloscanObject]
) -> tuple[dict[str, bool], tuple[str, ...]]:
    """Construct the operator in an application that is never run, to find its ports.

    Returns:
        Whether each input must be connected (it must if the operator waits for a message
        there), by name; and the names of the outputs.

    Raises:
        HoloscanOperatorError: An argument is unknown, missing or of the wrong type.
    """
    core = runtime.load().core
    fragment = core.Application()
    operator = make(fragment, cls, "inspected", arguments, conditions)
    unknown = {argument.name for argument in operator.args} - set(_declared(operator, cls))
    for name in sorted(unknown & set(arguments)):
        known = _declared(operator, cls)
        raise _unknown(cls, name, known)
    described = _description(operator)["inputs"] or []
    free = {port["name"] for port in described if {"type": "kNone"} in (port["conditions"] or [])}
    return {name: name not in free for name in operator.spec.inputs}, tuple(operator.spec.outputs)


def make(
    fragment: Any, cls: type, name: str, arguments: Mapping[str, Any],
    conditions: Sequence[HoloscanObject], extra: Sequence[Any] = (),
) -> Any:  # fmt: skip
    """Construct an operator of class `cls` with all its conditions and resources.

    Raises:
        HoloscanOperatorError: An argument is unknown, missing or of the wrong type.
    """
    positional = [_make_object(fragment, condition) for condition in conditions]
    values = {key: _value(fragment, value) for key, value in arguments.items()}
    return _construct(cls, (fragment, *positional, *extra), {**values, "name": name}, arguments)


def _make_object(fragment: Any, given: HoloscanObject) -> Any:
    values = {key: _value(fragment, value) for key, value in given.arguments.items()}
    return _construct(given.cls, (fragment,), {**values, "name": given.name}, given.arguments)


def _value(fragment: Any, value: Any) -> Any:
    return _make_object(fragment, value) if isinstance(value, HoloscanObject) else value


def _construct(
    cls: type, positional: tuple[Any, ...], keywords: dict[str, Any], given: Mapping[str, Any]
) -> Any:
    _check_types(cls, given)
    try:
        return cls(*positional, **keywords)
    except Exception as error:
        _explain(cls, given)
        text = describe(error).split(" The following argument types", maxsplit=1)[0]
        raise HoloscanOperatorError(f"{cls.__name__} cannot be constructed: {text}") from error


def _check_types(cls: type, given: Mapping[str, Any]) -> None:
    """Raise an error for an argument of the wrong type that Holoscan would accept."""
    signature = keywords_of(cls)
    for name, value in given.items():
        wanted = signature[name][0] if name in signature else "any"
        plain = _PLAIN.get(wanted.split("[")[0])
        wrong_bool = isinstance(value, bool) and wanted != "bool"
        if plain and (not isinstance(value, plain) or wrong_bool):
            raise HoloscanOperatorError(
                f"{name!r} of {cls.__name__} must be {wanted}, got {value!r}", parameter=name
            )


def _explain(cls: type, given: Mapping[str, Any]) -> None:
    """Raise an error that names the argument at fault, if the signature shows it."""
    signature = keywords_of(cls)
    if not signature:
        return
    for name in given:
        if name not in signature:
            raise _unknown(cls, name, list(signature))
    for name, (wanted, required) in signature.items():
        if required and name not in given:
            raise HoloscanOperatorError(f"{cls.__name__} needs {name!r} ({wanted})", parameter=name)


def _unknown(cls: type, name: str, known: Sequence[str]) -> HoloscanOperatorError:
    wrong = f"{cls.__name__} has no parameter {name!r}"
    right = suggestion(name, known, f"it has {choices(known)}")
    return HoloscanOperatorError(wrong, right, parameter=name)


def _declared(operator: Any, cls: type) -> list[str]:
    """Return the names of the parameters that an operator takes."""
    declared = _description(operator)["params"] or []
    return sorted({*(parameter["name"] for parameter in declared), *keywords_of(cls)})


def _description(operator: Any) -> dict[str, Any]:
    """Return Holoscan's description of an operator's parameters and ports."""
    from ruamel.yaml import YAML

    described: dict[str, Any] = YAML(typ="safe").load(operator.spec.description)
    return described


def keywords_of(cls: type) -> dict[str, tuple[str, bool]]:
    """Return the type of each keyword of the constructor, and whether it is required.

    For C++ classes they are read from the first line of the docstring that pybind11 writes.
    """
    skipped = {"self", "fragment", "name", "args", "kwargs"}
    if introspection.isfunction(cls.__init__):  # type: ignore[misc]
        parameters = introspection.signature(cls.__init__).parameters  # type: ignore[misc]
        return {
            name: (_annotation(p), p.default is p.empty)
            for name, p in parameters.items()
            if name not in skipped and p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)
        }
    text = next(iter((cls.__init__.__doc__ or "").splitlines()), "")  # type: ignore[misc]
    pattern = r"(\w+): ([\w.]+(?:\[[^=]*?\])?)(?: = (.*?))?(?=, \w+: |, \*|\) ->)"
    return {
        match[1]: (match[2], match[3] is None)
        for match in re.finditer(pattern, text)
        if match[1] not in skipped
    }


def _annotation(parameter: introspection.Parameter) -> str:
    hint = parameter.annotation
    return "any" if hint is parameter.empty else getattr(hint, "__name__", str(hint))
