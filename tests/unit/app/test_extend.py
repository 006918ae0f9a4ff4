"""`extends:` - an app that is another one with some things changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from holoflow.app import load
from holoflow.app.document import parse, plain
from holoflow.app.graph import Scheduler
from holoflow.app.mistakes import Report
from holoflow.app.templates import merged
from holoflow.core.errors import AppError

BASE = """\
app: base
description: as it was
vars: {level: 0.5}
operators:
  camera: {type: "./ops.py:CameraOp"}
  gray:
    type: ./ops.py:GrayOp
    inputs: {image: camera}
    with: {level: "${level}", names: [a, b]}
  screen: {type: "./ops.py:ScreenOp", inputs: {image: gray}}
scheduler: {kind: event, workers: 3}
budgets: [{from: camera, to: screen, p99: 50ms}]
"""

APART = """\
extends: base.yaml
vars: {host: far}
operators:
  gray:
    inputs: {image: {from: camera, compress: zstd}}
    with: {names: [c]}
    on_error: skip
  more: {type: "./ops.py:GrayOp", inputs: {image: gray}}
fragments:
  a: {operators: [camera], host: "${host}"}
  b: {operators: [gray, screen, more]}
scheduler: {workers: 1}
"""


def test_an_app_with_some_things_changed(load_text):
    app = load_text(APART, {"base.yaml": BASE})
    assert (app.name, app.description, app.path) == ("base", "as it was", Path("app.yaml"))
    assert list(app.operators) == ["camera", "gray", "screen", "more"]
    assert app.operators["gray"].parameters == {"level": 0.5, "names": ["c"]}
    assert app.operators["gray"].on_error == "skip"
    assert app.scheduler == Scheduler("event", 1)
    assert app.variables == {"level": "0.5", "host": "far"}
    assert {name: f.host for name, f in app.fragments.items()} == {"a": "far", "b": None}
    assert [flow.compress for flow in app.flows] == ["zstd", "none", "none"]
    assert len(app.budgets) == 1


def test_settings_reach_the_variables_of_both(load_text):
    settings = {"level": "0.25", "host": "near"}
    app = load_text(APART, {"base.yaml": BASE}, settings=settings)
    assert app.operators["gray"].parameters["level"] == 0.25
    assert app.fragments["a"].host == "near"


def test_what_has_no_value_is_taken_away(load_text):
    text = "extends: base.yaml\nbudgets:\ndescription: ~\noperators: {screen: ~}\n"
    app = load_text(text, {"base.yaml": BASE})
    assert list(app.operators) == ["camera", "gray"]
    assert (app.budgets, app.description) == ((), "")


def test_paths_are_meant_from_the_file_where_they_stand(load_text, tmp_path):
    folder = tmp_path / "shared"
    folder.mkdir()
    (folder / "clip.mp4").touch()
    (folder / "parts.yaml").write_text(
        'fragment: parts\noperators: {c: {type: "../ops.py:CameraOp"}}\n'
    )
    (folder / "base.yaml").write_text("""\
app: base
operators:
  file: {type: "../ops.py:FileOp", with: {path: clip.mp4}}
  parts: {use: ./parts.yaml}
