"""`holoflow compare`: two runs side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from holoflow.cli.tables import Cell
    from holoflow.report.comparison import Comparison, Drops, Rate, TimeComparison

_TIMES = (
    (90, "frames a"), (90, "frames b"), (50, "p50 a"), (50, "p50 b"), (0, "p50 b:a"),
    (70, "p99 a"), (70, "p99 b"), (30, "p99 b:a"), (110, "max a"), (110, "max b"), (0, "verdict"),
)  # fmt: skip
_RATES = ((0, "operator"), (30, "a /s"), (30, "b /s"), (0, "b:a"), (0, "verdict"))
_DROPS = ((0, "a"), (0, "b"), (0, "verdict"))


def compare(
    run_a: Annotated[Path, typer.Argument(help="Folder of a run, or its report.json.")],
    run_b: Annotated[Path, typer.Argument(help="Another run, compared with the first.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Compare two runs: what became slower or faster, what was added, what was dropped."""
    from holoflow.cli.tables import print_parts
    from holoflow.report import comparison
    from holoflow.report.run_report import read_report

    compared = comparison.compare(read_report(run_a), read_report(run_b))
    if as_json:
        typer.echo(json.dumps(comparison.to_plain(compared), indent=1, allow_nan=False))
    else:
        print_parts(lambda width: parts(compared, width))


def parts(compared: Comparison, width: int) -> Iterator[RenderableType]:
    """Yield the comparison, top to bottom, for a terminal of `width`."""
    from rich.text import Text

    from holoflow.cli import sections
    from holoflow.cli.summary import headline
    from holoflow.cli.tables import table
    from holoflow.report.comparison import RULE

    runs = ((compared.a, compared.verdicts[0]), (compared.b, compared.verdicts[1]))
    for letter, (report, verdict) in zip("ab", runs, strict=True):
        said = headline(report.app, report.outcome, report.engine, report.snapshot)
        yield sections.said(f"{letter}: {said}, started {report.started}", "bold")
        yield from sections.findings(verdict, all_of_them=False)
        yield from sections.budget_lines(report.snapshot)
    yield Text("")
    yield sections.heading("what has changed")
    changes = compared.changes
    yield from (sections.said(words) for words in changes)
    if not changes:
        yield sections.said("nothing beyond noise", "green")
    yield sections.said(RULE, "dim")
    for kind, title in (
        ("path", "paths: end to end, ms"),
        ("operator", "operators: working, ms"),
        ("flow", "flows: waiting, ms"),
    ):
        rows = [_times(item) for item in compared.times if item.kind == kind]
        if rows:
            yield Text("")
            yield sections.heading(title)
            yield table(((0, kind), *_TIMES), rows, width)
    if compared.rates:
        yield Text("")
        yield sections.heading("operators: frames per second")
        yield table(_RATES, map(_rate, compared.rates), width)
    for kind in ("operator", "flow"):
        drops = [_drops(item) for item in compared.drops if item.kind == kind]
        if drops:
            yield Text("")
            yield sections.heading(f"dropped by {kind}s")
            yield table(((0, kind), *_DROPS), drops, width)


def _times(item: TimeComparison) -> dict[str, Cell]:
    from holoflow.core import text
    from holoflow.report.measures import statistic

    return {
        item.kind: item.name,
        "frames a": text.count(item.a.count or None),
        "frames b": text.count(item.b.count or None),
        **{
            f"{name} {letter}": statistic(times, name)
            for letter, times in (("a", item.a), ("b", item.b))
            for name in ("p50", "p99", "max")
        },
        "p50 b:a": text.number(item.ratio("p50")),
        "p99 b:a": text.number(item.ratio("p99")),
        "verdict": _verdict(item.change, bad=item.change.startswith("slower")),
    }


def _rate(item: Rate) -> dict[str, Cell]:
    from holoflow.core import text

    fewer = item.ratio is not None and item.ratio < 1
    return {
        "operator": item.name,
        "a /s": text.number(item.a),
        "b /s": text.number(item.b),
        "b:a": text.number(item.ratio),
        "verdict": _verdict(("fewer" if fewer else "more") if item.changed else "", bad=fewer),
    }


def _drops(item: Drops) -> dict[str, Cell]:
    from holoflow.core import text

    a, b = sum(item.a.values()), sum(item.b.values())
    more = b * item.sent[0] > a * item.sent[1]
    lost = [
        f"{text.causes(causes) or '0'} of {sent:,}"
        for causes, sent in zip((item.a, item.b), item.sent, strict=True)
    ]
    return {
        item.kind: item.name,
        "a": lost[0],
        "b": lost[1],
        "verdict": _verdict(("more" if more else "fewer") if item.changed else "", bad=more),
    }


def _verdict(words: str, *, bad: bool) -> Cell:
    from rich.text import Text

    return Text(words, style="red" if bad else "green")
