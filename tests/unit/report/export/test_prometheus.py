import itertools
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import generate_latest
from prometheus_client.openmetrics import exposition
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families
from support.snapshots import faces, times

from holoflow.report.export.prometheus import BUCKETS, Collector, metrics, to_text
from holoflow.stats.snapshot import Snapshot


def read(text):
    """Return the value of every sample, by name and labels."""
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = sample.name, *sorted(sample.labels.items())
            assert key not in found, "two samples of one name"
            found[key] = sample.value
    return found


def value(text, name, **labels):
    return read(text)[(f"holoflow_{name}", *sorted(labels.items()))]


@pytest.fixture(scope="module")
def text():
    return to_text(faces())


def test_operators(text):
    detect = {"fragment": "main", "operator": "detect"}
    assert value(text, "operator_frames_total", **detect) == 300
    assert value(text, "operator_sent_total", **detect) == 300
    assert value(text, "operator_busy_seconds_total", **detect) == pytest.approx(9.3)
    assert value(text, "operator_waiting_seconds_total", **detect, reason="turn") == 18
    assert value(text, "operator_utilisation_ratio", **detect) == pytest.approx(0.93)
    assert value(text, "operator_cpu_ratio", **detect) == 0.95
    camera = {"fragment": "main", "operator": "camera"}
    assert value(text, "operator_dropped_total", **camera, cause="device") == 0
    assert value(text, "operator_held_seconds_total", **camera) == 9.1


def test_flows(text):
    flow = {"source": "camera.out", "target": "overlay.image"}
    assert value(text, "flow_messages_sent_total", **flow) == 300
    assert value(text, "flow_messages_delivered_total", **flow) == 290
    assert value(text, "flow_messages_dropped_total", **flow, cause="full") == 10
    assert value(text, "flow_messages_dropped_total", **flow, cause="late") == 0
    assert value(text, "flow_queue_capacity_messages", **flow) == 4
    waiting = {"source": "camera.out", "target": "detect.image"}
    assert value(text, "flow_queue_messages", **waiting) == 2


def test_paths(text):
    path = {"path": "camera → overlay → screen", "source": "camera", "sink": "screen"}
    stats = faces().paths[1]
    assert value(text, "path_latency_seconds_count", **path) == 300
    assert value(text, "path_latency_seconds_sum", **path) == stats.end_to_end.total
    assert value(text, "path_seconds_total", **path, part="waiting") == stats.waiting.total
    assert value(text, "path_critical_frames_total", **path) == 4


def test_run_process_and_budgets(text):
    assert value(text, "run_info", app="faces", run="a1b2c3") == 1
    assert value(text, "run_age_seconds") == 10
    assert value(text, "worker_busy_seconds_total", fragment="main", worker="worker 1") == 9.5
    process = {"fragment": "main", "host": "box"}
    assert value(text, "process_memory_bytes", **process) == 300_000_000
    assert value(text, "process_interpreter_lock_ratio", **process) == 0.05
    budget = {"source": "camera", "target": "screen"}
    assert value(text, "budget_judged_total", **budget) == 20
    assert value(text, "budget_missed_total", **budget) == 18
    assert value(text, "budget_limit_seconds", **budget, statistic="p99") == 0.05


def test_histograms_count_what_lies_below(text):
    detect = {"fragment": "main", "operator": "detect"}
    stats = faces().operator("detect").working
    counts = [
        value(text, "operator_working_seconds_bucket", **detect, le=str(bound))
        for bound in (*BUCKETS, "+Inf")
    ]
    assert counts == [*stats.below(BUCKETS), 300]
    assert 0 < counts[BUCKETS.index(0.025) + 1] <= 300


def test_what_is_not_known_is_left_out():
    machine = replace(faces().fragments[0].machine, gil=None, crowded=None)
    operators = tuple(replace(stats, cpu=None) for stats in faces().operators)
    fragments = (replace(faces().fragments[0], machine=machine),)
    text = to_text(replace(faces(), operators=operators, fragments=fragments, seconds=0.0))
    for name in ("cpu_ratio{", "lock_ratio{", "crowded_ratio{", "utilisation_ratio{"):
        assert name not in text


