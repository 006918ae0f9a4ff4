"""The parameters of an operator: its annotated class fields, as a pydantic model."""

from __future__ import annotations

import inspect
import json
import typing
from collections.abc import Hashable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, get_origin

import pydantic
from pydantic_core import to_jsonable_python

from holoflow.core.errors import OperatorDefinitionError, ParameterError, joined
from holoflow.core.text import choices, suggestion

if TYPE_CHECKING:
    from holoflow.core.operator import Operator


def model(cls: type, root: type) -> type[pydantic.BaseModel]:
    """Return the model of the parameters that `cls` and its bases below `root` declare.

    Raises:
        OperatorDefinitionError: One of them is not declared as a parameter has to be.
    """
    fields: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        if not issubclass(base, root) or base is root:
            continue
        _refuse_unannotated(base)
        for name, hint in _public_hints(base).items():
            if get_origin(hint) is not ClassVar and name != "context":
                fields[name] = (hint, base.__dict__.get(name, ...))
    try:
        return pydantic.create_model(
            cls.__name__,
            __config__=pydantic.ConfigDict(
                extra="forbid", arbitrary_types_allowed=True, validate_default=True,
                protected_namespaces=(),
            ),
            __doc__=inspect.getdoc(cls),
            **fields,
        )  # fmt: skip
    except (pydantic.errors.PydanticUserError, NameError, TypeError) as error:
        raise OperatorDefinitionError(f"{cls.__module__}.{cls.__qualname__}: {error}") from None


def _refuse_unannotated(cls: type) -> None:
    """Raise `OperatorDefinitionError` for a `param` that would stay a class variable."""
    annotated = inspect.get_annotations(cls)
    for name, value in vars(cls).items():
        if not isinstance(value, pydantic.fields.FieldInfo):
            continue
        where = f"{cls.__module__}.{cls.__qualname__}.{name}"
        if name.startswith("_"):
            raise OperatorDefinitionError(
                f"{where}: the name of a parameter cannot start with an underscore",
                f"write `{name.lstrip('_')}: … = param(…)`",
            )
        if name not in annotated:
            default = value.default
            known = type(default) in (bool, int, float, str)
            example = type(default).__name__ if known else "float"
            raise OperatorDefinitionError(
                f"{where}: a parameter needs a type",
                f"write `{name}: {example} = param({repr(default) + ', ' if known else ''}doc=…)`",
            )


def _public_hints(cls: type) -> dict[str, Any]:
    """Resolve the annotations of `cls` itself whose names do not start with an underscore."""
    own = {n: h for n, h in inspect.get_annotations(cls).items() if not n.startswith("_")}
    holder = type("holder", (), {"__annotations__": own, "__module__": cls.__module__})
    try:
        return typing.get_type_hints(holder, include_extras=True)
    except NameError as error:
        raise OperatorDefinitionError(
            f"{cls.__module__}.{cls.__qualname__}: a parameter's annotation uses "
            f"{error.name!r}, which is not defined in the module"
        ) from None


def live_parameters(cls: type[Operator]) -> tuple[str, ...]:
    """Return the names of the parameters of `cls` that may change while the app runs."""
    fields = cls.parameters().model_fields
    return tuple(name for name, field in fields.items() if is_live(field))


def is_live(field: pydantic.fields.FieldInfo) -> bool:
    """Whether a parameter may change while the app runs."""
    extra = field.json_schema_extra
    return isinstance(extra, dict) and extra.get("live") is True


def schema(cls: type[Operator], name: str) -> dict[str, Any]:
    """Return the JSON Schema of a parameter; empty if it cannot be expressed in JSON Schema."""
    model: Hashable = cls.parameters()
    found: dict[str, Any] = _schemas(model).get(name, {})
    return found


@cache
def _schemas(model: Any) -> dict[str, Any]:
    try:
        found: dict[str, Any] = model.model_json_schema()["properties"]
    except pydantic.errors.PydanticInvalidForJsonSchema:
        return {}
    return found


def parsed(cls: type[Operator], name: str, value: Any) -> Any:
    """Return the value of the parameter `name` that an app file writes as `value`.

    Raises:
        ParameterError: It is no such value.
    """
    from holoflow.core.quantity import UNITS_REQUIRED

    whole = cls.parameters()
    field = whole.model_fields[name]
    alone = pydantic.create_model(
        cls.__name__, __config__=whole.model_config, **{name: (field.annotation, field)}
    )  # type: ignore[call-overload]
    try:
        made = alone.model_validate_json(
            json.dumps({name: value}), strict=True, context=UNITS_REQUIRED
        )
    except pydantic.ValidationError as error:
        raise _wrong(alone, error) from None
    return getattr(made, name)


def written(cls: type[Operator], name: str, parameters: Mapping[str, Any]) -> str:
    """Return the value of the parameter `name` as JSON, as an app file writes it.

    `parameters` are those of the app file, of which some may be left out.
    """
    field = cls.parameters().model_fields[name]
    return as_json(parameters.get(name, field.get_default(call_default_factory=True)))


def as_json(value: Any) -> str:
    """Return what stands in an app file, or the default of a parameter, as JSON."""
    return json.dumps(to_jsonable_python(value, fallback=str))


def checked(model: type[pydantic.BaseModel], parameters: Mapping[str, Any]) -> pydantic.BaseModel:
    """Return `parameters` as a `model`; raise `ParameterError` if they are invalid."""
    try:
        return model(**parameters)
    except pydantic.ValidationError as error:
        raise _wrong(model, error) from None


def _wrong(model: type[pydantic.BaseModel], error: pydantic.ValidationError) -> ParameterError:
    operator, known = model.__name__, model.model_fields
    found: list[tuple[str, str]] = []
    for item in error.errors(include_url=False):
        name = ".".join(str(part) for part in item["loc"]) or "parameters"
        if item["type"] == "extra_forbidden":
            right = suggestion(name, known, f"it has {choices(known)}")
            found.append((f"{operator}: unknown parameter {name!r}", right))
        elif item["type"] == "missing":
            found.append((f"{operator}: parameter {name!r} is required", ""))
        else:
            found.append((f"{operator}.{name}: {item['msg']}, got {item['input']!r}", ""))
    if len(found) == 1:
        return ParameterError(*found[0])
    return ParameterError("\n".join(joined(*each) for each in found))
