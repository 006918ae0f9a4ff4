"""Tables of the report page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple, TypeAlias

from holoflow.core.markup import Child, Html, el

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
