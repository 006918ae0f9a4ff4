"""Manifests as text: YAML that every parser reads alike, with comments for people."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from holoflow.core.text import printable

Data: TypeAlias = Any
"""Mappings, lists, strings, numbers and booleans; see `commented`."""

_INDENT = 2
_PLAIN = re.compile(r"[A-Za-z/.][A-Za-z0-9_./-]*|[0-9]+(s|m|Mi)")
_BREAK = re.compile("[\n\x85\u2028\u2029]")
"""Characters that end a line, and with it a comment, for some parser of YAML."""
_WORDS = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}
"""Strings that YAML 1.1, which container tools use, would read as another type."""


class commented(dict[str, Data]):  # noqa: N801 - stands where a literal would
    """A mapping with comments before some of its keys; empty lines in comments stay empty."""

    def __init__(self, entries: Mapping[str, Data], comments: Mapping[str, str]) -> None:
        """Make a mapping of `entries`, with `comments` by key, each of one or more lines."""
        super().__init__(entries)
        self.comments = dict(comments)


def to_yaml(data: Data, heading: str = "") -> str:
    """Return `data` as a YAML document below the comment `heading`; empty data gives only that."""
    yaml = YAML()
    yaml.width = 1 << 30  # no line is broken
    yaml.indent(mapping=_INDENT, sequence=_INDENT + 2, offset=_INDENT)
    out = io.StringIO()
    if data:
        yaml.dump(_styled(data, 0), out)
    lines = _lines(heading) if heading else ()
    return "".join(f"# {line}".rstrip() + "\n" for line in lines) + out.getvalue()


def _styled(data: Data, depth: int) -> Data:
    if isinstance(data, str):
        return _text(data)
    if isinstance(data, Mapping):
        made = CommentedMap()
        for key, value in data.items():
            made[_text(key)] = _styled(value, depth + 1)
        for key, comment in data.comments.items() if isinstance(data, commented) else ():
            text = "\n".join(_lines(comment))
            made.yaml_set_comment_before_after_key(key, text, indent=_INDENT * depth)
        return made
    if isinstance(data, Sequence):
        listed = CommentedSeq(_styled(item, depth + 2) for item in data)
        if all(isinstance(item, (int, str)) for item in data) and len(str(list(data))) < 80:
            listed.fa.set_flow_style()
        return listed
    return data


def _lines(comment: str) -> list[str]:
    return [printable(line) for line in _BREAK.split(comment)]


def _text(text: str) -> str:
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS and text not in (".", ".."):
        return text
    quoted: str = DoubleQuotedScalarString(text)
    return quoted