def test_names_units_and_types_keep_to_the_conventions(text):
    for family in text_string_to_metric_families(text):
        assert family.name.startswith("holoflow_")
        assert family.documentation.endswith(".")
        assert family.type in ("counter", "gauge", "histogram")
        for sample in family.samples:
            assert (family.type == "counter") == sample.name.endswith("_total")
            assert not math.isnan(sample.value)


def test_openmetrics_is_right_too():
    collector = Collector()
    collector.put(faces())
    said = exposition.generate_latest(collector.registry).decode()
    families = list(openmetrics.text_string_to_metric_families(said))
    units = {family.name: family.unit for family in families}
    assert units["holoflow_path_latency_seconds"] == "seconds"
    assert units["holoflow_process_memory_bytes"] == "bytes"
    assert units["holoflow_operator_frames"] == ""
    assert {family.name for family in families if family.type == "info"} == {"holoflow_run"}


def test_nothing_but_the_run_is_in_it(text):
    assert "python_" not in text
    assert to_text(faces()) == text


def test_before_the_first_snapshot_there_is_nothing():
    assert generate_latest(Collector().registry) == b""


def test_what_has_the_same_labels_is_added_up():
    first, second = faces().paths
    first = replace(first, end_to_end=times(0.01, count=7), critical=3)
    second = replace(first, end_to_end=times(0.02, count=5), critical=2)
    text = to_text(replace(faces(), paths=(first, second)))
    path = {"path": first.name, "source": "camera", "sink": "screen"}
    assert value(text, "path_latency_seconds_count", **path) == 12
    assert value(text, "path_critical_frames_total", **path) == 5
    assert first.end_to_end.count == 7, "statistics were changed"


def test_labels_of_any_text_are_escaped():
    (flow, *_) = faces().flows
    flow = replace(flow, source='a"\\\n.out')
    text = to_text(replace(faces(), flows=(flow,)))
    assert value(text, "flow_messages_sent_total", source='a"\\\n.out', target=flow.target) == 300


WAY = faces().paths[0]


def counters(collector):
    """Every sample that must not fall."""
    return {
        key: number
        for key, number in read(generate_latest(collector.registry).decode()).items()
        if key[0].endswith(("_total", "_bucket", "_count", "_sum"))
    }


@given(st.lists(st.floats(0, 20), min_size=1, max_size=20))
@settings(max_examples=40)
def test_counters_never_fall_and_buckets_stay_in_order(added):
    collector = Collector()
    snapshot = Snapshot("faces", "a1b2c3", 0.0, 1.0, (), ())
    way = replace(WAY, end_to_end=times(0.01, count=3))
    before = {}
    for each in added:
        way = replace(way, end_to_end=way.end_to_end.copy())
        way.end_to_end.add(np.array([each]))
        collector.put(replace(snapshot, paths=(way,)))
        now = counters(collector)
        assert all(now[key] >= number for key, number in before.items())
        buckets = [now[key] for key in now if key[0] == "holoflow_path_latency_seconds_bucket"]
        assert all(one <= other for one, other in itertools.pairwise(buckets))
        assert buckets[-1] == way.end_to_end.count
        before = now


def test_what_rounding_takes_away_is_not_shown():
    collector = Collector()
    snapshot = faces()
    collector.put(snapshot)
    before = counters(collector)
    less = [replace(stats, busy=stats.busy - 1e-9) for stats in snapshot.operators]
    collector.put(replace(snapshot, operators=tuple(less)))
    assert counters(collector) == before


def test_another_run_begins_anew():
    collector = Collector()
    collector.put(faces())
    fresh = replace(faces().flows[0], sent=1, delivered=1)
    collector.put(replace(faces(), run="d4e5f6", flows=(fresh,)))
    text = generate_latest(collector.registry).decode()
    assert value(text, "flow_messages_sent_total", source=fresh.source, target=fresh.target) == 1
    assert "a1b2c3" not in text


def test_the_document_lists_every_metric(text):
    document = (Path(__file__).parents[4] / "docs" / "reference" / "report.md").read_text()
    listed = re.findall(r"^\| `(holoflow_\w+)` \| (\w+) \| ([^|]*) \|", document, re.MULTILINE)
    suffixes = {"counter": "_total", "info": "_info"}
    assert sorted(listed) == sorted(
        (
            f"holoflow_{metric.name}{suffixes.get(metric.kind, '')}",
            metric.kind,
            ", ".join(f"`{label}`" for label in metric.labels),
        )
        for metric in metrics(faces())
    )
