import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.snapshots import faces, flow, operator

from holoflow.report import measures
from holoflow.stats.histogram import Histogram
from holoflow.stats.snapshot import Snapshot


def test_rates_and_utilisation_are_those_of_the_operators_fragment():
    late = replace(faces().fragments[0], seconds=20.0)
    snapshot = replace(faces(), fragments=(late,))
    detect = snapshot.operator("detect")
    assert measures.rate_in(snapshot, detect) == 15
    assert measures.rate_out(snapshot, detect) == 15
    assert measures.utilisation(snapshot, detect) == pytest.approx(0.465)
    assert measures.utilisation(snapshot, snapshot.workers[0]) == pytest.approx(0.475)


def test_mean_depth_is_littles_law():
    waits = Histogram()
    waits.add(np.full(100, 0.25))
    assert measures.mean_depth(faces(), flow("a.b", "c.d", waits=waits)) == pytest.approx(2.5)


def test_what_was_not_measured_is_none():
    empty = Snapshot("app", "a1b2", 0.0, 0.0, (), ())
    assert measures.rate_in(empty, operator("a", 0.1)) is None
    untracked = replace(operator("a", 0.0), working=Histogram())
    assert measures.utilisation(faces(), untracked) is None
    assert measures.mean_depth(faces(), flow("a.b", "c.d", waits=Histogram())) is None
    assert measures.share_lost(flow("a.b", "c.d", sent=0)) is None


def test_frames_are_those_of_the_sources_and_drops_are_added_up():
    assert measures.source_frames(faces()) == 300
    camera = operator("camera", 0.1, dropped={"device": 2, "full": 1, "late": 0})
    assert measures.total_dropped(replace(faces(), operators=(camera,))) == {
        "device": 2, "full": 11,
    }  # fmt: skip


@given(st.floats())
def test_what_cannot_be_a_number_of_a_run_counts_as_nothing(value):
    assert 0 <= measures.finite(value) < math.inf
    assert 0 <= measures.share(value, 1.0) <= 1
    assert 0 <= measures.share(1.0, value) <= 1
