"""JSON Schema of app files and fragment templates, for editors and for `holoflow schema`."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from holoflow.app import catalogue
from holoflow.app.format import (
    NAME_PATTERN,
    AppFile,
    AssetSchema,
    BudgetSchema,
    Defaults,
    FragmentFile,
    FragmentSchema,
    InputSchema,
    ObjectSchema,
    OperatorSchema,
    PackagesSchema,
    ParameterSchema,
    PoolSchema,
    SchedulerSchema,
    SyncSchema,
    UseSchema,
)
from holoflow.app.templates import templates
from holoflow.core.operator import Operator

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_REF = "#/$defs/"
_VARIABLE = {"$ref": f"{_REF}variable"}
_NULL = {"type": "null"}
_SCALAR = {"type": ["string", "number", "boolean"]}


def schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of an app file.

    It has the parameters of every operator in the catalogue that can be imported, so that an
    editor with a YAML language server can complete and check `with:` according to `type:`.
    """
    defs = _common()
    file = _piece(AppFile, defs)
    properties = file["properties"]
    properties["vars"] = _mapping_of(_SCALAR, properties["vars"])
    properties["assets"] = _mapping_of(_ref(AssetSchema, defs), properties["assets"])
    properties["defaults"] = _or_null(_ref(Defaults, defs))
    properties["operators"] = _operators()
    placement = _piece(FragmentSchema, defs)
    placement["properties"] |= {
        "scheduler": _or_null(_ref(SchedulerSchema, defs)),
        "environment": _mapping_of(_SCALAR, placement["properties"]["environment"]),
    }
    defs["FragmentSchema"] = placement
    for key in ("resources", "services", "loggers"):
        properties[key] = _mapping_of(_ref(ObjectSchema, defs), properties[key])
    properties["fragments"] = _mapping_of(_ref(FragmentSchema, defs), properties["fragments"])
    scheduler = _piece(SchedulerSchema, defs)
    scheduler["properties"]["pools"] = _mapping_of(
        _ref(PoolSchema, defs), scheduler["properties"]["pools"]
    )
    defs["SchedulerSchema"] = scheduler
    properties["scheduler"] = _or_null(_ref(SchedulerSchema, defs))
    budgets = {"type": "array", "items": _ref(BudgetSchema, defs)}
    properties["budgets"] = {**_described(properties["budgets"]), **_or_null(budgets)}
    packages = _ref(PackagesSchema, defs)
    properties["packages"] = {**_described(properties["packages"]), **_or_null(packages)}
    rule = _whole(file)
    return {"$schema": DIALECT, "title": "holoflow app", **file, **rule, "$defs": defs}


def _whole(file: dict[str, Any]) -> dict[str, Any]:
    """Move the requirements on apps that do not extend another from `file` to the returned rule.

    An app that extends another may have any part of an operator, a fragment or an asset, or null
    to remove it.
    """
    named = ("operators", "fragments", "assets")
    whole = {key: file["properties"].pop(key) for key in named}
    entry = {"type": ["object", "null"]}
    parts = {key: _mapping_of(entry, schema) for key, schema in whole.items()}
    file["properties"] |= {key: _described(schema) for key, schema in whole.items()}
    return {
        "if": {"required": ["extends"]},
        "then": {"properties": parts},
        "else": {"properties": whole, "required": file.pop("required")},
    }


