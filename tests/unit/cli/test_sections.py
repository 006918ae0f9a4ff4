"""Reports on a terminal: whole, and never wider than it."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from support import random_snapshots
from support.reports import report
from support.snapshots import faces

from holoflow.cli import compare, sections
from holoflow.cli.report import parts
from holoflow.cli.summary import Summary, Written, renderables
from holoflow.cli.tables import WIDE, bar, plain_text
from holoflow.engine.control import RunResult
from holoflow.report.comparison import compare as compare_runs
from holoflow.stats.snapshot import ParameterChange


def drawn(content, width):
    page = io.StringIO()
    console = Console(file=page, width=width, color_system=None)
    for part in content:
        console.print(part)
    return page.getvalue().splitlines()


def summary(folder, snapshot):
    return Summary(
        snapshot.app, RunResult("done", "inline", snapshot), folder,
        (Written("a.mp4", 1, 3),), folder / "report.json",
    )  # fmt: skip


def test_a_summary_of_four_operators_fits_a_screen():
    folder = Path("/home/somebody/work/runs/faces/2026-01-01_12-00-00")
    assert len(drawn(renderables(summary(folder, faces()), 80), 80)) <= 24


def test_a_report_says_all():
    text = plain_text(parts(report(faces()), WIDE))
    lines = text.splitlines()
    assert "bottleneck: detect (slow operator): " in text
    assert "critical path: camera → detect → overlay → screen: p50 93.5 ms, p99 121 ms" in lines
    path = next(line for line in lines if line.startswith("camera → detect → overlay → screen"))
    assert path.split()[7:11] == ["300", "95.3", "93.5", "108"]
    assert any(line.split()[:3] == ["camera", "→", "screen"] and "missed" in line for line in lines)
    detect = [line for line in lines if line.startswith("detect ")]
    assert detect[0].split()[:4] == ["detect", "91.0", "31.0", "0.0998"]
    assert detect[1].split()[1:5] == ["300", "30.0", "30.0", "93%"]
    assert any(line.startswith("camera.out -> overlay.image") and "10 full" in line
               for line in lines)  # fmt: skip


def test_parameters_that_were_changed_are_listed_with_when():
    snapshot = faces()
    when = snapshot.time - snapshot.seconds + 2.5
    change = ParameterChange(when, "detect", "threshold", "0.5", "0.6")
    lines = drawn(parts(report(replace(snapshot, changes=(change,))), WIDE), WIDE)
    assert "after 2.5 s  detect.threshold: 0.6 instead of 0.5" in lines


def test_a_failed_run_says_so():
    text = plain_text(parts(report(faces(), failure="operator 'x' failed", outcome="failed"), WIDE))
    assert text.startswith("faces: failed, ")
    assert "operator 'x' failed\n" in text


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 120, 200])
def test_numbers_are_never_cut(width):
    for line in drawn(parts(report(faces()), width), width):
        assert cell_len(line) <= width
        for word in line.split():
            assert not word.endswith("…") or not word[0].isdigit()


def test_bars_below_one_another_meet():
    first = bar({"working": 2.0, "turn": 1.0}, 0.0, 10.0, 40).plain
    second = bar({"working": 5.0}, 3.0, 10.0, 40).plain
    assert first == "▒" * 4 + "█" * 8
    assert second == " " * 12 + "█" * 20


def test_a_budget_that_was_never_judged_is_neither_kept_nor_missed():
    never = replace(faces().budgets[0], judged=0, missed=0)
    lines = plain_text(sections.budget_lines(replace(faces(), budgets=(never,))))
    assert lines == "budget camera → screen: p99 50 ms: never judged\n"


@pytest.mark.slow
@settings(max_examples=50)
@given(
    random_snapshots.snapshots,
    random_snapshots.histories,
    st.integers(20, 160),
)
def test_no_snapshot_breaks_a_terminal(tmp_path_factory, snapshot, samples, width):
    folder = tmp_path_factory.getbasetemp()
    known = report(snapshot, samples)
    for content in (
        parts(known, width),
        compare.parts(compare_runs(known, report(faces())), width),
        (part for part in renderables(summary(folder, snapshot), width)
         if getattr(part, "no_wrap", None) is not True),
    ):  # fmt: skip
        lines = drawn(content, width)
        assert all(cell_len(line) <= width for line in lines)
        assert "\x1b" not in "".join(lines)
