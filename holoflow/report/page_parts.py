"""The parts of the report page, one function each; a part without content yields nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from holoflow.core import text
from holoflow.core.markup import Child, Html, el
from holoflow.plan.draw import draw
from holoflow.report import charts, measures
from holoflow.report.charts import CurvePoint, curve, distribution, heat_map
from holoflow.report.columns import (
    FLOWS,
    OPERATORS,
    PATHS,
    OperatorRow,
    PathRow,
    counts_besides,
    flow_rows,
    operator_rows,
)
from holoflow.report.diagnosis.finding import Explanation, Finding
from holoflow.report.graph import run_graph
from holoflow.report.grid import Heading, grid, statistics_grid
from holoflow.report.measures import LABELS, SHORT_LABELS, Kind, Part, split, totals
from holoflow.report.run_report import RunReport
from holoflow.stats.snapshot import (
    BudgetStats,
    FragmentStats,
    PathStats,
)

MOST_PATHS = 12
"""Number of paths that are drawn; the table has all of them."""
_PATHS = (
    "name", "frames", *(f"end_to_end.{name}" for name in
                        ("mean", "p50", "p90", "p95", "p99", "p99.9", "max", "std")),
    "jitter.mean", "tail", "flatness", "critical",
)  # fmt: skip
_OPERATORS = (
    "name", "type", "frames", "rate_in", "rate_out", "utilisation", "bar", "cpu", "in_flight",
    "working.p50", "working.p99", "working.max", "latency.p50", "latency.p99", "jitter.mean",
)  # fmt: skip
_FLOWS = (
    "share_lost", "waiting", "waits.p50", "waits.p99", "mean_depth", "queue", "when_full", "link",
)  # fmt: skip


def _others(_report: RunReport, explanation: Explanation) -> Iterator[Html]:
    for found in explanation.others:
        yield el(
            "div",
            el("strong", f"{found.where}: {found.cause}"),
            *evidence(found),
            class_="verdict",
        )


def evidence(found: Finding) -> Iterator[Html]:
    """Yield the evidence of a finding, and what would help."""
    if found.evidence:
        yield el("p", *_coded(found.evidence))
    if found.advice:
        yield el("p", "What would help, best first:", class_="soft")
        yield el("ol", *(el("li", *_coded(words)) for words in found.advice))


def _coded(words: str) -> Iterator[Child]:
    """Yield a sentence with the text between backticks as code."""
    for index, piece in enumerate(words.split("`")):
        yield el("code", piece) if index % 2 else piece


def _budgets(report: RunReport, _: Explanation) -> Iterator[Html]:
    budgets = report.snapshot.budgets
    if budgets:
        yield grid(
            "Times in ms",
            (
                Heading("budget", "line"), Heading("limit", "line"), Heading("whole run"),
                Heading("worst window"), Heading("last window"), Heading("judged"),
                Heading("missed"), Heading("when missed", "words"), Heading("late frames dropped"),
                Heading("verdict", "words"),
            ),
            (_limit(stats, name) for stats in budgets for name in stats.limits),
        )  # fmt: skip


def _limit(stats: BudgetStats, name: str) -> list[Child]:
    if not stats.judged:
        verdict: Child = text.NOT_MEASURED
    else:
        verdict = (
            el("span", "kept", class_="good") if stats.kept else el("span", "missed", class_="bad")
        )
    return [
        stats.name,
        f"{name} ≤ {text.milliseconds(stats.limits[name])} in {text.duration(stats.window)}",
        measures.statistic(stats.times, name),
        text.milliseconds(stats.worst.get(name)),
        text.milliseconds(stats.now.get(name)),
        text.count(stats.judged),
        text.count(stats.missed),
        stats.when_missed,
        text.count(stats.dropped),
        verdict,
    ]


def _changes(report: RunReport, _: Explanation) -> Iterator[Html]:
    last = report.snapshot
    if last.changes:
        yield grid(
            "Live parameters that were changed while the app ran",
            (
                Heading("after"), Heading("parameter", "line"), Heading("before", "words"),
                Heading("since", "words"),
            ),
            (
                [text.duration(change.time - began), f"{change.operator}.{change.parameter}",
                 change.before, change.value]
                for began in (last.time - last.seconds,)
                for change in last.changes
            ),
        )  # fmt: skip


def _paths(report: RunReport, explanation: Explanation) -> Iterator[Html]:
    last = report.snapshot
    if not last.paths:
        return
    shown = [PATHS[name] for name in _PATHS]
    rows = [PathRow(stats, last) for stats in last.paths]
    yield statistics_grid("End to end, in ms, the slowest first", shown, rows)
    if last.unfollowed:
        words = f"Up to {text.plural(last.unfollowed, 'path')} of a message were not followed."
        yield el("p", words, class_="soft")
    critical = explanation.critical
    drawn = sorted(last.paths, key=lambda path: path is not critical)[:MOST_PATHS]
    for path in drawn:
        yield from _drawn(path, report, critical=path is critical)
    if len(last.paths) > len(drawn):
        yield el("p", f"{text.plural(len(last.paths) - len(drawn), 'path')} more are not drawn.")


def _drawn(path: PathStats, report: RunReport, *, critical: bool) -> Iterator[Html]:
    yield el("h3", path.name, " (critical)" if critical else None)
    parts = split(path, report.snapshot)
    if any(part.total > 0 for part in parts):
        yield _split(parts)
    pictures = (
        ("How long frames took", distribution(path.name, path.end_to_end, _limits(path, report))),
        ("The same over the run", heat_map(path.name, report.history)),
    )
    figures = [
        el("figure", el("figcaption", caption), drawing)
        for caption, drawing in pictures
        if drawing is not None
    ]
    if figures:
        yield el("div", *figures, class_="charts")


def _limits(path: PathStats, report: RunReport) -> Mapping[str, float]:
    """Return the budget of the whole path; empty if there is none."""
    works = [step.operator for step in path.steps if step.kind == "work"]
    for stats in report.snapshot.budgets:
        if works and (stats.source, stats.target) == (works[0], works[-1]):
            return stats.limits
    return {}


def _split(parts: tuple[Part, ...]) -> Html:
    whole = sum(part.total for part in parts)
    sums = totals(parts)
    columns = (
        Heading("operator", "name"), Heading("from capture to the end", "curve"), Heading("in all"),
        Heading("share"), *(Heading(SHORT_LABELS[kind], help=LABELS[kind]) for kind in sums),
    )  # fmt: skip
    rows = [
        _times(part.operator, part.seconds, part.total, whole, sums, part.begin) for part in parts
    ]
    rows.append(_times("in all", sums, whole, whole, sums, 0.0))
    legend = el("ul", *(el("li", _swatch(kind), LABELS[kind]) for kind in sums), class_="legend")
    table = grid("Where the time goes: means, in ms", columns, rows, total=True)
    return el("div", table, legend)


def _times(
    name: str, seconds: Mapping[Kind, float], total: float, whole: float,
    kinds: Mapping[Kind, float], begin: float,
) -> list[Child]:  # fmt: skip
    return [
        name,
        charts.stacked(seconds, begin, whole),
        text.milliseconds(total),
        text.percent(total / whole),
        *(text.milliseconds(seconds.get(kind)) for kind in kinds),
    ]


def _swatch(kind: Kind) -> Html:
    return el(
        "svg", el("rect", class_=f"k-{kind}", width=10, height=10),
        viewBox="0 0 10 10", aria_hidden="true",
    )  # fmt: skip


def _graph(report: RunReport, explanation: Explanation) -> Iterator[Html]:
    if not report.snapshot.operators:
        return
    graph = run_graph(report.snapshot, explanation.critical)
    for form, tall in (("wide", False), ("tall", True)):
        yield el("div", draw(graph, tall=tall), class_=form, tabindex=0)
    yield el(
        "p",
        "In each box: how busy the operator was, its calls per second, and the median of its "
        "working time. Beside a flow: the median of its messages' waiting, and how many it lost. "
        "The critical path is thick and orange; dashed flows may drop messages; flows that lead "
        "back are pink.",
        class_="soft",
    )


def _operators(report: RunReport, _: Explanation) -> Iterator[Html]:
    last = report.snapshot
    if last.operators:
        operators = {**OPERATORS, "bar": replace(OPERATORS["utilisation"], name="bar", heading="")}
        yield statistics_grid(
            "Times in ms",
            [*map(operators.__getitem__, _OPERATORS), *counts_besides(OPERATORS, _OPERATORS)],
            operator_rows(last),
            bar=_share,
        )
    if last.workers:
        yield el("h3", "Workers of the scheduler")
        yield grid(
            "Share of the time in which they had a stage to work on",
            (Heading("worker", "name"), Heading("fragment", "words"), Heading("busy"),
             Heading("", "bar")),
            (
                [
                    stats.name,
                    stats.fragment,
                    text.percent(use),
                    charts.share(use, f"{stats.name}: {text.percent(use)} busy"),
                ]
                for stats in last.workers
                for use in [measures.utilisation(last, stats)]
            ),
        )  # fmt: skip


def _share(row: OperatorRow) -> Child:
    column = OPERATORS["utilisation"]
    return charts.share(column.value(row), f"{row.stats.name}: {column.cell(row)} busy")


def _flows(report: RunReport, _: Explanation) -> Iterator[Html]:
    last = report.snapshot
    if last.flows:
        yield statistics_grid(
            "Every message that was sent was delivered, or dropped for a cause. Times in ms",
            [FLOWS["name"], *counts_besides(FLOWS, _FLOWS), *(FLOWS[name] for name in _FLOWS)],
            flow_rows(last),
            share_lost=lambda row: el(
                "span", FLOWS["share_lost"].cell(row), class_="bad" if row.stats.lost else None
            ),
        )


def _curves(report: RunReport, _: Explanation) -> Iterator[Html]:
    last, history = report.snapshot, report.history
    spans = [(max(s.seconds - s.span, 0.0), s.seconds) for s in history]
    if not history or max(end for _, end in spans) <= 0:
        return
    rates = {
        stats.name: [
            CurvePoint(*at, s.frames.get(stats.name, 0) / s.span if s.span > 0 else 0.0)
            for at, s in zip(spans, history, strict=True)
        ]
        for stats in last.operators
        if stats.frames is not None
    }
    depths = {
        stats.name: [
            CurvePoint(*at, s.depth[stats.name])
            for at, s in zip(spans, history, strict=True)
            if stats.name in s.depth
        ]
        for stats in last.flows
        if stats.queue
    }
    drops = {
        stats.name: [
            CurvePoint(*at, s.dropped.get(stats.name, 0) / s.span if s.span > 0 else 0.0)
            for at, s in zip(spans, history, strict=True)
        ]
        for stats in last.flows
        if stats.lost
    }
    queues = {stats.name: float(stats.queue) for stats in last.flows}
    yield from _curve_table("Frames per second", "operator", rates, {})
    yield from _curve_table(
        "Messages in the queues, of those that may wait", "flow", depths, queues
    )
    yield from _curve_table("Messages dropped per second", "flow", drops, {})


def _curve_table(
    title: str, named: str, curves: Mapping[str, Sequence[CurvePoint]], tops: Mapping[str, float]
) -> Iterator[Html]:
    rows: list[list[Child]] = []
    whole = max((point.end for points in curves.values() for point in points), default=0.0)
    for name, points in curves.items():
        if not points or whole <= 0:
            continue
        values = [point.value for point in points]
        least, most = min(values), max(values)
        said = f"{name}: {text.number(least)} to {text.number(most)} over {text.duration(whole)}"
        drawn = curve(points, whole, max(most, tops.get(name, 0.0)), said)
        rows.append([name, drawn, text.number(least), text.number(most)])
    if rows:
        yield el("h3", title)
        yield grid(
            f"From the start of the run to {text.duration(whole)}",
            (Heading(named, "line"), Heading("over the run", "curve"), Heading("least"),
             Heading("most")),
            rows,
        )  # fmt: skip


def _run(report: RunReport, _: Explanation) -> Iterator[Html]:
    fragments = report.snapshot.fragments
    if fragments:
        yield grid(
            "Processes of the run",
            (
                Heading("fragment", "name"), Heading("host", "words"), Heading("process"),
                Heading("restarts", help="how often its process was restarted"),
                Heading("refused", help="messages of strangers to its links that were refused"),
                Heading("engine", "words"), Heading("scheduler", "words"), Heading("workers"),
                Heading("cores"), Heading("CPU cores in use"), Heading("memory"),
                Heading("interpreter lock", help="share of the time in which threads wait for it"),
                Heading("crowded", help="share of the time in which threads wait for a core"),
            ),
            map(_fragment, fragments),
        )  # fmt: skip
    for title, data in (("Options", report.options), ("Versions", report.versions)):
        if data:
            words = json.dumps(data, indent=2, ensure_ascii=False)
            yield el("details", el("summary", title), el("pre", words, tabindex=0))


def _fragment(stats: FragmentStats) -> list[Child]:
    machine = stats.machine
    return [
        stats.name,
        stats.host,
        str(stats.pid),
        text.count(stats.restarts),
        text.causes(stats.refused) or "0",
        stats.engine,
        stats.scheduler,
        text.count(stats.workers),
        text.count(machine.cores),
        text.number(machine.cpu / stats.seconds if stats.seconds > 0 else None),
        text.size(machine.memory),
        text.percent(machine.gil),
        text.percent(machine.crowded),
    ]


PARTS: Mapping[str, Callable[[RunReport, Explanation], Iterator[Html]]] = {
    "What else matters": _others,
    "Budgets": _budgets,
    "Changes": _changes,
    "Graph": _graph,
    "Paths": _paths,
    "Operators": _operators,
    "Flows": _flows,
    "Over the run": _curves,
    "The run": _run,
}
"""Parts by title, in the order of the page."""
