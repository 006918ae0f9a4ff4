"""What an app does not say is what the format says."""

from __future__ import annotations

from dataclasses import MISSING, fields

import pytest

from holoflow.app import graph
from holoflow.app.format import (
    BudgetSchema,
    Defaults,
    FragmentSchema,
    InputSchema,
    SchedulerSchema,
)
from holoflow.link.wire.compression import Encoding
from holoflow.plan import plan
from holoflow.plan.plan import PlannedFlow

SAID = [
    (Defaults, graph.App),
    (Defaults, graph.Node),
    (Defaults, graph.Fragment),
    (InputSchema, graph.Flow),
    (InputSchema, PlannedFlow),
    (InputSchema, Encoding),
    (SchedulerSchema, graph.Scheduler),
    (FragmentSchema, graph.Fragment),
    (BudgetSchema, graph.Budget),
]


@pytest.mark.parametrize(("schema", "value"), SAID)
def test_values_have_the_defaults_of_the_format(schema, value):
    own = {field.name: field.default for field in fields(value) if field.default is not MISSING}
    said = {
        key: field.default
        for key, field in schema.model_fields.items()
        if key in own and field.default not in (None, [])
    }
    assert said
    assert {key: own[key] for key in said} == said


@pytest.mark.parametrize("written", ["{}", "null", "{queue: null}"])
def test_a_plan_has_them_where_the_app_says_nothing(load_text, written):
    app = load_text(
        f"""
        app: numbers
        defaults: {written}
        operators:
          first: {{type: ./ops.py:CameraOp}}
          second: {{type: ./ops.py:ScreenOp, inputs: {{image: {{from: first}}}}}}
        """
    )
    (flow,) = plan(app, fuse=False).flows
    said = Defaults()
    assert (flow.queue, flow.when_full) == (said.queue, said.when_full)
    assert {node.on_error for node in app.operators.values()} == {said.on_error}
    assert app.hang == said.hang
