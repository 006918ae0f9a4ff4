"""Tables of the report page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias, TypeVar

from holoflow.core.markup import Child, Html, el
from holoflow.report.columns import Column, by_cause

R = TypeVar("R")

Kind: TypeAlias = Literal["name", "words", "line", "number", "bar", "curve"]
_CLASSES = {
    "name": None, "words": None, "line": "line", "number": "n", "bar": "some-cell",
    "curve": "wide-cell",
}  # fmt: skip


class Heading(NamedTuple):
    """The heading of a column, the kind of its cells, and an explanation of the heading."""

    text: str
    kind: Kind = "number"
    help: str | None = None


def grid(
    caption: str,
    columns: Sequence[Heading],
    rows: Iterable[Sequence[Child]],
    *,
    total: bool = False,
) -> Html:
    """Return a table whose first column names its rows.

    It scrolls horizontally on a narrow page, with the keyboard too.

    Args:
        caption: The heading of the table.
        columns: Its columns.
        rows: The cells of each row.
        total: Whether the last row is a total, which is set apart.
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
                        el("th", c.text, scope="col", class_=_CLASSES[c.kind], title=c.help)
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


def _row(columns: Sequence[Heading], cells: Sequence[Child], *, last: bool) -> Html:
    first, *others = (
        (cell, _CLASSES[column.kind]) for column, cell in zip(columns, cells, strict=True)
    )
    return el(
        "tr",
        el("th", first[0], scope="row", class_=first[1]),
        *(el("td", cell, class_=kind) for cell, kind in others),
        class_="total" if last else None,
    )


def statistics_grid(
    caption: str, columns: Sequence[Column[R]], rows: Sequence[R], **dressed: Callable[[R], Child]
) -> Html:
    """Return the table of `columns`; of counts by cause it has a column for each that occurred.

    Columns that are named in `dressed` are shown in another way than as text.
    """
    shown = [one for column in columns for one in by_cause(column, rows)]
    return grid(
        caption,
        [Heading(column.heading, _kind(column), column.help or None) for column in shown],
        [[dressed.get(c.name, c.cell)(row) for c in shown] for row in rows],
    )


def _kind(column: Column[Any]) -> Kind:
    if column.name == "name":
        return "line" if column.heading == "flow" else "name"
    return "words" if column.words else "bar" if column.name == "bar" else "number"
