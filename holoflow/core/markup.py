"""HTML and SVG as values, escaped wherever they are put."""

from __future__ import annotations

import math
from html import escape
from typing import TypeAlias

from holoflow.core.text import printable

_VOID = frozenset({"meta", "br", "link"})


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


Child: TypeAlias = "str | Html | None"
Value: TypeAlias = "str | float | None"


def el(tag: str, *children: Child, **attributes: Value) -> Html:
    """Return an element; None leaves a child or an attribute out.

    Attributes are named as in Python: `class_`, `aria_label`. Numbers are written with at most
    two digits behind the point.
    """
    given = "".join(
        f' {_name(name)}="{escape(_value(value))}"'
        for name, value in attributes.items()
        if value is not None
    )
    if tag in _VOID:
        return Html(f"<{tag}{given}>")
    return Html(f"<{tag}{given}>{join(*children)}</{tag}>")


def join(*children: Child) -> Html:
    """Return children one after the other."""
    return Html(
        "".join(
            child if isinstance(child, Html) else escape(_clean(child))
            for child in children
            if child is not None
        )
    )


def _name(name: str) -> str:
    return name.rstrip("_").replace("_", "-")


def _value(value: str | float) -> str:
    return _clean(value) if isinstance(value, str) else number(value)


def _clean(text: str) -> str:
    """Escape what is no character of a page: control characters, halves of surrogate pairs."""
    return printable(str(text))


def number(value: float) -> str:
    """Return a coordinate: `12`, `12.5`."""
    if not math.isfinite(value):
        return "0"
    return f"{value:.2f}".rstrip("0").rstrip(".")
