"""A wrong type for every parameter of every operator of the catalogue is told at its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from holoflow.app import catalogue, load
from holoflow.app.validation import json_schema
from holoflow.core.errors import AppError

CANDIDATES: dict[str, Any] = {
    "[[[1]]]": [[[1]]], "{a: {b: 1}}": {"a": {"b": 1}}, "true": True, "-1": -1, "1.5": 1.5,
    "'?!'": "?!", "{}": {}, "[]": [],
}  # fmt: skip
"""YAML text and value, of every type there is."""

PARAMETERS = [
    (name, parameter)
    for name in catalogue.names()
    for parameter in catalogue.find(name).parameters().model_fields
]


def wrong_values(name: str, parameter: str) -> list[str]:
    """Return texts of values that the parameter's JSON Schema refuses."""
    schema = json_schema(catalogue.find(name).parameters())
    inner = {**schema["properties"][parameter], "$defs": schema.get("$defs", {})}
    validator = jsonschema.Draft202012Validator(inner)
    return [text for text, value in CANDIDATES.items() if not validator.is_valid(value)]


@pytest.mark.parametrize(("name", "parameter"), PARAMETERS)
def test_a_wrong_type_is_one_mistake_at_the_value(tmp_path, name, parameter):
    texts = wrong_values(name, parameter)
    assert texts
    for text in texts:
        # Whatever else the operator lacks is not what is tested.
        lines = ["app: x", "operators:", "  op:", f"    type: {name}", "    with:"]
        lines.append(f"      {parameter}: {text}")
        path = tmp_path / "app.yaml"
        path.write_text("\n".join(lines))
        with pytest.raises(AppError) as caught:
            load(Path(path), environment={})
        column = len(f"      {parameter}: ") + 1
        inside = [m for m in caught.value.mistakes if m.location.line == 6]
        others = [m for m in caught.value.mistakes if m.location.line != 6]
        assert len(inside) == 1, caught.value
        # Inside a list or a mapping the innermost wrong value is told.
        assert column <= inside[0].location.column <= column + len(text)
        if text[0] not in "[{":
            assert inside[0].location.column == column
        assert inside[0].wrong.startswith(f"'{parameter}")
        assert all("not connected" in m.wrong or "missing" in m.wrong or "triggers" in m.wrong
                   for m in others)  # fmt: skip


@pytest.mark.parametrize(("name", "parameter"), PARAMETERS)
def test_a_misspelled_parameter_is_one_mistake_at_the_key(tmp_path, name, parameter):
    path = tmp_path / "app.yaml"
    path.write_text(
        f"app: x\noperators:\n  op:\n    type: {name}\n    with:\n      {parameter}x: 1\n"
    )
    with pytest.raises(AppError) as caught:
        load(path, environment={})
    inside = [m for m in caught.value.mistakes if m.location.line == 6]
    assert [m.location.column for m in inside] == [7]
    assert f"unknown parameter '{parameter}x' of operator 'op'" in inside[0].wrong
