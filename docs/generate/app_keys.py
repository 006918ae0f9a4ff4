"""Tables of the keys of an app file, from its JSON Schema.

A path leads through the schema: `fragments.*.scheduler`. `*` is any entry of a mapping or a list,
`then` and `else` choose where the schema does, and a path that begins with `template:` is that of
a fragment template's file.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from tables import code
from tables import table as in_markdown

from holoflow.app.json_schema import fragment_schema, schema

Node = dict[str, Any]


def table(path: str) -> str:
    """Return the table of the keys at `path`; raises KeyError where there are none."""
    root = node = _schema(template=path.startswith("template:"))
    for step in filter(None, path.removeprefix("template:").strip().split(".")):
        node = _step(root, node, step)
    node = _mapping(root, node)
    required = set(node.get("required", ()))
    rows = []
    for key, value in _properties(node).items():
        default = "required" if key in required else _default(root, value)
        rows.append([code(key), _kind(root, value), default, _described(root, value)])
    return in_markdown(["key", "type", "default", "meaning"], rows)


@cache
def _schema(*, template: bool) -> Node:
    return fragment_schema() if template else schema()


def _step(root: Node, node: Node, step: str) -> Node:
    node = _resolved(root, node)
    if step in ("then", "else"):
        return node[step]
    for option in _options(root, node):
        if step == "*":
            for inner in ("additionalProperties", "items"):
                if isinstance(option.get(inner), dict):
                    return option[inner]
        elif step in _properties(option):
            return _properties(option)[step]
    raise KeyError(step)


def _properties(node: Node) -> Node:
    """Return the properties of a mapping, those that hang on a condition in their usual form."""
    return {**node.get("properties", {}), **node.get("else", {}).get("properties", {})}


def _mapping(root: Node, node: Node) -> Node:
    for option in _options(root, node):
        if "properties" in option:
            return option if "else" not in option else {**option, **_required(option)}
    raise KeyError("no mapping with keys")


def _required(option: Node) -> Node:
    return {"required": [*option.get("required", ()), *option["else"].get("required", ())]}


def _resolved(root: Node, node: Node) -> Node:
    reference = node.get("$ref")
    return root["$defs"][reference.rpartition("/")[2]] if reference else node


def _options(root: Node, node: Node) -> list[Node]:
    """Return what a value may be: not `null`, and not a variable, which may be anywhere."""
    node = _resolved(root, node)
    if "anyOf" not in node:
        return [node]
    alternatives = [one for one in node["anyOf"] if one.get("$ref") != "#/$defs/variable"]
    return [
        option
        for one in alternatives
        for option in _options(root, one)
        if option.get("type") != "null"
    ]


def _described(root: Node, node: Node) -> str:
    return (
        node.get("description")
        or _resolved(root, node).get("description")
        or next(
            (option["description"] for option in _options(root, node) if "description" in option),
            "",
        )
    )


def _kind(root: Node, node: Node) -> str:
    kinds = list(dict.fromkeys(_kind_of_one(root, option) for option in _options(root, node)))
    if "text" in kinds:  # what else a text may be, the catalogue says
        kinds = [kind for kind in kinds if not kind.startswith("`")]
    return ", ".join(kinds)


def _kind_of_one(root: Node, node: Node) -> str:
    if "const" in node:
        return code(str(node["const"]))
    if "enum" in node:
        return ", ".join(code(str(value)) for value in node["enum"])
    kind = node.get("type", "any")
    if kind == "array":
        return "list of " + (_kind(root, node["items"]) if "items" in node else "any")
    if kind == "object" or "if" in node:
        return "mapping"
    if kind in ("integer", "number"):
        least, most = node.get("minimum"), node.get("maximum")
        span = f" from {least}" if least is not None else ""
        return "number" + span + (f" to {most}" if most is not None else "")
    unit = _unit(node)
    return unit or {"string": "text", "boolean": "boolean"}.get(kind, str(kind))


def _unit(node: Node) -> str:
    pattern = node.get("pattern", "")
    if re.search(r"\[Mm\]\[Ss\]", pattern):
        return "duration"
    return "size" if re.search(r"[Kk]\]?\[?i|\[Bb\]", pattern) else ""


def _default(root: Node, node: Node) -> str:
    value = node.get("default")
    if value in (None, "", [], {}):
        return ""
    if isinstance(value, float) and _kind(root, node) == "duration":
        return code(f"{value:g}s" if value >= 1 else f"{1000 * value:g}ms")
    return code(str(value).lower() if isinstance(value, bool) else str(value))
