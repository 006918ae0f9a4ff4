from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holoflow.app import load
from holoflow.core.errors import HoloflowError
from holoflow.deploy.manifest import Origin, manifest
from holoflow.deploy.needs import Needs, needs_of
from holoflow.deploy.recipe import labels, recipe
from holoflow.deploy.target import GPU_BASE, Target, target_for
from holoflow.plan import plan

TARGET = Target("linux/amd64", "3.12")
APP = """\
app: discs
version: "1.2"
packages: {apt: [zlib1g, libgl1]}
operators:
  scene: {type: capture.synthetic}
  table: {type: io.json_lines, inputs: {objects: scene.boxes}, with: {path: a.jsonl}}
fragments:
  one: {operators: [scene], cores: [1]}
  two: {operators: [table], port: 9000}
"""


def described(folder: Path, text: str = APP, **needs: Any) -> dict[str, Any]:
    path = folder / "app.yaml"
    path.write_text(text)
    planned = plan(load(path))
    found = needs_of(planned, folder, gpu=False)
    return manifest(planned, Origin("app.yaml", {"a": "b"}, "python:3.12-slim", TARGET, found))


def hadolint(text: str) -> str:
    program = Path(sys.executable).with_name("hadolint")
    ran = subprocess.run([program, "-"], input=text, capture_output=True, text=True)
    return ran.stdout + ran.stderr


def test_the_recipe_is_one_that_hadolint_likes(tmp_path: Path) -> None:
    text = recipe(described(tmp_path))
    assert hadolint(text) == ""
    assert "ARG BASE=python:3.12-slim" in text
    assert "install --yes --no-install-recommends libgl1 zlib1g" in text
    assert "USER 10001:10001" in text
    assert "EXPOSE 7420 9000 9464" in text


def test_the_manifest_says_what_is_in_the_image(tmp_path: Path) -> None:
    found = described(tmp_path)
    assert found["app"] == {
        "name": "discs", "version": "1.2", "file": "app.yaml", "description": "",
    }  # fmt: skip
    assert found["settings"] == {"a": "b"}
    assert found["fragments"] == ["one", "two"]
    assert found["resources"]["one"]["cores"] == [1]
    assert [o["name"] for o in found["graph"]["operators"]] == ["scene", "table"]
    assert {"port": 9000, "name": "link", "operator": "", "fragment": "two"} in found["ports"]


def test_labels_are_those_of_oci_and_our_own(tmp_path: Path) -> None:
    found = labels(described(tmp_path))
    assert found["org.opencontainers.image.title"] == "discs"
    assert found["org.opencontainers.image.version"] == "1.2"
    assert found["io.holoflow.fragments"] == "one,two"
    assert "org.opencontainers.image.description" not in found


@settings(max_examples=200)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=80))
def test_no_description_gets_out_of_its_quotes(text: str) -> None:
    found: dict[str, Any] = {
        "app": {"name": "a", "version": "", "description": text},
        "versions": {"python": "3.12"},
        "base": "b", "apt": [], "ports": [], "fragments": [],
    }  # fmt: skip
    lines = recipe(found).splitlines()
    starts = {line.split(" ")[0] for line in lines if line[:1].isupper()}
    known = {
        "ARG", "FROM", "RUN", "COPY", "LABEL", "ENV", "WORKDIR", "USER", "VOLUME", "STOPSIGNAL",
        "HEALTHCHECK", "ENTRYPOINT",
    }  # fmt: skip
    assert starts == known
    assert len([line for line in lines if line.startswith("LABEL")]) == 1


def test_what_an_app_needs_is_read_from_its_operators(tmp_path: Path) -> None:
    path = tmp_path / "app.yaml"
    path.write_text(
        "app: a\noperators:\n"
        "  clip: {type: capture.video, with: {path: a.mp4}}\n"
        "  page: {type: visualize.web, inputs: {image: clip}}\n"
    )
    (tmp_path / "a.mp4").touch()
    (tmp_path / "requirements.txt").write_text("# ours\nscipy>=1.13  # filters\n\nnumba\n")
    found = needs_of(plan(load(path)), tmp_path, gpu=False)
    assert found == Needs(
        extras=("cu12", "metrics", "video", "web"),
        requirements=("scipy>=1.13", "numba"),
        apt=(),
        gpu=False,
    )


def test_fragments_may_be_anywhere(tmp_path: Path) -> None:
    (tmp_path / "app.yaml").write_text(APP)
    found = needs_of(plan(load(tmp_path / "app.yaml")), tmp_path, gpu=False)
    assert {"shared-memory", "zeromq"} <= set(found.extras)


@pytest.mark.parametrize(
    ("base", "python", "expected"),
    [
        ("python:3.11-slim", None, "3.11"),
        ("registry.example:5000/python:3.13", None, "3.13"),
        (GPU_BASE, None, "3.12"),
        ("anything", "3.10", "3.10"),
    ],
)
def test_the_python_is_that_of_the_base(base: str, python: str | None, expected: str) -> None:
    assert target_for(base, "linux/arm64", python) == Target("linux/arm64", expected)


@pytest.mark.parametrize(("platform", "python"), [("linux/riscv64", None), (None, "2.7")])
def test_what_there_are_no_libraries_for_is_refused(
    platform: str | None, python: str | None
) -> None:
    with pytest.raises(HoloflowError, match=r"give (another|linux)"):
        target_for("b", platform, python)


def test_options_of_pip_are_no_requirements(tmp_path: Path) -> None:
    (tmp_path / "app.yaml").write_text(APP)
    (tmp_path / "requirements.txt").write_text("scipy\n-r other.txt\n")
    with pytest.raises(HoloflowError, match=r"requirements\.txt:2: -r is an option"):
        needs_of(plan(load(tmp_path / "app.yaml")), tmp_path, gpu=False)
