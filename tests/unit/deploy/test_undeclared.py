"""What operators need that nobody has declared."""

from importlib import metadata

import pytest

from holoflow.deploy import undeclared as module
from holoflow.deploy.undeclared import undeclared

APP = """
app: shown
schema: 1
operators:
  scene: {type: capture.synthetic}
  count: {type: ./parts/count.py:CountOp, inputs: {image: scene.image}}
  screen: {type: visualize.web, inputs: {image: scene.image}}
"""
COUNT = """
from holoflow import Image, Operator
from . import late

class CountOp(Operator):
    def process(self, image: Image) -> None: ...
"""
LATE = "def load():\n    import no_such_module_anywhere\n"
TYPES = {"scene": "capture.synthetic", "count": "./parts/count.py:CountOp"}


@pytest.fixture
def path(tmp_path):
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "count.py").write_text(COUNT)
    (tmp_path / "parts" / "late.py").write_text(LATE)
    path = tmp_path / "app.yaml"
    path.write_text(APP)
    return path


def found(path, types=TYPES):
    return [str(mistake) for mistake in undeclared(path, {}, types)]


SAID = (
    "parts/late.py:2:5: operator 'count' needs the module 'no_such_module_anywhere', which is not "
    "installed; write it into requirements.txt beside the app"
)


def test_what_files_beside_the_operators_need_is_found(path):
    assert found(path) == [SAID]
    (path.parent / "parts" / "late.py").write_text("")
    assert found(path) == []


def test_it_is_found_as_well_where_the_app_cannot_be_loaded(path):
    file = path.parent / "parts" / "count.py"
    file.write_text(f"import no_such_module_anywhere\n{COUNT}")
    assert found(path) == [SAID.replace("late.py:2:5", "count.py:1:1"), SAID]
    path.write_text("app: [")
    assert found(path, {}) == []


def test_extras_of_the_catalogue_are_looked_at(path, monkeypatch):
    (path.parent / "parts" / "late.py").write_text("")
    there = module._is_there
    monkeypatch.setattr(module, "_is_there", lambda name: name != "uvicorn" and there(name))
    assert found(path) == [
        f"{path}:7:3: operator 'screen' needs uvicorn, which is not installed; "
        "it comes with holoflow[web]"
    ]


def test_without_the_package_s_own_description_extras_are_not_known(path, monkeypatch):
    (path.parent / "parts" / "late.py").write_text("")

    def nothing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(module.metadata, "distribution", nothing)
    assert found(path) == []
