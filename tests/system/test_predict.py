"""Predictions from real runs, and the small apps by which links are measured."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.planned import write_app

from holoflow.predict.calibration import run_trial
from holoflow.report.run_report import read_report

HOLOFLOW = Path(sys.executable).with_name("holoflow")


def test_real_run_says_all_that_a_prediction_needs(tmp_path):
    write_app(tmp_path)
    command = [HOLOFLOW, "run", tmp_path, "--no-web", "--output", tmp_path / "run"]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    for flow in read_report(tmp_path / "run").snapshot.flows:
        assert 50_000 < flow.size < 52_000, flow.name
    command = [HOLOFLOW, "predict", tmp_path, "--profile", tmp_path / "run"]
    command += ["--hosts", "3", "--json"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
    document = json.loads(done.stdout)
    assert len(document["alternatives"]) == 4
    for way in (document["best"], *document["alternatives"]):
        assert way["rate"] > 0
        assert way["paths"][0]["name"] == "camera → detect → screen"


@pytest.mark.parametrize("link", [None, "shared_memory", "zeromq_local", "zeromq_encrypted"])
def test_links_are_measured_by_apps_that_run(tmp_path, link):
    snapshot = run_trial(tmp_path / "trial", link, 1000, 100.0, 0.5)
    (path,) = snapshot.paths
    assert path.frames > 10
    assert (path.link.max > 0) == (link is not None)
    assert len(snapshot.fragments) == (1 if link is None else 2)
    assert snapshot.flows[0].size is not None
