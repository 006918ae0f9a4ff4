"""What the repeats say: medians, ratios, and both as tables."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Final, TypeAlias

from rich.table import Table

from rivals.contenders import CONTENDERS
from rivals.meter import Measured

HD: Final = 1920 * 1080 * 3
"""Bytes of a 1080p RGB frame."""

Runs: TypeAlias = Mapping[str, Mapping[int, Sequence[Measured]]]
"""By contender and size, one for each repeat that succeeded."""
Cells: TypeAlias = Mapping[str, Mapping[int, Measured]]
"""By contender and size, the medians."""


@dataclass(frozen=True)
class Wanted:
    """What the project wants of its links, and what was found."""

    what: str
    found: float
    wanted: str
    met: bool

    def row(self) -> list[str]:
        """Return it as a row of a table."""
        found = f"{self.found:,.0f}" if self.found >= 100 else f"{self.found:.2f}"
        return [self.what, found, self.wanted, "yes" if self.met else "no"]


def medians(runs: Runs) -> Cells:
    """Return the median of each number of the repeats; what never succeeded is left out."""
    return {
        name: {size: _median(found) for size, found in by_size.items() if found}
        for name, by_size in runs.items()
    }


def read(written: Sequence[Mapping[str, Mapping[str, Sequence[Mapping[str, float]]]]]) -> Runs:
    """Return runs that were written as JSON; what was measured again is taken from the last."""
    runs: dict[str, dict[int, Sequence[Measured]]] = {}
    for one in written:
        for name, by_size in one.items():
            for size, found in by_size.items():
                runs.setdefault(name, {})[int(size)] = [Measured(**each) for each in found]
    return runs


def _median(found: Sequence[Measured]) -> Measured:
    return Measured(
        **{f.name: statistics.median(getattr(m, f.name) for m in found) for f in fields(Measured)}
    )


def wanted(cells: Cells) -> list[Wanted]:
    """Return what was wanted, as far as both sides of it were measured."""
    return list(_wanted(cells))


def _wanted(cells: Cells) -> Iterator[Wanted]:
    def rate(name: str, size: int) -> float | None:
        cell = cells.get(name, {}).get(size)
        return cell.messages if cell else None

    def ratio(ours: str, theirs: str, size: int, least: float) -> Iterator[Wanted]:
        mine, other = rate(ours, size), rate(theirs, size)
        if mine and other:
            what = f"{ours} / {theirs}, {label(size)}"
            yield Wanted(what, mine / other, f">= {least:g}", mine / other >= least)

    for ends in ("link", "app"):
        copied, loaned = f"{ends}, shared memory, copy", f"{ends}, shared memory, loan"
        for ours in (copied, loaned):
            yield from ratio(ours, "Holoscan UCX", HD, 20)
        yield from ratio(copied, "iceoryx2, copy", HD, 0.8)
        loans = rate(loaned, HD)
        if loans:
            yield Wanted(f"{loaned}, {label(HD)}, frames/s", loans, "> 10,000", loans > 10_000)
        for name in (loaned, f"{loaned}, linger 10 ms"):
            cell = cells.get(name, {}).get(HD)
            if cell:
                milliseconds = cell.median * 1e3
                what = f"{name}, {label(HD)}, median latency at {cell.rate:.0f}/s, ms"
                yield Wanted(what, milliseconds, "< 0.3", milliseconds < 0.3)
    for ends in ("link", "app"):
        for kind in ("ipc", "tcp", "tcp + CURVE"):
            for size in sorted(cells.get(f"pyzmq, {kind}", {})):
                yield from ratio(f"{ends}, zeromq, {kind}", f"pyzmq, {kind}", size, 0.8)


def label(size: int) -> str:
    """Return `size` as people say it."""
    if size == HD:
        return "1080p"
    for unit, factor in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size % factor == 0:
            return f"{size // factor} {unit}"
    return f"{size / 1e6:g} MB" if size >= 1_000_000 else f"{size} B"


SHOWN: Final[tuple[tuple[str, Callable[[Measured], str]], ...]] = (
    ("messages/s", lambda m: f"{m.messages:,.0f}"),
    ("GB/s", lambda m: f"{m.bytes / 1e9:.3g}"),
    ("latency: median / p99, ms", lambda m: f"{m.median * 1e3:.2f} / {m.p99 * 1e3:.2f}"),
)
"""The tables, and what of a cell they show."""


def _rows(
    cells: Cells, sizes: Sequence[int], show: Callable[[Measured], str]
) -> Iterator[list[str]]:
    for name, by_size in cells.items():
        yield [name, *(show(by_size[size]) if size in by_size else "-" for size in sizes)]


def tables(cells: Cells, sizes: Sequence[int]) -> Iterator[Table]:
    """Yield what is shown on a terminal."""
    for title, show in SHOWN:
        table = Table("", title=title)
        for size in sizes:
            table.add_column(label(size), justify="right")
        for row in _rows(cells, sizes, show):
            table.add_row(*row)
        yield table
    table = Table("", "found", "wanted", "met", title="wanted")
    for one in wanted(cells):
        table.add_row(*one.row())
    if table.row_count:
        yield table


def markdown(cells: Cells, sizes: Sequence[int]) -> str:
    """Return the same for a page of documentation, and what becomes of the arrays."""
    parts = [
        _markdown([title, *map(label, sizes)], list(_rows(cells, sizes, show)))
        for title, show in SHOWN
    ]
    if found := wanted(cells):
        parts.append(_markdown(["", "found", "wanted", "met"], [one.row() for one in found]))
    rows = [[c.name, c.sender, c.receiver] for c in CONTENDERS if c.name in cells]
    parts.append(_markdown(["", "the sender's array is", "the receiver's array is"], rows, "---"))
    return "\n\n".join(parts) + "\n"


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]], right: str = "---:") -> str:
    lines = [head, ["---", *(right for _ in head[1:])], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
