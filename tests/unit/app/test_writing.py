"""Mappings as YAML: read as what they were, in the style of the documentation."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holoflow.app.document import parse, plain
from holoflow.app.mistakes import Report
from holoflow.app.writing import WIDTH, written

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=130) | st.sampled_from(
    ["yes", "Off", "null", "~", "1.", ".5e3", "08", "0x1f", "-1", "- a", "a: b", "a #b", "...",
     "---", "${x}", "asset:clip", "./ops.py:GrayOp", "25hz", "", " a ", "a:",
     "2026-01-01", "=", "<<"]
)  # fmt: skip
SCALARS = st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats() | TEXT
KEYS = TEXT.map(lambda text: text[:10])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=25,
)


def read(text):
    report = Report()
    value = parse(text, "app.yaml", report)
    report.check()
    return plain(value)


def same(a, b):
    if isinstance(a, float) and math.isnan(a):
        return isinstance(b, float) and math.isnan(b)
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b and type(a) is type(b)


@given(st.dictionaries(KEYS, VALUES, min_size=1, max_size=4))
def test_it_is_read_as_what_was_written(document):
    assert same(document, read(written(document)))


def test_the_style_of_the_documentation():
    document = {
        "app": "faces", "version": "1.0",
        "vars": {"level": 0.25},
        "operators": {
            "camera": {"type": "capture.video", "with": {"path": "asset:clip", "size": (3, 4)}},
            "view": {"type": "./v.py:ViewOp", "inputs": {"image": {"from": "camera", "queue": 4}}},
        },
        "fragments": {"edge": {"operators": ["camera"], "environment": {"A": "x" * 70}}},
        "budgets": [{"from": "camera", "to": "view", "p99": "50ms"}],
    }  # fmt: skip
    comments = {(): ["made by hand"], ("operators", "view", "inputs"): ["why"]}
    assert (
        written(document, comments)
        == """\
# made by hand
app: faces
version: "1.0"
vars: {level: 0.25}

operators:
  camera:
    type: capture.video
    with: {path: "asset:clip", size: [3, 4]}
  view:
    type: ./v.py:ViewOp
    # why
    inputs: {image: {from: camera, queue: 4}}

fragments:
  edge:
    operators: [camera]
    environment: {A: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx}

budgets: [{from: camera, to: view, p99: 50ms}]
"""
    )


def test_what_is_long_has_several_lines():
    text = written({"with": {"names": [f"name {number}" for number in range(40)]}})
    assert max(map(len, text.splitlines())) <= WIDTH
    assert len(read(text)["with"]["names"]) == 40


@pytest.mark.parametrize("name", ["app.yaml", "apart.yaml"])
def test_an_app_that_ships_is_the_same_when_written(name):
    text = Path(__file__).parents[3].joinpath("apps", "faces", name).read_text()
    assert read(written(read(text))) == read(text)
