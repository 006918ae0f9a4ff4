"""Reusable fragments: `use:` in an app."""

import pytest

from holoflow.app import operators, templates
from holoflow.core.errors import AppError

FRONT = """\
fragment: front
schema: 1
description: a camera and what it sees
parameters:
  path: {doc: a clip}
  level: {default: 0.5, doc: fraction of full scale}
  names: {default: [a, b]}
inputs: {picture: gray.image, both: [gray.image]}
outputs: {image: gray, boxes: detect.boxes}
operators:
  camera:
    type: ./ops.py:FileOp
    with: {path: "${path}"}
  gray:
    type: ./ops.py:GrayOp
    with: {level: "${level}", names: "${names}"}
  detect:
    type: ./ops.py:DetectOp
    inputs: {image: gray}
"""

APP = """\
app: x
operators:
  front:
    use: ./front.yaml
    inputs: {picture: camera}
    with: {path: ops.py}
  camera: {type: "./ops.py:CameraOp"}
  screen:
    type: ./ops.py:ScreenOp
    inputs: {image: front.image, boxes: front.boxes}
"""


def test_a_fragment_is_filled_in(load_text, tmp_path):
    app = load_text(
        APP + "budgets: [{from: camera, to: front.detect, p99: 1s}]\n"
        "fragments: {a: {operators: [front, camera]}, b: {operators: [screen]}}\n",
        {"front.yaml": FRONT},
    )
    assert set(app.operators) == {"front.camera", "front.gray", "front.detect", "camera", "screen"}
    assert app.operators["front.camera"].parameters == {"path": str(tmp_path / "ops.py")}
    assert app.operators["front.gray"].parameters == {"level": 0.5, "names": ["a", "b"]}
    assert app.operators["front.gray"].location.file == "front.yaml"
    assert sorted(f"{flow.source} {flow.target}" for flow in app.flows) == [
        "camera.out front.gray.image",
        "front.detect.boxes screen.boxes",
        "front.gray.out front.detect.image",
        "front.gray.out screen.image",
    ]
    assert app.fragments["a"].operators == ("front.camera", "front.gray", "front.detect", "camera")


def test_parameters_of_the_app_reach_the_operators(load_text):
    text = APP.replace("{path: ops.py}", '{path: ops.py, level: "${L:-0.25}", names: [c]}')
    gray = load_text(text, {"front.yaml": FRONT}).operators["front.gray"]
    assert gray.parameters == {"level": 0.25, "names": ["c"]}


def test_a_fragment_twice_and_inside_another(load_text):
    outer = """\
fragment: outer
parameters: {level: {default: 0.125}}
inputs: {image: [one.image, two.image]}
outputs: {image: two}
operators:
  one: {use: ./inner.yaml, with: {level: "${level}"}}
  two: {use: ./inner.yaml}
"""
    inner = """\
fragment: inner
parameters: {level: {default: 0.75}}
inputs: {image: gray.image}
outputs: {image: gray}
operators:
  gray: {type: "./ops.py:GrayOp", with: {level: "${level}"}}
"""
    app = load_text(
        """\
app: x
operators:
  camera: {type: "./ops.py:CameraOp"}
  a: {use: ./outer.yaml, inputs: {image: camera}}
  b: {use: ./outer.yaml, inputs: {image: a}, with: {level: 0}}
""",
        {"outer.yaml": outer, "inner.yaml": inner},
    )
    levels = {n: o.parameters["level"] for n, o in app.operators.items() if n != "camera"}
    assert levels == {
        "a.one.gray": 0.125, "a.two.gray": 0.75, "b.one.gray": 0, "b.two.gray": 0.75,
    }  # fmt: skip
    assert "a.two.gray.out b.one.gray.image" in [f"{f.source} {f.target}" for f in app.flows]


def test_fragments_that_ship_are_found_by_name(load_text, monkeypatch, tmp_path):
    monkeypatch.setattr(templates, "shipped", lambda: {"front": tmp_path / "front.yaml"})
    app = load_text(APP.replace("./front.yaml", "front"), {"front.yaml": FRONT})
    assert "front.gray" in app.operators


