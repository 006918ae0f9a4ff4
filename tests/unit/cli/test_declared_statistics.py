"""What is declared of a statistic is what every output shows."""

from __future__ import annotations

from dataclasses import replace
from html import escape

import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.reports import report
from support.snapshots import faces

from holoflow.cli import sections
from holoflow.cli.tables import plain_text
from holoflow.cli.top_drawing import draw
from holoflow.cli.top_view import view
from holoflow.live.state import LiveState
from holoflow.operators.visualize._page.numbers import counts
from holoflow.report.comparison import compare
from holoflow.report.diagnosis.decision import explain
from holoflow.report.export.prometheus import to_text
from holoflow.report.numbers import numbers
from holoflow.report.page import page
from holoflow.stats.snapshot import FlowStats, OperatorStats, PathStats
from holoflow.stats.statistic import columns, statistics

SOME = 7_654_321
KINDS = pytest.mark.parametrize(
    ("kind", "cls"), [("operators", OperatorStats), ("flows", FlowStats)]
)


@KINDS
def test_a_count_that_has_a_column_is_in_every_output(kind, cls):
    for name, declared in columns(cls).items():
        if declared.kind != "counter":
            continue
        key = next(iter(declared.keys), "")
        count = {key: SOME} if declared.by else SOME
        first, *others = getattr(faces(), kind)
        snapshot = replace(faces(), **{kind: (replace(first, **{name: count}), *others)})
        assert numbers(snapshot)[kind][0][name] == count
        shown = [
            page(report(snapshot), explain(snapshot)).decode(),
            plain_text(
                [
                    sections.operators(snapshot, snapshot.operators, 200),
                    sections.flows(snapshot, 200),
                ]
            ),
        ]
        for words in shown:
            assert declared.column in words
            assert f"{SOME:,}" in words
        assert escape(declared.keys.get(key, declared.help)) in shown[0]
        families = {f.name: f for f in text_string_to_metric_families(to_text(snapshot))}
        samples = families[f"holoflow_{declared.metric}"].samples
        assert SOME in [sample.value for sample in samples]


@KINDS
def test_the_live_page_has_whole_numbers_of_every_count(kind, cls):
    told = counts(getattr(faces(), kind)[0])
    besides = {"frames"} | {name for name, declared in columns(cls).items() if declared.by}
    assert told.keys() == {
        declared.column
        for name, declared in columns(cls).items()
        if declared.kind == "counter" and name not in besides
    }
    assert all(isinstance(count, int) for count in told.values())


@KINDS
def test_every_statistic_is_in_the_numbers_of_a_report(kind, cls):
    assert statistics(cls).keys() <= numbers(faces())[kind][0].keys()


@KINDS
def test_what_is_declared_as_a_loss_is_in_live_views_and_in_comparisons(kind, cls):
    for name, declared in columns(cls).items():
        if not declared.loss:
            continue
        cause = next(iter(declared.keys)) if declared.by else declared.column
        count = {cause: SOME} if declared.by else SOME
        *others, last = getattr(faces(), kind)
        snapshot = replace(faces(), **{kind: (*others, replace(last, **{name: count}))})
        shown = plain_text([draw(view(LiveState("live", snapshot=snapshot), snapshot), 200, 100)])
        assert f"{SOME:,} {cause}" in shown
        compared = compare(report(faces()), report(snapshot))
        (drops,) = (drops for drops in compared.drops if SOME in drops.b.values())
        assert (drops.kind, drops.b) == (kind.removesuffix("s"), {cause: SOME})


@pytest.mark.parametrize("cls", [PathStats, OperatorStats, FlowStats])
def test_times_that_are_declared_for_it_are_compared(cls):
    named = [statistic.compared for statistic in statistics(cls).values() if statistic.compared]
    assert named
    assert set(named) <= {times.what for times in compare(report(faces()), report(faces())).times}
