"""The parts of the page, one function each; one that has nothing to say yields nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any, TypeAlias

from holoflow.core import text
from holoflow.core.markup import Child, Html, el
from holoflow.plan.draw import draw
from holoflow.report import charts, measures
from holoflow.report.charts import CurvePoint, curve, distribution, heat_map
from holoflow.report.diagnosis.finding import Explanation, Finding
from holoflow.report.graph import run_graph
from holoflow.report.grid import Column, grid
from holoflow.report.measures import LABELS, SHORT_LABELS, Kind, Part, split, totals
from holoflow.report.run_report import RunReport
from holoflow.stats.snapshot import (
    BudgetStats,
    FlowStats,
    FragmentStats,
    OperatorStats,
    PathStats,
    Snapshot,
)
from holoflow.stats.statistic import columns

Count: TypeAlias = Callable[[Any], "int | None"]
"""Takes the statistics of an operator or a flow."""
MOST_PATHS = 12
"""Paths that are drawn; the table has all."""
_STATISTICS = ("mean", "p50", "p90", "p95", "p99", "p99.9", "max", "std")


def _others(_report: RunReport, explanation: Explanation) -> Iterator[Html]:
    for found in explanation.others:
        yield el(
            "div",
            el("strong", f"{found.where}: {found.cause}"),
            *evidence(found),
            class_="verdict",
        )


def evidence(found: Finding) -> Iterator[Html]:
    """Yield what a finding is based on, and what would help."""
    if found.evidence:
        yield el("p", *_coded(found.evidence))
    if found.advice:
        yield el("p", "What would help, the best first:", class_="soft")
        yield el("ol", *(el("li", *_coded(words)) for words in found.advice))


def _coded(words: str) -> Iterator[Child]:
    """Yield a sentence with what stands between backticks as code."""
    for index, piece in enumerate(words.split("`")):
        yield el("code", piece) if index % 2 else piece


def _budgets(report: RunReport, _: Explanation) -> Iterator[Html]:
    budgets = report.snapshot.budgets
    if budgets:
        yield grid(
            "Times in ms",
            (
                Column("budget", "line"), Column("limit", "line"), Column("whole run"),
                Column("worst window"), Column("last window"), Column("judged"), Column("missed"),
                Column("when missed", "words"), Column("late frames dropped"),
                Column("verdict", "words"),
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


def _paths(report: RunReport, explanation: Explanation) -> Iterator[Html]:
    last = report.snapshot
    if not last.paths:
        return
    yield grid(
        "End to end, in ms, the slowest first",
        (
            Column("path", "name"), Column("frames"), *(Column(name) for name in _STATISTICS),
            Column("jitter", help="mean difference of successive intervals between frames"),
            Column("tail", help="p95 to p100"), Column("flatness", help="p10 to p90"),
            Column("critical", help="share of frames on which this way came last at every join"),
        ),
        map(_path, last.paths),
    )  # fmt: skip
    if last.unfollowed:
        words = f"{text.plural(last.unfollowed, 'way')} through the graph were too many to follow."
        yield el("p", words, class_="soft")
    critical = explanation.critical
    drawn = sorted(last.paths, key=lambda path: path is not critical)[:MOST_PATHS]
    for path in drawn:
        yield from _drawn(path, report, critical=path is critical)
    if len(last.paths) > len(drawn):
        yield el("p", f"{text.plural(len(last.paths) - len(drawn), 'path')} more are not drawn.")


def _path(stats: PathStats) -> list[Child]:
    times = stats.end_to_end
    found = times.statistics()
    return [
        stats.name,
        text.count(stats.frames),
        *(measures.statistic(times, name) for name in _STATISTICS),
        measures.statistic(stats.jitter, "mean"),
        text.milliseconds(found.tail if times.count else None),
        text.milliseconds(found.flatness if times.count else None),
        text.percent(stats.critical / stats.frames if stats.frames else None),
    ]


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
    """Return the budget of the whole path, where there is one."""
    works = [step.operator for step in path.steps if step.kind == "work"]
    for stats in report.snapshot.budgets:
        if works and (stats.source, stats.target) == (works[0], works[-1]):
            return stats.limits
    return {}


def _split(parts: tuple[Part, ...]) -> Html:
    whole = sum(part.total for part in parts)
    sums = totals(parts)
    columns = (
        Column("operator", "name"), Column("from capture to the end", "curve"), Column("in all"),
        Column("share"), *(Column(SHORT_LABELS[kind], help=LABELS[kind]) for kind in sums),
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
        counted = _counted(last.operators)
        yield grid(
            "Times in ms",
            (
                Column("operator", "name"), Column("type", "words"), Column("frames"),
                Column("in/s", help="calls per second"),
                Column("out/s", help="messages sent per second"),
                Column("busy"), Column("", "bar"),
                Column("on a CPU", help="share of its working time that was spent on a CPU"),
                Column("working p50"), Column("p99"), Column("max"),
                Column("latency p50", help="from capture to the end of its call"), Column("p99"),
                Column("jitter"), *counted,
            ),
            (_operator(last, stats, counted) for stats in last.operators),
        )  # fmt: skip
    if last.workers:
        yield el("h3", "Workers of the scheduler")
        yield grid(
            "Share of the time in which they had a stage to work on",
            (Column("worker", "name"), Column("fragment", "words"), Column("busy"),
             Column("", "bar")),
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


def _counted(all_stats: Sequence[OperatorStats | FlowStats]) -> dict[Column, Count]:
    """Return the columns of the declared counts, and what each shows of an operator or a flow.

    Of counts by cause there is a column for every cause that occurred.
    """
    found: dict[Column, Count] = {}
    for name, declared in columns(type(all_stats[0])).items():
        if not declared.by:
            found[Column(declared.column, help=declared.help)] = attrgetter(name)
            continue
        occurred = (key for stats in all_stats for key, n in getattr(stats, name).items() if n)
        for key in dict.fromkeys(occurred):
            meaning = declared.keys.get(key, declared.help)
            found[Column(f"{declared.column}: {key}", help=meaning)] = _by(name, key)
    return found


def _by(name: str, key: str) -> Count:
    return lambda stats: getattr(stats, name).get(key, 0)


def _operator(
    snapshot: Snapshot, stats: OperatorStats, counted: Mapping[Column, Count]
) -> list[Child]:
    use = measures.utilisation(snapshot, stats)
    return [
        stats.name,
        stats.type,
        text.count(stats.frames),
        text.number(measures.rate_in(snapshot, stats)),
        text.number(measures.rate_out(snapshot, stats) if stats.sent else None),
        text.percent(use),
        charts.share(use, f"{stats.name}: {text.percent(use)} busy"),
        text.percent(stats.cpu),
        *(measures.statistic(stats.working, name) for name in ("p50", "p99", "max")),
        *(measures.statistic(stats.latency, name) for name in ("p50", "p99")),
        measures.statistic(stats.jitter, "mean"),
        *(text.count(count(stats)) for count in counted.values()),
    ]


def _flows(report: RunReport, _: Explanation) -> Iterator[Html]:
    last = report.snapshot
    if not last.flows:
        return
    counted = _counted(last.flows)
    yield grid(
        "Every message that was sent was delivered, or dropped for a cause. Times in ms",
        (
            Column("flow", "line"), *counted, Column("lost"), Column("waiting"),
            Column("wait p50"), Column("p99"),
            Column("mean depth", help="messages that waited on average"), Column("queue"),
            Column("when full", "words"), Column("link", "words"),
        ),
        (_flow(last, stats, counted) for stats in last.flows),
    )  # fmt: skip


def _flow(snapshot: Snapshot, stats: FlowStats, counted: Mapping[Column, Count]) -> list[Child]:
    depth = measures.mean_depth(snapshot, stats)
    lost = measures.share_lost(stats)
    return [
        stats.name,
        *(text.count(count(stats)) for count in counted.values()),
        el("span", text.percent(lost), class_="bad") if stats.lost else text.percent(lost),
        text.count(stats.waiting),
        measures.statistic(stats.waits, "p50"),
        measures.statistic(stats.waits, "p99"),
        text.number(depth if stats.queue else None),
        text.count(stats.queue or None),
        stats.when_full if stats.queue else "direct call",
        stats.link if stats.link != "none" else text.NOT_MEASURED,
    ]


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
            (Column(named, "line"), Column("over the run", "curve"), Column("least"),
             Column("most")),
            rows,
        )  # fmt: skip


def _run(report: RunReport, _: Explanation) -> Iterator[Html]:
    fragments = report.snapshot.fragments
    if fragments:
        yield grid(
            "Processes of the run",
            (
                Column("fragment", "name"), Column("host", "words"), Column("process"),
                Column("restarts", help="how often its process was restarted"),
                Column("refused", help="what strangers have sent to its links"),
                Column("engine", "words"), Column("scheduler", "words"), Column("workers"),
                Column("cores"), Column("CPU cores in use"), Column("memory"),
                Column("interpreter lock", help="share of the time in which threads wait for it"),
                Column("crowded", help="share of the time in which threads wait for a core"),
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
    "Graph": _graph,
    "Paths": _paths,
    "Operators": _operators,
    "Flows": _flows,
    "Over the run": _curves,
    "The run": _run,
}
"""In the order of the page."""
