"""A package that `holoflow new plugin` makes, installed by pip: tested, run, sent, packaged."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

APART = """\
app: apart
operators:
  give: {type: ./give.py:GiveOp}
  results: {type: io.json_lines, inputs: {reading: give}}
fragments:
  one: {operators: [give]}
  two: {operators: [results]}
"""
GIVE = '''
from collections.abc import Iterator
from typing import Any

from holoflow import Operator
from holoflow_sound.payloads import SoundReading


class GiveOp(Operator):
    """Give readings from a port that does not say so."""

    def frames(self) -> Iterator[Any]:
        yield from (SoundReading(mean=0.25 * n, peak=1.0) for n in range(4))
'''


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a new plugin in `sound` and installed in `site`."""
    folder = tmp_path_factory.mktemp("plugin")
    commands = (
        ["holoflow", "new", "plugin", "sound"],
        ["pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index",
         "--target", str(folder / "site"), "./sound"],
    )  # fmt: skip
    for command in commands:
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
    return folder


def run(made: Path, folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(made / "site")}
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=folder, env=environment, capture_output=True,
        text=True,
    )  # fmt: skip


def test_its_tests_pass_and_it_is_written_well(made: Path) -> None:
    for command in (["pytest", "-q", "-W", "error"], ["ruff", "check"]):
        done = run(made, made / "sound", *command)
        assert done.returncode == 0, done.stdout + done.stderr


def test_its_payloads_travel_where_no_port_names_them(made: Path, tmp_path: Path) -> None:
    (tmp_path / "app.yaml").write_text(APART)
    (tmp_path / "give.py").write_text(GIVE)
    done = run(made, tmp_path, "holoflow", "run", ".", "--no-web", "--output", "out")
    assert done.returncode == 0, done.stdout + done.stderr
    text = (tmp_path / "out" / "results.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert [line["reading"] for line in lines] == [
        {"mean": mean, "peak": 1.0} for mean in (0.0, 0.25, 0.5, 0.75)
    ]


def test_its_wheel_is_what_an_image_needs(made: Path, tmp_path: Path) -> None:
    write = (
        "import sys\n"
        "from pathlib import Path\n"
        "from holoflow.app import load\n"
        "from holoflow.cli import apps\n"
        "from holoflow.deploy.needs import needs_of\n"
        "from holoflow.deploy.wheel import write_plugin\n"
        "from holoflow.plan import plan\n"
        "path = apps.find('sound_demo')\n"
        "needs = needs_of(plan(load(path)), path.parent, gpu=False)\n"
        "assert needs.requirements == ('holoflow-sound==0.1.0',), needs\n"
        "for name in needs.plugins:\n"
        "    for folder in sys.argv[1:]:\n"
        "        print(write_plugin(name, Path(folder)))\n"
    )
    (tmp_path / "write.py").write_text(write)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    done = run(made, tmp_path, "write", "a", "b")
    assert done.returncode == 0, done.stderr
    first, second = (tmp_path / line for line in done.stdout.split())
    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as archive:
        names = set(archive.namelist())
    assert first.name == "holoflow_sound-0.1.0-py3-none-any.whl"
    assert {
        "holoflow_sound/operators.py",
        "holoflow_sound/fragments/sound_meter.yaml",
        "holoflow_sound/apps/sound_demo/app.yaml",
        "holoflow_sound-0.1.0.dist-info/entry_points.txt",
        "holoflow_sound-0.1.0.dist-info/METADATA",
    } <= names
    assert not any("__pycache__" in name for name in names)
    there = "import holoflow_sound as it; from holoflow.app import catalogue as c; "
    there += "print(it.__file__, c.find('sound.measure').__name__, c.package('sound.measure'))"
    environment = {**os.environ, "PYTHONPATH": str(first)}
    found = subprocess.run(
        [sys.executable, "-c", there], env=environment, capture_output=True, text=True
    )
    assert found.stdout.split() == [
        f"{first}/holoflow_sound/__init__.py", "MeasureOp", "holoflow-sound", "0.1.0",
    ]  # fmt: skip


def test_an_editable_installation_is_packaged_as_it_is_now(made: Path, tmp_path: Path) -> None:
    command = ["pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    done = subprocess.run(
        [sys.executable, "-m", *command, "--prefix", str(tmp_path / "env"), "-e", "."],
        cwd=made / "sound", capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (site,) = (tmp_path / "env").rglob("site-packages")
    write = (
        "import site, sys; site.addsitedir(sys.argv[1])\n"
        "from pathlib import Path\n"
        "from holoflow.deploy.wheel import write_plugin\n"
        "print(write_plugin('holoflow-sound', Path('.')))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", write, str(site)], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(tmp_path / done.stdout.strip()) as archive:
        names = archive.namelist()
        own = archive.read("holoflow_sound/operators.py")
    assert own == (made / "sound" / "holoflow_sound" / "operators.py").read_bytes()
    assert "holoflow_sound/fragments/sound_meter.yaml" in names
