"""Reading the manifest of an image."""

import json

import pytest

from holoflow.core.errors import HoloflowError
from holoflow.deploy.contents import read_contents

GOOD = {
    "format": "holoflow image", "version": 1,
    "app": {"name": "faces", "version": "1.2", "file": "apart.yaml", "description": ""},
    "settings": {"clip": "a.mp4"}, "fragments": ["edge", "detect"],
    "graph": {"operators": [{"name": "camera", "type": "capture.video"}]},
}  # fmt: skip


@pytest.fixture
def path(tmp_path):
    return tmp_path / "app.json"


def test_it_says_what_there_is_to_run(path):
    path.write_text(json.dumps(GOOD))
    found = read_contents(path)
    assert (found.name, found.file, found.settings) == ("faces", "apart.yaml", {"clip": "a.mp4"})
    assert (found.fragments, found.types) == (("edge", "detect"), {"camera": "capture.video"})
    assert json.loads(found.text) == GOOD


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is broken: Expecting value"),
        ("{", "is broken"),
        ("[" * 100_000, "is broken"),
        ("[]", "is not a manifest of an image"),
        (json.dumps({**GOOD, "format": "x"}), "its format must be 'holoflow image'"),
        (
            json.dumps({**GOOD, "version": 2}),
            "has version 2; this holoflow reads version 1; package the",
        ),
        (json.dumps({**GOOD, "app": None}), "is broken: TypeError"),
        (json.dumps({**GOOD, "settings": []}), "is broken: AttributeError"),
        (json.dumps({"format": "holoflow image", "version": 1}), "is broken: KeyError: 'app'"),
    ],
)
def test_a_broken_one_is_said(path, text, words):
    path.write_text(text)
    with pytest.raises(HoloflowError, match=words):
        read_contents(path)


def test_one_that_is_missing_is_said(path):
    with pytest.raises(HoloflowError, match=r"this is not an image of an app: .*No such file"):
        read_contents(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(HoloflowError, match="cannot be read"):
        read_contents(path)