@pytest.mark.parametrize(
    "case",
    [
        (("  front:", "  «front:"), ("{path: ops.py}", "{}"),
         "missing parameter 'path' of fragment 'front'; a clip"),
        (("{path: ops.py}", "{path: ops.py, «levl: 1}"),
         "unknown parameter of fragment 'front': 'levl'; did you mean 'level'?"),
        (("{path: ops.py}", "{path: ops.py, level: «2}"), "'level' cannot be 2"),
        (("{path: ops.py}", "{path: «nope}"), "there is no file 'nope'"),
        (("picture: camera", "«pictur: camera"), "unknown input of 'front': 'pictur'; did you"),
        (("picture: camera", "picture: «camra"), "unknown operator 'camra'; did you mean"),
        (("  front:", "  «front:"), ("    inputs: {picture: camera}\n", ""),
         "input 'picture' of 'front' is not connected; write inputs: {picture: OPERATOR}"),
        (("picture: camera", "picture: camera, both: «camera"),
         "input 'image' of 'front.gray' is connected twice; it already is at app.yaml:5:23"),
        (("front.image,", "«front,"), "'front' has several outputs; write front.image or"),
        (("front.boxes", "«front.detect"), "unknown output 'detect' of 'front'; known here: boxes"),
        (("front.boxes", "«front.image"), "'gray' sends Image; input 'boxes' of"),
        (("use: ./front.yaml", "use: «./none.yaml"), "there is no file './none.yaml'"),
        (("use: ./front.yaml", "use: «fornt"), "unknown fragment 'fornt'; write ./file.yaml"),
        (("use: ./front.yaml", "use: «3"), "'use' cannot be 3; it is text"),
        (("    use: ./front.yaml", "    use: ./front.yaml\n    «type: x"), "unknown key 'type'"),
    ],
)  # fmt: skip
def test_mistakes_in_the_app(mistakes, case):
    *changes, words = case
    text = APP
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    found = mistakes(text, {"front.yaml": FRONT})
    assert len(found) == 1
    assert words in str(found[0])


@pytest.mark.parametrize(
    "case",
    [
        ('"${level}"', '«"${lvel}"', "unknown parameter 'lvel'; did you mean 'level'?"),
        ("gray.image, both", "«gary.image, both", "unknown operator 'gary'; did you mean 'gray'?"),
        (
            "detect.boxes",
            "«detect.boxs",
            "unknown output 'boxs' of 'detect'; did you mean 'boxes'?",
        ),
        ("schema: 1", "«shema: 1", "unknown key 'shema'; did you mean 'schema'?"),
        ("default: 0.5", "default: «7", "'level' cannot be 7; it is a number from 0 to 1"),
        ("default: 0.5", 'default: «"${path}"', "a default cannot contain ${path}"),
        ("{image: gray}\n", "{image: «grey}\n", "unknown operator 'grey'; did you mean 'gray'?"),
        ("{doc: a clip}", "{«docs: a clip}", "unknown key 'docs' of parameter 'path'"),
        ("fragment: front\n", "", "missing key 'fragment'"),
        ("detect.boxes}", "«[detect.boxes]}", "output 'boxes' names no port; write OPERATOR.PORT"),
    ],
)
def test_mistakes_in_the_fragment(mistakes, case):
    old, new, words = case
    assert old in FRONT
    text = FRONT.replace(old, new, 1)
    if not new:
        text = "«" + text
    found = mistakes(APP, {"front.yaml": text})
    assert len(found) == 1
    assert words in str(found[0])


def test_mistakes_of_a_fragment_used_twice_are_told_once(mistakes):
    text = APP + "  again: {use: ./front.yaml, with: {path: ops.py}, inputs: {picture: camera}}\n"
    mistakes(text, {"front.yaml": FRONT.replace("{image: gray}\n", "{image: «grey}\n")})


@pytest.mark.parametrize("use", ["./loop.yaml", "./other.yaml"])
def test_a_fragment_that_uses_itself(load_text, use):
    files = {
        "loop.yaml": f"fragment: loop\noperators: {{again: {{use: {use}}}}}\n",
        "other.yaml": "fragment: other\noperators: {again: {use: ./loop.yaml}}\n",
    }
    with pytest.raises(AppError) as caught:
        load_text("app: x\noperators: {a: {use: ./loop.yaml}}", files)
    assert "fragment templates use one another: loop.yaml → " in str(caught.value)
    assert len(caught.value.mistakes) == 1


@pytest.mark.parametrize("content", ["", "[", "- a", "3", "\x00", "app: x\n"])
def test_a_file_that_is_no_fragment(load_text, content):
    with pytest.raises(AppError) as caught:
        load_text("app: x\noperators: {a: {use: ./bad.yaml}}", {"bad.yaml": content})
    assert {mistake.location.file for mistake in caught.value.mistakes} == {"bad.yaml"}


def test_fragments_that_multiply_without_end(load_text, monkeypatch):
    monkeypatch.setattr(operators, "MAX_OPERATORS", 1_000)
    files = {
        f"f{i}.yaml": "fragment: f\noperators:\n"
        + "".join(f"  o{j}: {{use: ./f{i + 1}.yaml}}\n" for j in range(12))
        for i in range(6)
    }
    files["f6.yaml"] = "fragment: f\noperators: {a: {type: './ops.py:CameraOp'}}\n"
    with pytest.raises(AppError, match="more than 1,000 operators"):
        load_text("app: x\noperators: {a: {use: ./f0.yaml}}", files)