""")
    (tmp_path / "own.mp4").touch()
    app = load_text("extends: shared/base.yaml\n")
    assert app.operators["file"].parameters == {"path": str(folder / "clip.mp4")}
    app = load_text("extends: shared/base.yaml\noperators: {file: {with: {path: own.mp4}}}\n")
    assert app.operators["file"].parameters == {"path": str(tmp_path / "own.mp4")}


def test_an_app_that_extends_one_that_extends_one(load_text):
    files = {
        "base.yaml": BASE,
        "middle.yaml": "extends: base.yaml\napp: middle\nvars: {level: 0.25}\n",
    }
    app = load_text("extends: ./middle.yaml\nscheduler: {kind: greedy}\n", files)
    assert (app.name, app.scheduler) == ("middle", Scheduler("greedy", 3))
    assert app.operators["gray"].parameters["level"] == 0.25


def test_mistakes_stand_in_their_own_files(mistakes):
    found = mistakes(
        APART.replace("[c]", "«3").replace("image: gray}", "image: «grey}"),
        {"base.yaml": BASE.replace("workers: 3", "«worker: 3").replace("50ms", "«50")},
    )
    assert len(found) == 4


def test_what_is_put_over_is_not_looked_at(load_text):
    base = BASE.replace("[a, b]", "7").replace("workers: 3", "workers: none")
    assert load_text(APART, {"base.yaml": base}).operators


def test_duplicate_keys_of_one_file_are_mistakes_still(mistakes):
    mistakes("extends: base.yaml\nvars: {a: 1, «a: 2}\n", {"base.yaml": BASE})
    mistakes("extends: base.yaml\n", {"base.yaml": BASE.replace("vars:", "«app: b\nvars:")})


def test_a_missing_key_is_told_in_the_file_that_is_run(mistakes):
    found = mistakes("«extends: base.yaml\n", {"base.yaml": BASE.replace("app: base\n", "")})
    assert found[0].wrong == "missing key 'app'"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("extends: «none.yaml\n", "there is no file 'none.yaml'; a path is relative to /"),
        ("extends: «.\n", "there is no file '.'"),
        ("extends: «3\n", "'extends' cannot be 3; it is the path of an app file"),
        ("extends: «[base.yaml]\n", "'extends' cannot be [\"base.yaml\"]"),
        ("extends: «''\n", "there is no file ''"),
        ('extends: «"${BASE}"\n', "there is no file '${BASE}'"),
        ('extends: «"a\\0b"\n', "there is no file 'a"),
        (f"extends: «{5000 * 'x'}\n", "x"),
        ("extends: !«!t base.yaml\n".replace("!«!", "«!"), "the tag"),
        ("extends: «app.yaml\n", "apps extend one another: app.yaml → app.yaml; break the cycle"),
        ("«extend: base.yaml\napp: x\noperators: {c: {type: './ops.py:CameraOp'}}\n",
         "unknown key 'extend'; did you mean 'extends'?"),
    ],
)  # fmt: skip
def test_what_cannot_be_extended(mistakes, text, words):
    (found,) = mistakes(text, {"base.yaml": BASE})
    assert words in str(found)


@pytest.mark.parametrize("content", ["«", "«[1]\n", "«text\n", "a: b«: c\n"])
def test_a_base_that_is_no_app(mistakes, content):
    assert mistakes("extends: base.yaml\n", {"base.yaml": content})


def test_a_circle_of_two(load_text):
    files = {"other.yaml": "extends: app.yaml\n"}
    with pytest.raises(AppError) as caught:
        load_text("extends: other.yaml\n", files)
    (mistake,) = caught.value.mistakes
    assert mistake.wrong == "apps extend one another: app.yaml → other.yaml → app.yaml"
    assert (mistake.location.file, mistake.location.column) == ("other.yaml", 10)


def test_a_long_chain(load_text):
    files = {f"a{i}.yaml": f"extends: a{i + 1}.yaml\n" for i in range(20)}
    with pytest.raises(AppError, match=r"apps extend one another: app\.yaml → a0\.yaml"):
        load_text("extends: a0.yaml\n", files | {"a20.yaml": BASE})


def test_a_reusable_fragment_extends_nothing(mistakes):
    text = "app: x\noperators: {a: {use: ./own.yaml}}\n"
    own = 'fragment: own\n«extends: base.yaml\noperators: {c: {type: "./ops.py:CameraOp"}}\n'
    mistakes(text, {"own.yaml": own, "base.yaml": BASE})


# -- merging ---------------------------------------------------------------------------------


def value(text):
    report = Report()
    found = parse(text, text, report)
    report.check()
    return found


# Most are those of RFC 7396, appendix A.
@pytest.mark.parametrize(
    ("base", "over", "expected"),
    [
        ("{a: b}", "{a: c}", {"a": "c"}),
        ("{a: b}", "{b: c}", {"a": "b", "b": "c"}),
        ("{a: b}", "{a: ~}", {}),
        ("{a: b, b: c}", "{a: ~}", {"b": "c"}),
        ("{a: [b]}", "{a: c}", {"a": "c"}),
        ("{a: c}", "{a: [b]}", {"a": ["b"]}),
        ("{a: {b: c}}", "{a: {b: d, c: ~}}", {"a": {"b": "d", "c": None}}),
        ("{a: {b: c}}", "{a: {b: ~}}", {"a": {}}),
        ("{a: [{b: c}]}", "{a: [1]}", {"a": [1]}),
        ("{a: foo}", "{b: {c: d}}", {"a": "foo", "b": {"c": "d"}}),
        ("{e: ~}", "{a: 1}", {"e": None, "a": 1}),
    ],
)
def test_merging(base, over, expected):
    below, above = value(base), value(over)
    result = merged(below, above)
    assert plain(result) == expected
    assert list(plain(below)) == list(plain(value(base)))  # neither is changed
    assert result.keys.keys() == result.data.keys()
    assert result.at.file == over


def test_size_and_depth_of_what_is_merged():
    result = merged(value("{a: [1, 2], b: {c: {d: e}}}"), value("{a: [3], b: {x: 1}}"))
    again = value("{a: [3], b: {c: {d: e}, x: 1}}")
    assert (result.size, result.depth) == (again.size, again.depth)


def test_the_file_may_lie_anywhere(tmp_path, load_text):
    load_text(BASE)
    (tmp_path / "base.yaml").write_text(BASE)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "app.yaml").write_text("extends: ../base.yaml\n")
    assert load(tmp_path / "sub" / "app.yaml", environment={}).name == "base"
