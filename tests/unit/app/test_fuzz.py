"""Whatever the input: an app, or mistakes with places inside the file."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holoflow.app import load
from holoflow.app.document import parse, plain
from holoflow.app.mistakes import Report
from holoflow.core.errors import AppError, Mistake

pytestmark = pytest.mark.slow

VALID = """\
app: whole
vars: {level: "${LEVEL:-0.5}", name: "a"}
assets:
  clip: {from: "file:clip.mp4", sha256: "%s"}
defaults: {queue: 4, when_full: block, on_error: stop}
operators:
  camera: &camera
    type: ./ops.py:CameraOp
    with: {path: "asset:clip", rate: 25hz}
  gray:
    type: ./ops.py:GrayOp
    inputs: {image: camera}
    with: {level: "${level}", size: [3, 4], names: ["${name}", b], wait: 5ms}
  detect:
    type: ./ops.py:DetectOp
    inputs: {image: {from: gray.out, queue: 1, when_full: drop_newest}}
  far:
    type: "./ops.py:GrayOp"
    inputs: {image: {from: gray, link: zeromq, compress: jpeg, quality: 9}}
  front: {use: ./front.yaml, with: {level: 0.25}, inputs: {image: camera}}
  screen:
    type: ./ops.py:ScreenOp
    inputs: {image: front, boxes: detect.boxes, last: {from: detect.text}}
    sync: {leader: image, tolerance: 40ms}
fragments:
  edge: {operators: [camera, far], host: a, port: 7500, restart: on-failure, restarts: 3}
  rest:
    operators: [gray, detect, front, screen]
    gpu: 0
    cores: [0, 1]
    exclusive: true
    scheduler: {kind: greedy, cores: [0]}
    environment: {A: "${level}", B: 1}
    memory: 2GB
    hang: 10s
