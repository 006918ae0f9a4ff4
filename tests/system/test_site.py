"""The documentation site builds, needs nothing from elsewhere, and its tutorial can be followed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import av
import pytest

from holoflow import __all__ as public

REPOSITORY = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
ENVIRONMENT = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the site, built with every warning an error."""
    folder = tmp_path_factory.mktemp("site")
    command = [BIN / "mkdocs", "build", "--strict", "--site-dir", folder]
    environment = {**ENVIRONMENT, "NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


def test_pages_load_nothing_from_elsewhere(site: Path) -> None:
    loaded = re.compile(r'<(?:script|img|iframe|link)[^>]*(?:src|href)="(?:https?:)?//[^"]*"')
    pages = list(site.rglob("*.html"))
    assert len(pages) > 30
    assert [(page.name, loaded.findall(page.read_text())) for page in pages
            if loaded.search(page.read_text())] == []  # fmt: skip
    for sheet in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(?:https?:)?//", sheet.read_text()), sheet


def test_what_is_generated_is_there(site: Path) -> None:
    listed = subprocess.run(
        [BIN / "holoflow", "ops", "list", "--json"], check=True, capture_output=True
    )
    operators = "".join(page.read_text() for page in (site / "reference/operators").glob("*.html"))
    for operator in json.loads(listed.stdout):
        assert f'id="{operator["name"].replace(".", "-")}"' in operators
    python = (site / "reference/python.html").read_text()
    assert [name for name in public if f'id="holoflow.{name}"' not in python] == []
    for page in site.rglob("*.html"):
        assert not re.search(r"<!-- (keys|options|commands)", page.read_text()), page


@pytest.mark.parametrize("options", [[], ["--fragment"]], ids=["app", "template"])
def test_every_key_of_an_app_is_in_its_reference(site: Path, options: list[str]) -> None:
    printed = subprocess.run(
        [BIN / "holoflow", "schema", *options], check=True, capture_output=True
    )
    schema = json.loads(printed.stdout)
    own = [node for name, node in schema["$defs"].items() if ":" not in name]
    keys = {key for node in [schema, *own] for key in node.get("properties", {})}
    page = (site / "reference/app-format.html").read_text()
    assert len(keys) > 10
    assert sorted(key for key in keys if f"<td><code>{key}</code></td>" not in page) == []


def test_the_tutorial_can_be_followed(tmp_path: Path) -> None:
    text = (REPOSITORY / "docs" / "tutorial.md").read_text()
    said = ""
    for language, title, block in re.findall(
        r'^```(\w+)(?: title="([\w.]+)")?\n(.*?)^```', text, re.MULTILINE | re.DOTALL
    ):
        if title:
            (tmp_path / title).write_text(block)
        elif language == "sh":
            script = "set -ex\n" + re.sub(r"--for \d+s", "--for 2s", block)
            done = subprocess.run(
                ["bash", "-c", script],
                cwd=tmp_path,
                env=ENVIRONMENT,
                capture_output=True,
                text=True,
            )
            said += done.stdout + done.stderr
            assert done.returncode == 0, said
    assert "http://127.0.0.1:" in said
    with av.open(str(tmp_path / "my.mp4")) as clip:
        assert sum(1 for _ in clip.decode(video=0)) == 150
    first, *_ = (tmp_path / "runs/first/measured.jsonl").read_text().splitlines()
    assert 0 < float(json.loads(first)["measured"].partition(" % of the picture")[0]) < 50
