"""What is wrong and what would be right are two fields, and stay so on every way to the reader."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holoflow.app.mistakes import PluginError, Report, TypeNameError
from holoflow.assets.source import Asset, AssetError, SourceError
from holoflow.cli.check import mistakes_as_json
from holoflow.core.errors import (
    AppError,
    HoloflowError,
    Location,
    Mistake,
    OperatorDefinitionError,
    ParameterError,
    ShortageError,
    describe,
    parts,
)  # fmt: skip
from holoflow.holoscan.classes import HoloscanOperatorError
from holoflow.link.wire.types import WireError
from holoflow.link.wire.writing import inside

REPOSITORY = Path(__file__).parents[3]
ROOMS = ("holoflow", "operators", "apps", "fragments", "deploy")
PLAIN = (
    HoloflowError, OperatorDefinitionError, ParameterError, ShortageError, TypeNameError,
    PluginError, SourceError, HoloscanOperatorError, WireError,
)  # fmt: skip

lines = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1)
"""Texts on one line, semicolons among their characters."""


@given(st.sampled_from(PLAIN), lines, lines | st.just(""))
def test_an_error_keeps_both_parts(kind: type[HoloflowError], wrong: str, right: str) -> None:
    error = kind(wrong, right)
    assert (error.wrong, error.right) == parts(error) == (wrong, right)
    assert str(error) == describe(error) == (f"{wrong}; {right}" if right else wrong)


@given(lines, lines)
def test_an_error_that_gets_a_place_keeps_what_would_be_right(wrong: str, right: str) -> None:
    placed = inside("payload", inside("[3]", WireError(wrong, right)))
    assert (placed.wrong, placed.right) == (f"payload[3]: {wrong}", right)
    asset = AssetError(Asset("model", "file:model.onnx", "0" * 64), wrong, right)
    assert asset.wrong == f"asset 'model': {asset.problem}"
    assert asset.right == right


@given(lines)
def test_of_another_error_all_is_wrong(text: str) -> None:
    assert parts(ValueError(text)) == (f"ValueError: {text}", "")
    assert parts(ValueError()) == ("ValueError", "")


@given(lines, lines | st.just(""))
def test_a_mistake_goes_through_json(wrong: str, right: str) -> None:
    report = Report()
    report.add(Location("app.yaml", 2, 3), wrong, right)
    with pytest.raises(AppError) as raised:
        report.check()
    assert raised.value.mistakes == [Mistake(Location("app.yaml", 2, 3), wrong, right)]
    [mistake] = json.loads(mistakes_as_json(raised.value))["mistakes"]
    assert (mistake["wrong"], mistake["right"]) == (wrong, right)


@pytest.mark.parametrize("room", ROOMS)
def test_no_message_is_taken_apart(room: str) -> None:
    # The cells of a table of calls hold lists, which are no messages.
    allowed = {Path("holoflow/report/export/table.py")}
    splitting = {
        f"{path}:{node.lineno}"
        for file in sorted((REPOSITORY / room).rglob("*.py"))
        if (path := file.relative_to(REPOSITORY)) not in allowed
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        and node.func.attr.removeprefix("r") in ("split", "partition")
        and any(isinstance(a, ast.Constant) and ";" in str(a.value) for a in node.args)
    }  # fmt: skip
    assert not splitting