scheduler: {kind: event, workers: 3, cores: [0, 1]}
budgets: [{from: camera, to: screen, p99: 50ms}]
""" % ("a" * 64)

FRONT = """\
fragment: front
parameters: {level: {default: 0.5, doc: how much}}
inputs: {image: gray.image}
outputs: {image: gray}
operators: {gray: {type: "./ops.py:GrayOp", with: {level: "${level}"}}}
"""

PIECES = [
    "", " ", "\n", "\n  ", ": ", "- ", "[", "]", "{", "}", ",", "&a ", "*a", "*camera", "!t ", "#",
    "|\n", ">\n", "'", '"', "?", "%", "---\n", "...\n", "\t", "\\", "${", "}", "${level}", "$$",
    "on", "yes", "~", "null", "1", "-1", "1e999", "0x", ".inf", ".nan", "50ms", "9" * 30,
    "asset:", "asset:clip", "./", "../..", "ops.py", ":", "front", "front.", "camera.out", "use",
    "type", "with", "inputs", "from", "é", "\U0001f600", "\x00", "\x85", "\u2028", "\ufeff", "\r",
]  # fmt: skip


@pytest.fixture
def folder(tmp_path, load_text, monkeypatch) -> Path:
    (tmp_path / "front.yaml").write_text(FRONT)
    monkeypatch.chdir(tmp_path)
    return tmp_path


quick = settings(max_examples=60)


def check(content: bytes, name: str = "app.yaml") -> None:
    """Load `content` as file `name`; only an app or mistakes that can be shown may come of it."""
    Path(name).write_bytes(content)
    for mistake in mistakes_of(Path("app.yaml")):
        place = mistake.location
        assert place.file in ("app.yaml", "front.yaml")
        text = Path(place.file).read_bytes().decode("utf-8-sig", "replace")
        lines = text.split("\n")
        if any(character in text for character in "\r\x85\u2028\u2029"):
            # YAML ends lines at more characters than an editor does.
            lines = [text] * len(re.split("[\n\r\x85\u2028\u2029]", text))
        assert 1 <= place.line <= len(lines)
        assert 1 <= place.column <= len(lines[place.line - 1]) + 1
        assert mistake.wrong
        assert "\n" not in str(mistake)


def mistakes_of(path: Path) -> list[Mistake]:
    try:
        load(path, environment={})
    except AppError as error:
        return error.mistakes
    return []


def test_the_valid_app_is_valid(folder):
    Path("app.yaml").write_text(VALID)
    assert len(load(Path("app.yaml"), environment={}).operators) == 6


EXTENDED = """\
extends: front.yaml
app: more
operators: {camera: {type: "./ops.py:CameraOp"}, gray: {inputs: {image: camera}, with: ~}}
"""


@settings(quick, max_examples=100)
@given(st.integers(0, 2**32))
def test_an_app_that_extends_one_of_another_shape(folder, seed):
    source = random.Random(seed)
    Path("app.yaml").write_bytes(mutated(EXTENDED, source))
    base = read(VALID) if source.random() < 0.5 else read(EXTENDED)
    check(json.dumps(reshaped(base, source)).encode(), "front.yaml")
    (folder / "front.yaml").write_text(FRONT)


@quick
@given(st.binary(max_size=200))
def test_any_bytes(folder, content):
    check(content)


@quick
@given(st.text(max_size=200))
def test_any_text(folder, content):
    check(content.encode("utf-8", "surrogatepass"))


@quick
@given(st.lists(st.sampled_from([*PIECES, "app", "operators", "a", "b"]), max_size=30))
def test_any_pieces_of_yaml(folder, pieces):
    check("".join(pieces).encode())


def mutated(text: str, source: random.Random) -> bytes:
    for _ in range(source.randint(1, 4)):
        at = source.randrange(len(text) + 1)
        match source.randrange(4):
            case 0:
                text = text[:at] + text[at + source.randint(1, 12) :]
            case 1:
                text = text[:at] + source.choice(PIECES) + text[at:]
            case 2:
                other = source.randrange(len(text) + 1)
                text = text[:at] + text[other : other + source.randint(1, 60)] + text[at:]
            case _:
                lines = text.splitlines(keepends=True)
                lines[source.randrange(len(lines))] = source.choice([*lines, "\n"])
                text = "".join(lines)
        text = text or " "
    return text.encode()


@settings(quick, max_examples=200)
@given(st.integers(0, 2**32))
def test_a_valid_app_with_random_changes(folder, seed):
    check(mutated(VALID, random.Random(seed)))


VALUES: list[Any] = [
    None, True, 0, -1, 7, 1.5, float("inf"), float("nan"), 10**30, "", "a", "camera", "camera.out",
    "front", "front.gray", "detect.boxes", "asset:clip", "asset:x", "${level}", "${x}", "${",
    "50ms", "50", [], {}, ["camera"], [[1]], {"from": "gray"}, {"from": 3, "queue": "x"},
    {"type": "./ops.py:GrayOp"}, {"use": "./front.yaml"}, {"a": {"b": [1]}}, "./ops.py:DetectOp",
    "./none.py:X", "json:JSONDecoder", "capture.video", "./front.yaml", "./app.yaml",
]  # fmt: skip
KEYS = [
    "a", "type", "use", "with", "inputs", "image", "from", "level", "sync", "conditions", "fuse",
    "camera", "gray", "operators", "extends", "link", "host", "environment", "scheduler", "cores",
    "p99", "names", "name", "x y", "", "front", "default",
]  # fmt: skip


def reshaped(part: Any, source: random.Random) -> Any:
    """Return `part` with values, keys and entries changed at random."""
    if source.random() < 0.03:
        return source.choice(VALUES)
    if isinstance(part, list):
        return [reshaped(item, source) for item in part if source.random() > 0.02]
    if isinstance(part, dict):
        entries = {
            source.choice(KEYS) if source.random() < 0.02 else key: reshaped(item, source)
            for key, item in part.items()
            if source.random() > 0.02
        }
        if source.random() < 0.03:
            entries[source.choice(KEYS)] = source.choice(VALUES)
        return entries
    return part


def read(text: str) -> Any:
    value = parse(text, "", Report())
    assert value is not None
    return plain(value)


@settings(quick, max_examples=200)
@given(st.integers(0, 2**32))
def test_a_valid_app_of_another_shape(folder, seed):
    check(json.dumps(reshaped(read(VALID), random.Random(seed))).encode())


@settings(quick, max_examples=100)
@given(st.integers(0, 2**32))
def test_a_reusable_fragment_of_another_shape(folder, seed):
    Path("app.yaml").write_text(VALID)
    check(json.dumps(reshaped(read(FRONT), random.Random(seed))).encode(), "front.yaml")
    (folder / "front.yaml").write_text(FRONT)


@settings(quick, max_examples=100)
@given(st.integers(0, 2**32))
def test_a_reusable_fragment_with_random_changes(folder, seed):
    Path("app.yaml").write_text(VALID)
    check(mutated(FRONT, random.Random(seed)), "front.yaml")
    (folder / "front.yaml").write_text(FRONT)
