import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.snapshots import faces, history, times

from holoflow.core.markup import el, join
from holoflow.report import charts
from holoflow.report.axes import Axis, BinGrid, logarithmic
from holoflow.report.charts import CurvePoint, curve, distribution, heat_map
from holoflow.stats.histogram import Histogram

positive = st.floats(1e-9, 1e6)


@given(positive, st.floats(1, 1e9), st.integers(1, 9))
def test_marks_lie_on_the_axis_ascend_and_are_few(low, ratio, most):
    axis = logarithmic(low, low * ratio, 0, 100)
    marks = axis.marks(most)
    assert marks == sorted(set(marks))
    assert len(marks) <= most
    assert all(axis.low <= mark <= axis.high and 0 <= axis.at(mark) <= 100 for mark in marks)


@given(st.floats(0, 1e6), st.integers(2, 9))
def test_marks_of_a_linear_axis(high, most):
    marks = Axis(0.0, high, 0, 100).marks(most)
    assert marks[0] == 0
    assert len(marks) <= most + 1


def test_a_logarithmic_axis_has_equal_room_for_equal_ratios():
    axis = Axis(1e-3, 10.0, 0, 400, "log")
    assert [axis.at(value) for value in (1e-3, 1e-2, 0.1, 1, 10)] == pytest.approx(
        [0, 100, 200, 300, 400]
    )


def test_a_grid_holds_every_value_in_at_most_so_many_bins():
    many = times(0.01, count=5000, spread=1.0)
    grid = BinGrid([many], 48)
    bins = grid.bins(many)
    assert sum(item.values for item in bins) == 5000
    assert len(bins) <= 48
    assert bins[0].low == pytest.approx(grid.low)
    assert all(item.low < item.high for item in bins)


def test_values_of_nothing_are_in_the_first_bin():
    some = times(0.0, 0.0, 0.5)
    assert [item.values for item in BinGrid([some], 9).bins(some)] == [3]


def numbers(drawing, attribute, kind):
    found = re.findall(rf'<rect class="{kind}[^>]*? {attribute}="([^"]+)"', drawing)
    return [float(value) for value in found]


def test_columns_of_a_distribution_stand_for_all_frames():
    drawing = distribution("way", times(0.05, count=1000), {"p99": 0.08})
    heights = numbers(drawing, "height", "column")
    assert len(heights) > 10
    counted = re.findall(r"s: ([\d,]+) frames?</title>", drawing)
    assert sum(int(count) for count in counted) == 1000
    assert "limit p99 80" in drawing


def test_nothing_is_not_drawn():
    assert distribution("way", Histogram(), {}) is None
    assert heat_map("way", ()) is None
    assert heat_map("way", history(faces())) is None
    assert charts.share(None, "x") is None


def test_a_heat_map_has_no_more_columns_than_there_is_room_for():
    drawing = heat_map(faces().paths[0].name, history(faces(), 240))
    assert len(set(numbers(drawing, "x", "heat"))) <= 96


def test_a_bar_is_as_long_as_its_share():
    drawing = charts.stacked({"working": 3.0, "turn": 6.0}, 1.0, 10.0)
    assert numbers(drawing, "x", "k-turn") == [100]
    assert numbers(drawing, "width", "k-turn") == [600]
    assert numbers(drawing, "x", "k-working") == [700]
    assert numbers(charts.share(0.25, "x"), "width", "use") == [250]
    assert numbers(charts.share(7.0, "x"), "width", "use") == [1000]


def test_a_curve_rises_to_its_top():
    drawing = curve([CurvePoint(0, 5, 1.0), CurvePoint(5, 10, 2.0)], 10.0, 2.0, "words")
    assert 'd="M0 40L0 21L300 21L300 2L600 2L600 40Z"' in drawing


def test_markup_escapes_what_is_not_marked():
    assert el("p", "<b>", el("i", "&"), None, title='"', class_="x", y=1.5) == (
        '<p title="&quot;" class="x" y="1.5">&lt;b&gt;<i>&amp;</i></p>'
    )
    assert join("\x1b", el("br")) == "\\x1b<br>"
