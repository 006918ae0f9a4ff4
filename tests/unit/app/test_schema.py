"""The JSON Schema accepts what `load` accepts, and refuses what it refuses."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from holoflow.app import catalogue, templates
from holoflow.app.document import parse, plain
from holoflow.app.format import PACKAGE_PATTERN
from holoflow.app.json_schema import fragment_schema, schema
from holoflow.app.mistakes import Report

SHA = "a" * 64

APP = f"""
app: whole
schema: 1
description: all there is
vars: {{level: "${{LEVEL:-0.5}}", name: a, n: 3, yes_or_no: true}}
assets: {{clip: {{from: "file:clip.mp4", sha256: {SHA}}}}}
defaults: {{queue: 4, when_full: block, on_error: stop}}
operators:
  camera:
    type: capture.video
    with: {{path: "asset:clip", rate: 25hz, loop: "${{LOOP:-false}}"}}
  own:
    type: ./ops.py:GrayOp
    inputs: {{image: camera}}
    with: {{anything: [1, {{a: b}}]}}
    fuse: off
  small:
    type: preprocess.resize
    inputs:
      image: {{from: own.out, queue: "${{Q:-1}}", when_full: drop_newest, link: zeromq,
               compress: jpeg, quality: 80, encrypt: false}}
    with: {{width: 64, height: 64}}
  native:
    type: holoscan.operators:PingTensorTxOp
    with: {{allocator: {{type: "holoscan.resources:UnboundedAllocator"}}}}
    conditions: [{{type: "holoscan.conditions:CountCondition", with: {{count: 3}}}}]
  front: {{use: ./front.yaml, with: {{level: 0.25}}, inputs: {{image: camera}}}}
  empty: {{type: "./ops.py:CameraOp", with: , inputs: }}
  screen:
    type: visualize.overlay
    inputs: {{image: front, boxes: {{from: own, back_edge: true}}}}
    sync: {{leader: image, tolerance: 40ms}}
    on_error: skip
fragments:
  edge: {{operators: [camera], host: a, restart: on-failure}}
  rest:
    operators: [own]
    gpu: 0
    host: "${{HOST:-}}"
    port: 7500
    cores: [0, "${{CORE:-1}}"]
    exclusive: true
    scheduler: {{kind: greedy, cores: [0]}}
    environment: {{OMP_NUM_THREADS: 1, MODE: "${{MODE}}", FAST: true}}
    memory: 2GB
    hang: 10s
    restart: always
    restarts: 3
  none: {{operators: [own], scheduler: , environment: }}
scheduler: {{kind: event, workers: 3, cores: [0, 1]}}
budgets: [{{from: camera, to: screen, p99: 50ms, p99.9: 60ms, when_missed: warn}}]
fuse: auto
"""


def read(text: str) -> Any:
    report = Report()
    value = parse(text, "app.yaml", report)
    report.check()
    assert value is not None
    return plain(value)


@pytest.fixture(scope="module")
def app_schema():
    return jsonschema.Draft202012Validator(schema())


def errors(validator, text: str) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(read(text))]


@pytest.mark.parametrize("made", [schema, fragment_schema])
def test_it_is_json_schema(made):
    document = made()
    jsonschema.Draft202012Validator.check_schema(document)
    assert document["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert document["additionalProperties"] is False


def test_references_lead_somewhere():
    document = schema()

    def references(part: Any) -> set[str]:
        if isinstance(part, dict):
            own = {part["$ref"]} if isinstance(part.get("$ref"), str) else set()
            return own.union(*(references(inner) for inner in part.values()))
        if isinstance(part, list):
            return set().union(*(references(inner) for inner in part))
        return set()

    names = {ref.removeprefix("#/$defs/").replace("%20", " ") for ref in references(document)}
    assert names <= set(document["$defs"])


def test_an_app_with_all_there_is_fits(app_schema):
    assert errors(app_schema, APP) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("app: whole\n", ""),
        ("app: whole\n", "app: whole\ncolour: red\n"),
        ("app: whole", "app: a b"),
        ("schema: 1", "schema: 2"),
        ("type: capture.video", "type: capture.vidoe"),
        ("type: capture.video", "tpye: capture.video"),
        ("rate: 25hz", "rate: 25"),
        ("rate: 25hz", "rat: 25hz"),
        ('path: "asset:clip", ', ""),
        ("${LOOP:-false}", "no"),
        ("width: 64", "width: wide"),
        ("queue: 4", "queue: 0"),
        ("when_full: drop_newest", "when_full: drop"),
        ("own.out, queue", "own.out, que"),
        ("{image: camera}", "camera"),
        ("use: ./front.yaml", "use: 3"),
        ("use: ./front.yaml,", "use: ./front.yaml, fuse: off,"),
        ("on_error: skip", "on_error: retry"),
        ("tolerance: 40ms", "tolerance: 40"),
        ("leader: image, ", ""),
        ("kind: event", "kind: fast"),
        ("workers: 3", "workers: 0"),
        ("p99: 50ms", "p99: 50"),
        ("p99: 50ms", "p98: 50ms"),
        ("gpu: 0", "gpus: 0"),
        ("operators: [own]", "operators: own"),
        ("compress: jpeg", "compress: gif"),
        ("quality: 80", "quality: 0"),
        ("encrypt: false", "encrypt: no"),
        ("link: zeromq", "link: tcp"),
        ("port: 7500", "port: 0"),
        ("cores: [0, ", "cores: [-1, "),
        ("exclusive: true", "exclusive: 1"),
        ("{kind: greedy", "{kind: slow"),
        ("OMP_NUM_THREADS: 1", "OMP_NUM_THREADS: [1]"),
        ("memory: 2GB", "memory: 2"),
        ("hang: 10s", "hang: 10"),
        ("restart: always", "restart: yes"),
        ("restarts: 3", "restarts: -1"),
        (SHA, "abc"),
    ],
)
def test_what_load_refuses_is_refused(app_schema, old, new):
    assert old in APP
    assert errors(app_schema, APP.replace(old, new, 1))


def test_an_app_that_extends_another_has_parts_alone(app_schema):
    text = """
