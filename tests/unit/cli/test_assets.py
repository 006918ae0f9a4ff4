import hashlib

import pytest
from typer.testing import CliRunner

from holoflow.cli.program import program

CONTENT = b"0123456789"
SHA = hashlib.sha256(CONTENT).hexdigest()

APP = f"""
app: x
vars: {{name: clip.bin}}
assets:
  clip: {{from: "file:${{name}}", sha256: "{SHA}"}}
  model: {{from: "file:model.onnx", sha256: "{"0" * 64}"}}
operators:
  scene: {{type: capture.synthetic}}
"""


def invoke(*arguments):
    return CliRunner().invoke(program, ["assets", *arguments])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOLOFLOW_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app.yaml").write_text(APP)
    (tmp_path / "clip.bin").write_bytes(CONTENT)
    return tmp_path


def test_fetch_says_where_everything_is(folder):
    (folder / "app.yaml").write_text("\n".join(APP.splitlines()[:5] + APP.splitlines()[6:]))
    done = invoke("fetch", ".")
    cached = folder / "cache" / SHA / "clip.bin"
    assert done.exit_code == 0
    assert done.stdout == f"clip: {cached}\n1 asset of . in {folder / 'cache'}\n"
    assert done.stderr.startswith("fetching clip from file:")
    assert cached.read_bytes() == CONTENT
    again = invoke("fetch", ".")
    assert (again.exit_code, again.stdout, again.stderr) == (0, done.stdout, "")


def test_fetch_takes_also_what_no_operator_uses_and_fails_with_its_place(folder):
    done = invoke("fetch", ".")
    assert done.exit_code == 2
    last = done.stderr.splitlines()[-1]
    assert last.startswith("app.yaml:6:3: asset 'model': ")
    assert "model.onnx" in last


def test_fetch_takes_settings(folder):
    (folder / "clip.bin").rename(folder / "other.bin")
    assert "asset 'clip'" in invoke("fetch", ".").stderr
    assert "asset 'clip'" not in invoke("fetch", ".", "--set", "name=other.bin").stderr


def test_list_says_what_is_cached(folder):
    invoke("fetch", ".")
    listed = invoke("list", ".")
    assert listed.exit_code == 0
    assert [line.split() for line in listed.stdout.splitlines()] == [
        ["clip", "cached", "10", "B", (folder / "clip.bin").as_uri()],
        ["model", "not", "cached", "–", (folder / "model.onnx").as_uri()],
    ]


def test_an_app_without_assets(folder):
    (folder / "app.yaml").write_text("app: x\noperators:\n  scene: {type: capture.synthetic}\n")
    assert invoke("list", ".").stdout == ". has no assets\n"
    assert invoke("fetch", ".").stdout == f"0 assets of . in {folder / 'cache'}\n"


def test_path(folder):
    assert invoke("path").stdout == f"{folder / 'cache'}\n"


def test_an_app_that_is_not_there(folder):
    for command in ("fetch", "list"):
        done = invoke(command, "no-such-app")
        assert (done.exit_code, done.stdout) == (2, "")
        assert "no-such-app" in done.stderr
