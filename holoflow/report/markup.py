"""HTML and SVG as values, escaped wherever they are put; and tables of a page."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape
from typing import Literal, NamedTuple, TypeAlias

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


Kind: TypeAlias = Literal["name", "words", "line", "number", "bar", "curve"]
_CLASSES = {
    "name": None, "words": None, "line": "line", "number": "n", "bar": "some-cell",
    "curve": "wide-cell",
}  # fmt: skip


class Column(NamedTuple):
    """A column: its heading, what is in it, and what the heading stands for."""

    heading: str
    kind: Kind = "number"
    help: str | None = None


def grid(
    caption: str, columns: Sequence[Column], rows: Iterable[Sequence[Child]], *, total: bool = False
) -> Html:
    """Return a table whose first column names its rows; `total` sets the last row apart.

    It scrolls sideways where the page is narrow, also with the keyboard.
    """
    lines = list(rows)
    return el(
        "div",
        el(
            "table",
            el("caption", caption),
            el(
                "thead",
                el(
                    "tr",
                    *(
                        el("th", c.heading, scope="col", class_=_CLASSES[c.kind], title=c.help)
                        for c in columns
                    ),
                ),
            ),
            el(
                "tbody",
                *(
                    _row(columns, cells, last=total and index == len(lines) - 1)
                    for index, cells in enumerate(lines)
                ),
            ),
        ),
        class_="scroll",
        tabindex=0,
        role="region",
        aria_label=caption,
    )


def _row(columns: Sequence[Column], cells: Sequence[Child], *, last: bool) -> Html:
    first, *others = (
        (cell, _CLASSES[column.kind]) for column, cell in zip(columns, cells, strict=True)
    )
    return el(
        "tr",
        el("th", first[0], scope="row", class_=first[1]),
        *(el("td", cell, class_=kind) for cell, kind in others),
        class_="total" if last else None,
    )