extends: base.yaml
operators: {screen: {sync: {leader: image, tolerance: 1ms}}, none: ~}
fragments: {edge: {host: b}, rest: ~}
assets: {clip: {from: "file:other.mp4"}}
scheduler: ~
"""
    assert errors(app_schema, text) == []
    assert errors(app_schema, text.replace("extends: base.yaml", "app: x"))
    assert errors(app_schema, text.replace("base.yaml", "3"))
    assert errors(app_schema, text.replace("scheduler:", "schedule:"))
    assert errors(app_schema, text.replace("none: ~", "none: 3"))


def test_a_reusable_fragment_fits():
    text = """
fragment: front
schema: 1
parameters: {level: {default: 0.5, doc: how much}, path: {doc: a clip}, bare: }
inputs: {image: gray.image, both: [gray.image, small.image]}
outputs: {image: gray}
operators:
  gray: {type: "./ops.py:GrayOp", with: {level: "${level}"}}
  small: {type: preprocess.resize, inputs: {image: gray}, with: {width: "${w}", height: "${w}"}}
"""
    validator = jsonschema.Draft202012Validator(fragment_schema())
    assert errors(validator, text) == []
    assert errors(validator, text.replace("inputs:", "inputz:", 1))
    assert errors(validator, text.replace("doc: a clip", "docs: a clip"))


@pytest.mark.parametrize("name", catalogue.names())
def test_every_operator_has_its_parameters_with_their_meaning(name):
    document = schema()
    rules = document["$defs"]["operator"]["allOf"]
    rule = next(r for r in rules if r["if"]["properties"]["type"]["const"] == name)
    given = rule["then"]["properties"]["with"]
    reference = given.get("$ref") or given["anyOf"][0]["$ref"]
    parameters = document["$defs"][reference.removeprefix("#/$defs/").replace("%20", " ")]
    model = catalogue.find(name).parameters()
    assert set(parameters.get("properties", {})) == set(model.model_fields)
    for parameter, inner in parameters.get("properties", {}).items():
        assert inner["description"] == model.model_fields[parameter].description
    assert parameters["additionalProperties"] is False


def test_types_complete_with_a_summary():
    types = schema()["$defs"]["operator"]["properties"]["type"]["anyOf"]
    by_name = {entry.get("const"): entry.get("description") for entry in types}
    assert by_name["capture.video"] == catalogue.summary("capture.video")


@pytest.mark.parametrize("name", templates.shipped())
def test_fragments_that_ship_fit(name):
    validator = jsonschema.Draft202012Validator(fragment_schema())
    assert errors(validator, templates.shipped()[name].read_text(encoding="utf-8")) == []


APPS = sorted(Path(__file__).parents[3].glob("apps/*/*.yaml"))


@pytest.mark.parametrize("path", APPS, ids=[f"{path.parent.name}/{path.stem}" for path in APPS])
def test_apps_that_ship_fit(app_schema, path):
    assert errors(app_schema, path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("package", "right"),
    [("libgl1", True), ("g++", True), ("libc6:arm64=2.36-9", True), ("libc6-", False)],
)
def test_a_package_cannot_be_one_that_apt_removes(package: str, right: bool) -> None:
    assert bool(re.fullmatch(PACKAGE_PATTERN, package)) == right
