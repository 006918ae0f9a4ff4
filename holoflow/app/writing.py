"""App files as text: nested mappings become YAML in the style of the documentation."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from holoflow.app.document import YAML_1_1_BOOLEANS, read_scalar

WIDTH = 100
"""Most columns of a line; what is longer has a line for each of its parts."""

Keys: TypeAlias = "tuple[str, ...]"
"""Keys that lead to a value."""

_WORD = "[A-Za-z0-9_./+-]"
_PLAIN = re.compile(rf"(?![+-])(?!\.\.\.){_WORD}+(?:[ :]{_WORD}+)*")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def written(
    document: Mapping[str, Any], comments: Mapping[Keys, Sequence[str]] | None = None
) -> str:
    """Return `document` as YAML that is read as the same values.

    Args:
        document: Mappings by text, lists or tuples, text, numbers, booleans and None.
        comments: Lines that stand above a key, by the keys that lead to it; those at `()` are the
            first of the file.
    """
    said = comments or {}
    lines = [f"# {line}".rstrip() for line in said.get((), ())]
    for key, value in document.items():
        section = list(_entry((key,), value, 0, said))
        if lines and (len(section) > 1 or lines[-1].startswith(" ")):
            lines.append("")
        lines += section
    return "\n".join(lines) + "\n"


def _entry(
    keys: Keys, value: Any, indent: int, comments: Mapping[Keys, Sequence[str]]
) -> Iterator[str]:
    space = " " * indent
    yield from (f"{space}# {line}".rstrip() for line in comments.get(keys, ()))
    line = f"{space}{scalar(keys[-1])}: {_flow(value, inside=False)}"
    if _is_atom(value) or (len(line) <= WIDTH and _is_small(keys, value, comments)):
        yield line
        return
    yield f"{space}{scalar(keys[-1])}:"
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _entry((*keys, key), item, indent + 2, comments)
    else:
        yield from _items(keys, value, indent + 2, comments)


def _items(
    keys: Keys, values: Sequence[Any], indent: int, comments: Mapping[Keys, Sequence[str]]
) -> Iterator[str]:
    space = " " * indent
    for value in values:
        line = f"{space}- {_flow(value, inside=False)}"
        if _is_atom(value) or len(line) <= WIDTH:
            yield line
        elif isinstance(value, Mapping):
            # The first of its lines begins with the dash, the others stand below it.
            entries = (_entry((*keys, "", key), item, indent + 2, comments)
                       for key, item in value.items())  # fmt: skip
            for number, part in enumerate(part for lines in entries for part in lines):
                yield part if number else f"{space}- {part[indent + 2 :]}"
        else:
            yield f"{space}-"
            yield from _items(keys, value, indent + 2, comments)


def _is_atom(value: Any) -> bool:
    """Whether nothing is inside of a value."""
    return not (_is_nested(value) and value)


def _is_small(keys: Keys, value: Any, comments: Mapping[Keys, Sequence[str]]) -> bool:
    """Whether a value has little inside, and nothing is to be said of that."""
    if any(len(other) > len(keys) and other[: len(keys)] == keys for other in comments):
        return False
    is_operator = keys[0] == "operators" and len(keys) < 3
    return not is_operator and _depth(value) <= (2 if len(keys) < 3 else 6)


def _is_nested(value: Any) -> bool:
    return isinstance(value, (Mapping, list, tuple))


def _depth(value: Any) -> int:
    if not _is_nested(value):
        return 0
    inner = value.values() if isinstance(value, Mapping) else value
    return 1 + max(map(_depth, inner), default=0)


def _flow(value: Any, *, inside: bool) -> str:
    """Return a value on one line; `inside` brackets more has to be quoted."""
    if isinstance(value, Mapping):
        pairs = (
            f"{scalar(key, inside=True)}: {_flow(item, inside=True)}" for key, item in value.items()
        )
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_flow(item, inside=True) for item in value)}]"
    return scalar(value, inside=inside)


def scalar(value: str | float | bool | None, *, inside: bool = False) -> str:
    """Return a scalar as YAML, text in quotes where it needs them.

    Args:
        value: Text, a number, a boolean or None.
        inside: Whether it stands inside of brackets.
    """
    if isinstance(value, str):
        plain = (
            _PLAIN.fullmatch(value)
            and read_scalar(value) == value
            and value.lower() not in YAML_1_1_BOOLEANS
            and not (inside and ":" in value)
        )
        return value if plain else _quoted(value)
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    return json.dumps(value)


def _quoted(text: str) -> str:
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x100 else f"\\U{number:08x}"
