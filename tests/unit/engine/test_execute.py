"""Which engine runs an app."""

from __future__ import annotations

import pytest
from support.graphs import Sink, Source, app, flow, node

from holoflow.engine import RunOptions
from holoflow.engine.execute import choose_engine
from holoflow.holoscan import runtime
from holoflow.plan import plan


@pytest.mark.parametrize("available", [True, False])
def test_threads_run_an_app_where_holoscan_is_not_installed(monkeypatch, tmp_path, available):
    monkeypatch.setattr(runtime, "available", lambda: available)
    monkeypatch.setattr(runtime, "load", lambda: None)
    planned = plan(app([node("source", Source), node("sink", Sink)], [flow("source", "sink")]))
    options = RunOptions(output=tmp_path)
    assert choose_engine(options, planned) == ("holoscan" if available else "threads")