def fragment_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a fragment template."""
    defs = _common()
    file = _piece(FragmentFile, defs)
    properties = file["properties"]
    port = {"type": "string"}
    ports = {"anyOf": [port, {"type": "array", "items": port, "minItems": 1}]}
    parameter = _or_null(_ref(ParameterSchema, defs))
    properties["parameters"] = _mapping_of(parameter, properties["parameters"])
    properties["inputs"] = _mapping_of(ports, properties["inputs"])
    properties["outputs"] = _mapping_of(port, properties["outputs"])
    properties["operators"] = _operators()
    return {"$schema": DIALECT, "title": "holoflow fragment", **file, "$defs": defs}


def _common() -> dict[str, Any]:
    """Return the definitions that apps and fragment templates share: those of operators."""
    defs: dict[str, Any] = {
        "variable": {
            "type": "string",
            "pattern": r"\$\{",
            "description": "filled in from --set, vars: and the environment",
        }
    }
    usable, _problems = catalogue.usable()
    operator = _piece(OperatorSchema, defs)
    producer = {"anyOf": [{"type": "string"}, _ref(InputSchema, defs)]}
    producers = {"type": "array", "items": producer, "minItems": 1}
    inputs = _mapping_of(
        {"anyOf": [*producer["anyOf"], producers]}, operator["properties"]["inputs"]
    )
    thing = {"anyOf": [_ref(ObjectSchema, defs), {"type": "string"}]}
    operator["properties"] |= {
        "type": {**_described(operator["properties"]["type"]), "anyOf": _types(usable)},
        "inputs": inputs,
        "sync": {"anyOf": [{"const": "arrival"}, _ref(SyncSchema, defs), _NULL, _VARIABLE]},
        "conditions": {
            **_described(operator["properties"]["conditions"]),
            "anyOf": [
                _NULL,
                {"type": "array", "items": thing},
                {"type": "object", "additionalProperties": thing},
            ],
        },
    }
    operator["allOf"] = [_parameters(name, cls, defs) for name, cls in usable.items()]
    use = _piece(UseSchema, defs)
    use["properties"]["inputs"] = inputs
    names = [{"const": name} for name in templates()[0]]
    use["properties"]["use"] = {
        **_described(use["properties"]["use"]),
        "anyOf": [*names, {"type": "string", "pattern": r"/|\.ya?ml$|\$\{"}],
    }
    defs["operator"] = operator
    defs["use"] = use
    return defs


def _operators() -> dict[str, Any]:
    """Return the schema of `operators:`: each an operator or a used fragment template."""
    return {
        "type": "object",
        "description": "operators by name",
        "minProperties": 1,
        "propertyNames": {"pattern": NAME_PATTERN},
        "additionalProperties": {
            "type": "object",
            "if": {"required": ["use"]},
            "then": {"$ref": f"{_REF}use"},
            "else": {"$ref": f"{_REF}operator"},
        },
    }


def _types(usable: Mapping[str, type[Operator]]) -> list[dict[str, Any]]:
    names = [
        {"const": name, "description": f"{catalogue.summary(name)}{catalogue.origin(name)}"}
        for name in usable
    ]
    own = {
        "type": "string",
        "pattern": r":[A-Za-z_]\w*$|\$\{",
        "description": "a class of your own",
    }
    return [*names, own]


def _parameters(name: str, cls: type[Operator], defs: dict[str, Any]) -> dict[str, Any]:
    """Return the rule that operator `name` has the parameters of `cls` under `with:`."""
    parameters = _ref(cls.parameters(), defs, f"{name}:")
    choices = [parameters, _VARIABLE]
    then: dict[str, Any] = {"properties": {"with": {"anyOf": choices}}}
    if any(field.is_required() for field in cls.parameters().model_fields.values()):
        then["required"] = ["with"]
    else:
        choices.append(_NULL)
    then["description"] = inspect.getdoc(cls) or ""
    return {"if": {"properties": {"type": {"const": name}}, "required": ["type"]}, "then": then}


def _ref(model: type[BaseModel], defs: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Add the schema of `model` to the definitions and return a reference to it."""
    name = prefix + model.__name__
    if name not in defs:
        defs[name] = {}
        defs[name] = _piece(model, defs, prefix)
    return {"$ref": _REF + name}


def _piece(model: type[BaseModel], defs: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the schema of `model`, with its own definitions moved to `defs`."""
    template = f"{_REF}{prefix}{{model}}"
    made = model.model_json_schema(ref_template=template)
    for name, inner in made.pop("$defs", {}).items():
        defs[prefix + name] = _with_variables(inner, inside=False)
    made.pop("title", None)
    return _with_variables(made, inside=False)


def _with_variables(made: dict[str, Any], *, inside: bool = True) -> dict[str, Any]:
    """Return a schema that accepts a variable wherever it does not accept any text already."""
    result: dict[str, Any] = {key: value for key, value in made.items() if key != "title"}
    for key in ("properties", "patternProperties"):
        if key in result:
            result[key] = {name: _with_variables(inner) for name, inner in result[key].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(result.get(key), dict):
            result[key] = _with_variables(result[key])
    if "prefixItems" in result:
        result["prefixItems"] = [_with_variables(inner) for inner in result["prefixItems"]]
    for key in ("anyOf", "oneOf"):
        if key in result:
            choices = [_with_variables(inner, inside=False) for inner in result[key]]
            result[key] = choices + ([_VARIABLE] if inside else [])
            return result
    if not inside or not result.keys() & {"type", "enum", "const", "$ref"}:
        return result
    if result.get("type") == "string" and not result.keys() & {"pattern", "enum", "const"}:
        return result
    shown: dict[str, Any] = {}
    for key in ("description", "default"):
        if key in result:
            shown[key] = result.pop(key)
    return {**shown, "anyOf": [result, _VARIABLE]}


def _mapping_of(inner: dict[str, Any], outer: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a possibly empty mapping by name, with the description of `outer`."""
    return {**_described(outer), **_or_null({"type": "object", "additionalProperties": inner})}


def _or_null(inner: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [inner, _NULL]}


def _described(outer: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in outer.items() if key in ("description", "examples")}
