"""The parts of a report for a terminal; each fits `width` columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.text import Text

from holoflow.cli import text
from holoflow.cli.bars import bar, legend
from holoflow.cli.tables import Cell, Columns, table
from holoflow.flow.books import BudgetBooks, FlowBooks, OperatorBooks, PathBooks, Snapshot
from holoflow.flow.report import measures
from holoflow.flow.report.split import SHORT, split, totals
from holoflow.flow.verdict import Explanation, Finding
from holoflow.printable import printable

_PATHS = (
    (0, "path"), (40, "frames"), (62, "mean"), (0, "p50"), (72, "p90"), (76, "p95"), (30, "p99"),
    (100, "p99.9"), (50, "max"), (104, "std"), (108, "jitter"), (112, "tail"),
    (116, "flatness"), (120, "critical"),
)  # fmt: skip
_OPERATORS = (
    (0, "operator"), (45, "frames"), (90, "in/s"), (70, "out/s"), (0, "busy"),
    (50, "work p50"), (60, "work p99"), (95, "work max"), (75, "latency p50"),
    (65, "latency p99"),
    (100, "skipped"), (80, "dropped"),
)  # fmt: skip
_FLOWS = (
    (0, "flow"), (0, "sent"), (50, "delivered"), (40, "dropped"), (60, "wait p50"),
    (70, "wait p99"), (80, "depth"), (90, "queue"), (100, "when full"),
)  # fmt: skip
_BUDGETS = (
    (0, "budget"), (0, "limit ms"), (50, "run ms"), (40, "worst ms"), (60, "judged"),
    (55, "missed"), (0, "verdict"),
)  # fmt: skip
_WORKERS = ((0, "thread"), (0, "busy"), (40, "at work s"))


def heading(words: str) -> Text:
    """Return what stands above a part."""
    return Text(printable(words), style="bold underline")


def said(words: str, style: str = "") -> Text:
    """Return a sentence; it may be wrapped where it stands."""
    return Text(printable(words), style=style)


def line(words: str) -> Text:
    """Return a line that is never wrapped or cut: names of files can be copied from it."""
    return Text(printable(words), no_wrap=True, overflow="ignore")


def findings(explanation: Explanation, *, all_of_them: bool) -> Iterator[RenderableType]:
    """Yield the bottleneck with its evidence and what would help, then what else matters."""
    found = explanation.bottleneck
    style = {"nothing": "bold green", "unknown": "bold"}.get(found.cause, "bold yellow")
    yield said(_finding("bottleneck", found), style)
    advice = found.advice if all_of_them else found.advice[:1]
    yield from (said(f"  would help: {words}") for words in advice)
    for other in explanation.others if all_of_them else ():
        yield said(_finding("also", other))
        yield from (said(f"  would help: {words}") for words in other.advice)


def _finding(kind: str, found: Finding) -> str:
    if found.cause in ("nothing", "unknown"):
        return f"{kind}: {'none' if found.cause == 'nothing' else 'not known'}; {found.evidence}"
    return f"{kind}: {found.where} ({found.cause}): {found.evidence}"


def critical_path(explanation: Explanation) -> Iterator[RenderableType]:
    """Yield the path that sets the latency, where there is one."""
    path = explanation.critical
    if path is not None:
        yield said(
            f"critical path: {path.name}: p50 {measures.statistic(path.end_to_end, 'p50')} ms, "
            f"p99 {measures.statistic(path.end_to_end, 'p99')} ms"
        )


def paths(books: Sequence[PathBooks], width: int, *, columns: Columns = _PATHS) -> RenderableType:
    """Return the end-to-end times of paths."""
    return table(columns, map(_path, books), width)


def _path(books: PathBooks) -> dict[str, Cell]:
    times = books.end_to_end
    names = ("mean", "p50", "p90", "p95", "p99", "p99.9", "max", "std")
    found = times.statistics()
    return {
        "path": books.name,
        "frames": text.count(books.frames),
        **{name: measures.statistic(times, name) for name in names},
        "jitter": measures.statistic(books.jitter, "mean"),
        "tail": text.measured(found.tail if times.count else None),
        "flatness": text.measured(found.flatness if times.count else None),
        "critical": text.percent(books.critical / books.frames if books.frames else None),
    }


def budgets(snapshot: Snapshot, width: int) -> RenderableType:
    """Return the budgets: a line for each limit."""
    rows = [_limit(books, name) for books in snapshot.budgets for name in books.limits]
    return table(_BUDGETS, rows, width)


def _limit(books: BudgetBooks, name: str) -> dict[str, Cell]:
    return {
        "budget": books.name,
        "limit ms": f"{name} {text.milliseconds(books.limits[name])}",
        "run ms": measures.statistic(books.times, name),
        "worst ms": text.measured(books.worst.get(name)),
        "judged": text.count(books.judged),
        "missed": text.count(books.missed),
        "verdict": verdict(books),
    }


def verdict(books: BudgetBooks) -> Text:
    """Return whether a budget was kept; `-` where it was never judged."""
    if not books.judged:
        return Text("-")
    return Text("kept", style="green") if books.kept else Text("missed", style="bold red")


def budget_lines(snapshot: Snapshot) -> Iterator[RenderableType]:
    """Yield a sentence for each budget."""
    for books in snapshot.budgets:
        limits = ", ".join(f"{n} {text.milliseconds(s)} ms" for n, s in books.limits.items())
        worst = ", ".join(f"{n} {text.measured(s)} ms" for n, s in books.worst.items())
        if not books.judged:
            yield said(f"budget {books.name}: {limits}: never judged")
            continue
        how = "kept" if books.kept else f"missed {books.missed:,} of {books.judged:,} times"
        sentence = f"budget {books.name}: {limits}: {how}"
        sentence += f", worst window {worst}" if worst else ""
        sentence += f", {text.plural(books.dropped, 'late frame')} dropped" if books.dropped else ""
        yield said(sentence, "green" if books.kept else "bold red")


def split_table(path: PathBooks, snapshot: Snapshot, width: int) -> Iterator[RenderableType]:
    """Yield where a path's time goes: a row an operator, with bars, and what they mean."""
    parts = split(path, snapshot)
    whole = sum(part.total for part in parts)
    kinds = list(totals(parts))
    if whole <= 0:
        return
    headings = {kind: SHORT[kind] for kind in kinds}
    names = max([text_width(part.operator) for part in parts] + [len("operator")])
    room = width - min(names, 20) - 2 - sum(max(len(h), 7) + 2 for h in headings.values()) - 9
    bars = min(max(room, 16), 60)
    columns: Columns = (
        (0, "operator"), (60, "all"),
        *((70, heading) for heading in headings.values()), (0, ""),
    )  # fmt: skip
    rows: list[dict[str, Cell]] = [
        {
            "operator": part.operator,
            "all": text.milliseconds(part.total),
            **{h: text.milliseconds(part.seconds.get(k, 0.0)) for k, h in headings.items()},
            "": bar(part.seconds, part.begin, whole, bars),
        }
        for part in parts
    ]
    sums = totals(parts)
    rows.append(
        {
            "operator": "all",
            "all": text.milliseconds(whole),
            **{h: text.milliseconds(sums.get(k, 0.0)) for k, h in headings.items()},
            "": bar(sums, 0.0, whole, bars),
        }
    )
    yield table(columns, rows, width)
    yield legend(sums)


