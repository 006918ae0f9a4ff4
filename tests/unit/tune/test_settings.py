"""Settings to try, and the app files that have them."""

from pathlib import Path

import pytest

from holoflow.app import load
from holoflow.cli.apps import find
from holoflow.tune.settings import (
    DEFAULT,
    block,
    changed,
    entrants,
    nested,
    own_values,
    reachable,
    steps,
)
from holoflow.tune.trial import document, notices

TEMPLATE = """
fragment: eye
operators:
  scene: {type: capture.synthetic}
outputs: {image: scene.image}
"""
NESTED = """
app: nested
defaults: {in_flight: 2}
scheduler: {kind: multithread, workers: 3}
fuse: off
operators:
  eye: {use: ./eye.yaml}
  small: {type: preprocess.resize, inputs: {image: eye}, with: {scale: 0.5}, copies: 2}
  screen: {type: io.video_writer, inputs: {image: small}, with: {path: out.mp4}}
"""


@pytest.fixture
def file(request, tmp_path):
    """The file of a shipped app, or of one with a fragment template."""
    if request.param != "nested":
        return find(request.param)
    (tmp_path / "eye.yaml").write_text(TEMPLATE)
    (tmp_path / "app.yaml").write_text(NESTED)
    return tmp_path / "app.yaml"


def tried(app, cores, busy):
    """Return all settings of all steps, each step begun with the last setting of the one before."""
    own, found, base = own_values(app), [], DEFAULT
    for step in steps(app, cores, busy):
        found += entrants(base, step, own)
        base = found[-1]
    return list(dict.fromkeys(found))


@pytest.mark.parametrize("file", ["hello", "faces", "nested"], indirect=True)
@pytest.mark.parametrize("cores", [1, 16])
def test_every_setting_is_an_app_file_that_says_it_and_nothing_else(file, cores, tmp_path):
    app = load(file)
    own = own_values(app)
    busy = dict.fromkeys(app.operators, 1.0)
    settings = tried(app, range(cores), busy)
    assert settings[0] == DEFAULT
    for setting in settings:
        made = tmp_path / "tried.yaml"
        made.write_text(document(app, file, setting, full_speed=True))
        assert own_values(load(made)) == own | dict(setting.values)
        assert all(own[keys] != value for keys, value in setting.values)


@pytest.mark.parametrize("file", ["hello", "faces", "nested"], indirect=True)
def test_few_are_tried_even_with_many_cores(file):
    app = load(file)
    busy = dict.fromkeys(app.operators, 1.0)
    assert all(len(step.changes) <= 32 for step in steps(app, range(64), busy))


def test_copies_are_tried_of_what_works_most():
    app = load(find("ultrasound"))
    busy = {"calm": 0.9, "large": 0.5, "bright": 0.3, "measure": 0.95}
    names = [step.name for step in steps(app, range(2), busy)]
    assert names[:2] == ["calm", "large"]
    assert "calm" not in [step.name for step in steps(app, range(2), {})]


def test_a_heavy_operator_has_its_copies_and_threads_tried_together():
    app = load(find("faces"))
    (step,) = (step for step in steps(app, range(2), {}) if step.name == "detect")
    shown = [str(changed(DEFAULT, change, own_values(app))) for change in step.changes]
    assert "detect copies 1, detect threads 1" in shown
    assert "default" in shown


@pytest.mark.parametrize("file", ["nested"], indirect=True)
def test_what_cannot_be_set_is_said_and_not_tried(file):
    app = load(file)
    assert [node.name for node in app.operators.values() if not reachable(node)] == ["eye.scene"]
    assert any("eye.scene" in notice and "own pace" in notice for notice in notices(app))
    assert all(
        keys[1] != "eye.scene" for setting in tried(app, range(4), {}) for keys, _ in setting.values
        if len(keys) > 1
    )  # fmt: skip


def test_going_back_to_what_the_app_has_sets_nothing():
    own = own_values(load(find("hello")))
    off = changed(DEFAULT, {("fuse",): "off"}, own)
    assert (str(off), off.document()) == ("fuse off", {"fuse": "off"})
    assert changed(off, {("fuse",): "auto"}, own) == DEFAULT
    assert str(DEFAULT) == "default"


def test_a_block_is_read_back_as_what_it_was():
    from ruamel.yaml import YAML

    values = {("scheduler", "cores"): (0, 1), ("scheduler", "kind"): "greedy", ("fuse",): "off"}
    assert YAML(typ="safe").load(block(values.items())) == nested(values)


def test_trials_of_shipped_apps_last_as_long_as_they_should():
    for name in ("hello", "faces", "ultrasound"):
        file: Path = find(name)
        app = load(file)
        text = document(app, file, DEFAULT, full_speed=True)
        assert ("loop: true" in text) or ("length:" in text)
        assert "paced: false" not in document(app, file, DEFAULT, full_speed=False)
