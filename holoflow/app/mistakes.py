"""The mistakes found so far, the nearest known name, and JSON Schemas in words."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeAlias

from holoflow.core import text
from holoflow.core.errors import AppError, HoloflowError, Location, Mistake


class TypeNameError(HoloflowError):
    """A type that an app names is not available."""


class PluginError(HoloflowError):
    """Something that an installed package adds to holoflow is not available."""


class Report:
    """Collects the mistakes of an app, so that all of them are reported at once."""

    def __init__(self) -> None:
        self._mistakes: dict[Mistake, None] = {}
        self.notes: list[str] = []
        """What is no mistake, but good to know."""
        # The cost of suggestions is the product of unknown and known names, so a file with
        # thousands of both gets them for the first ones only.
        self._comparisons = 100_000

    def __bool__(self) -> bool:
        """Whether anything is wrong."""
        return bool(self._mistakes)

    def add(self, at: Location, wrong: str, right: str = "") -> None:
        """Record what is wrong at place `at`, and what would be right."""
        self._mistakes[Mistake(at, _in_one_line(wrong), _in_one_line(right))] = None

    def note(self, at: Location, text: str) -> None:
        """Record what could not be checked at place `at`, which is no mistake."""
        self.notes.append(f"{at}: {_in_one_line(text)}")

    def nearest(self, name: str, known: Collection[str]) -> str | None:
        """Return the one of `known` that `name` was probably meant to be; None if none is near."""
        if self._comparisons < len(known):
            return None
        self._comparisons -= len(known)
        return text.nearest(name, known)

    def suggestion(self, name: str, known: Collection[str], otherwise: str = "") -> str:
        """Return a sentence on what `name` was probably meant to be, or on the `known` names."""
        return text.suggestion(name, known, otherwise, self.nearest)

    def unknown(
        self, at: Location, kind: str, name: str, known: Collection[str], otherwise: str = ""
    ) -> None:
        """Record an unknown `name` of something of that `kind`."""
        self.add(at, f"unknown {kind} {short(name)}", self.suggestion(name, known, otherwise))

    def check(self) -> None:
        """Raise `AppError` with all mistakes if there are any."""
        if self._mistakes:
            raise AppError(list(self._mistakes))


def short(text: str) -> str:
    """Return `text` in quotes, on one line, of bounded length."""
    return repr(text if len(text) <= 60 else text[:59] + "…")


def _in_one_line(text: str) -> str:
    """Return `text` with line ends and other control characters escaped."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


Schema: TypeAlias = Mapping[str, Any]


def shown(data: Any) -> str:
    """Return `data` as it might be written in YAML, on one line, of bounded length."""
    if isinstance(data, (list, dict)) and not data:
        text = "an empty list" if isinstance(data, list) else "an empty mapping"
    elif data is None:
        text = "nothing"
    else:
        text = json.dumps(_cut(data), ensure_ascii=False)
    return text if len(text) <= 60 else text[:59] + "…"


def _cut(data: Any) -> Any:
    """Return the visible part of `data`, so that a long list is not formatted in vain."""
    if isinstance(data, str):
        return data[:80]
    if isinstance(data, list):
        return [_cut(item) for item in data[:20]]
    if isinstance(data, dict):
        return {key[:80]: _cut(item) for key, item in list(data.items())[:20]}
    return data


def subschema(schema: Schema, path: Sequence[str | int], root: Schema) -> Schema | None:
    """Return the schema of the value at `path` in a value that `schema` describes."""
    schema = _resolved(schema, root)
    if not path:
        return schema
    for choice in schema.get("anyOf") or schema.get("oneOf") or ():
        found = subschema(choice, path, root)
        if found is not None:
            return found
    inner: Any = None
    step = path[0]
    if isinstance(step, int):
        prefix = schema.get("prefixItems") or []
        inner = prefix[step] if step < len(prefix) else schema.get("items")
    else:
        inner = schema.get("properties", {}).get(step, schema.get("additionalProperties"))
        if not isinstance(inner, Mapping):
            inner = next(iter(schema.get("patternProperties", {}).values()), None)
    return subschema(inner, path[1:], root) if isinstance(inner, Mapping) else None


def _resolved(schema: Schema, root: Schema) -> Schema:
    """Return what `$ref` refers to, with the keys beside it."""
    while "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        schema = {**root.get("$defs", {}).get(name, {}), **beside}
    return schema


def allowed(schema: Schema, root: Schema) -> str:
    """Return in words what `schema` allows: `a number from 0 to 1`; empty if not known."""
    schema = _resolved(schema, root)
    if "const" in schema:
        return _literal(schema["const"])
    if "enum" in schema:
        words = [_literal(choice) for choice in schema["enum"]]
        return words[0] if len(words) == 1 else f"one of {', '.join(words)}"
    choices = schema.get("anyOf") or schema.get("oneOf")
    if choices:
        texts = [allowed(choice, root) for choice in choices if choice.get("type") != "null"]
        text = " or ".join(dict.fromkeys(text for text in texts if text))
        return text + _example(schema)
    kind = schema.get("type")
    if kind == "boolean":
        return "true or false"
    if kind in ("integer", "number"):
        return ("a whole number" if kind == "integer" else "a number") + _range(schema)
    if kind == "string":
        return _text(schema)
    if kind == "array":
        return _list(schema, root)
    if kind == "object":
        return "a mapping" + _example(schema)
    return ""


def _literal(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _example(schema: Schema) -> str:
    examples = schema.get("examples")
    return f", such as {_literal(examples[0])}" if examples else ""


def _range(schema: Schema) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return f" from {low} to {high}"
    words = {
        "minimum": "of at least", "exclusiveMinimum": "above",
        "maximum": "of at most", "exclusiveMaximum": "below",
    }  # fmt: skip
    parts = [f"{word} {schema[key]}" for key, word in words.items() if key in schema]
    return " " + " and ".join(parts) if parts else ""


def _text(schema: Schema) -> str:
    if schema.get("format") == "path":
        return "a path" + _example(schema)
    if "pattern" in schema and "examples" not in schema:
        return f"text of the form {schema['pattern']}"
    length = schema.get("minLength")
    return "text" + (f" of at least {length} character" if length else "") + _example(schema)


def _list(schema: Schema, root: Schema) -> str:
    prefix = schema.get("prefixItems")
    if prefix:
        return f"a list of {len(prefix)}: " + ", ".join(allowed(item, root) for item in prefix)
    low, high = schema.get("minItems"), schema.get("maxItems")
    number = ""
    if low is not None and low == high:
        number = f"{low} of "
    elif low is not None or high is not None:
        bounds = [f"at least {low}"] if low is not None else []
        bounds += [f"at most {high}"] if high is not None else []
        number = " and ".join(bounds) + " of "
    item = schema.get("items")
    inner = allowed(item, root) if isinstance(item, Mapping) else ""
    return (
        f"a list, each {inner}" if inner and not number else f"a list of {number}{inner}".rstrip()
    )