def text_width(words: str) -> int:
    """Return how many columns `words` take."""
    return Text(words).cell_len


def operators(snapshot: Snapshot, books: Sequence[OperatorBooks], width: int) -> RenderableType:
    """Return what operators did."""
    return table(_OPERATORS, (_operator(snapshot, item) for item in books), width)


def _operator(snapshot: Snapshot, books: OperatorBooks) -> dict[str, Cell]:
    return {
        "operator": books.name,
        "frames": text.count(books.frames),
        "in/s": text.rate(measures.rate_in(snapshot, books)),
        "out/s": text.rate(measures.rate_out(snapshot, books) if books.sent else None),
        "busy": text.percent(measures.utilisation(snapshot, books)),
        "work p50": measures.statistic(books.working, "p50"),
        "work p99": measures.statistic(books.working, "p99"),
        "work max": measures.statistic(books.working, "max"),
        "latency p50": measures.statistic(books.latency, "p50"),
        "latency p99": measures.statistic(books.latency, "p99"),
        "skipped": text.count(books.skipped),
        "dropped": text.causes(books.dropped) or "0",
    }


def workers(snapshot: Snapshot, width: int) -> RenderableType:
    """Return how busy the schedulers' threads were."""
    several = len({books.fragment for books in snapshot.workers}) > 1
    return table(
        _WORKERS,
        (
            {
                "thread": f"{books.fragment}: {books.name}" if several else books.name,
                "busy": text.percent(measures.utilisation(snapshot, books)),
                "at work s": f"{books.busy:,.2f}",
            }
            for books in snapshot.workers
        ),
        width,
    )


def flows(snapshot: Snapshot, width: int) -> RenderableType:
    """Return what became of the messages of every flow."""
    return table(_FLOWS, (_flow(snapshot, books) for books in snapshot.flows), width)


def _flow(snapshot: Snapshot, books: FlowBooks) -> dict[str, Cell]:
    depth = measures.mean_depth(snapshot, books)
    return {
        "flow": books.name,
        "sent": text.count(books.sent),
        "delivered": text.count(books.delivered),
        "dropped": text.causes(books.dropped) or "0",
        "wait p50": measures.statistic(books.waits, "p50"),
        "wait p99": measures.statistic(books.waits, "p99"),
        "depth": "-" if depth is None or not books.queue else f"{depth:.2f}",
        "queue": text.count(books.queue) if books.queue else "-",
        "when full": books.when_full if books.queue else "-",
    }


def fragments(snapshot: Snapshot) -> Iterator[RenderableType]:
    """Yield a line for every fragment that was started again, or that strangers have called."""
    for books in snapshot.fragments:
        if books.restarts:
            yield said(f"restarted {books.name}: {text.plural(books.restarts, 'time')}", "yellow")
        if books.refused:
            yield said(f"refused at {books.name}: {text.causes(books.refused)}", "yellow")


def losses(snapshot: Snapshot) -> Iterator[RenderableType]:
    """Yield a line for every flow and operator that lost something."""
    for flow in snapshot.flows:
        if flow.lost:
            of = f" of {flow.sent:,}" if flow.sent else ""
            yield said(f"dropped {flow.name}: {text.causes(flow.dropped)}{of}", "yellow")
    for books in snapshot.operators:
        if any(books.dropped.values()):
            yield said(f"dropped before {books.name}: {text.causes(books.dropped)}", "yellow")
