"""`holoflow deploy`."""

from __future__ import annotations

import json

import pytest
import yaml
from typer.testing import CliRunner

from holoflow.cli.program import program

APP = """
app: far
schema: 1
vars: {clip: "${CLIP:-}", host: ""}
operators:
  source: {type: capture.video, with: {path: "${clip}"}}
  sink: {type: io.video_writer, inputs: {image: source}, with: {path: out.mp4}}
fragments:
  edge: {operators: [source], host: "${host}"}
  view: {operators: [sink], host: "${host}"}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "app.yaml").write_text(APP)
    (tmp_path / "clip.mp4").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def deploy(*arguments):
    result = CliRunner().invoke(program, ["deploy", *arguments])
    assert result.exit_code == 0, result.output
    return result


def refused(*arguments):
    result = CliRunner().invoke(program, ["deploy", *arguments])
    assert result.exit_code == 2, result.output
    # typer draws a frame around what is wrong with options
    return " ".join(result.stderr.replace("│", " ").split())


def test_it_is_printed_and_told_what_is_missing(folder):
    result = deploy("compose", ".", "--image=a:1", "--set=clip=clip.mp4")
    assert set(yaml.safe_load(result.stdout)["services"]) == {"edge", "view"}
    assert "edge, view need keys; -o DIR writes them" in result.stderr
    assert sorted(path.name for path in folder.iterdir()) == ["app.yaml", "clip.mp4"]


def test_keys_are_made_once(folder):
    first = deploy("compose", ".", "--image=a:1", "--set=clip=clip.mp4", "-o", "out")
    assert "made new keys for edge, view" in first.stdout
    assert (folder / "out" / ".gitignore").read_text() == "keys/\n"
    before = (folder / "out" / "keys" / "edge.json").read_text()
    again = deploy("compose", ".", "--image=a:2", "--set=clip=clip.mp4", "-o", "out")
    assert "kept the keys of edge, view" in again.stdout
    assert (folder / "out" / "keys" / "edge.json").read_text() == before
    assert "a:2" in (folder / "out" / "compose.yaml").read_text()
    assert json.loads(before)["name"] == "edge"


def test_secrets_of_kubernetes_are_apart_and_made_once(folder):
    command = ("kubernetes", ".", "--image=a:1", "--set=clip=clip.mp4", "-o", "out")
    deploy(*command)
    secrets = folder / "out" / "secrets.yaml"
    before = secrets.read_text()
    assert (folder / "out" / ".gitignore").read_text() == "secrets.yaml\n"
    assert "kind: Secret" not in (folder / "out" / "app.yaml").read_text()
    assert "kept the keys of edge, view" in deploy(*command).stdout
    assert secrets.read_text() == before


def test_units(folder):
    options = ("--set=clip=/input/clip.mp4", "--input=clip.mp4", "--set=host=box")
    result = deploy("systemd", ".", *options, "-o", "out")
    assert "keys" not in result.stdout
    unit = (folder / "out" / "holoflow-far-box.service").read_text()
    assert f"--set=clip={folder}/clip.mp4" in unit
    printed = deploy("systemd", ".", *options).stdout
    assert "# ---- holoflow-far-box.service\n# far" in printed


@pytest.mark.parametrize("given", ["clip.mp4", "."])
def test_input(folder, given):
    options = ("--input", given, "--set=clip=/input/clip.mp4")
    file = yaml.safe_load(deploy("compose", ".", "--image=a:1", *options).stdout)
    service = file["services"]["edge"]
    target = "/input" if given == "." else "/input/clip.mp4"
    assert service["volumes"][1]["source"] == str(folder / given)
    assert service["volumes"][1]["target"] == target
    assert service["command"][-1] == "--set=clip=/input/clip.mp4"


def test_options_for_run(folder):
    result = deploy(
        "compose", ".", "--image=a:1", "--set=clip=clip.mp4", "--", "--frames", "5", "--no-web"
    )
    command = yaml.safe_load(result.stdout)["services"]["edge"]["command"]
    assert command[-3:] == ["--frames", "5", "--no-web"]


def test_the_environment_here_is_not_that_of_the_services(folder, monkeypatch):
    monkeypatch.setenv("CLIP", "clip.mp4")
    assert "far" in deploy("compose", ".", "--image=a:1", "--set=clip=clip.mp4").stdout
    assert "app.yaml:6:" in refused("compose", ".", "--image=a:1")


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        (["--image=a b"], "is not the name of an image"),
        (["--image=a:1", "--", "--frames", "x"], "after --: Invalid value for '--frames'"),
        (["--image=a:1", "--", "--place", "a=b"], "--place: every service has its own"),
        (["--image=a:1", "--", "--set", "a=b"], "--set: write it before --"),
        (["--image=a:1", "--", "--metrics", "9464"], "--metrics: write it before --"),
        (["--image=a:1", "--", "--together"], "--together: fragments are deployed separately"),
        (["--image=a:1", "--", "--for", "5"], "number with a unit"),
        (["--image=a:1", "--", "more"], "after --: Got unexpected extra argument"),
        (["--image=a:1", "--input", "nowhere"], "does not exist"),
        ([], "Missing option '--image'"),
    ],
)
def test_bad_options(folder, arguments, wrong):
    assert wrong in refused("compose", ".", "--set=clip=clip.mp4", "-o", "out", *arguments)
    assert not (folder / "out").exists()


@pytest.mark.parametrize(
    ("option", "wrong"),
    [
        ("--node=other=n", "write SERVICE=NODE with a service of edge, view"),
        ("--node=edge", "write SERVICE=NODE"),
        ("--storage=10", "number with a unit"),
        ("--storage=0b", "must be more than 0"),
    ],
)
def test_bad_options_of_kubernetes(folder, option, wrong):
    assert wrong in refused("kubernetes", ".", "--image=a:1", "--set=clip=clip.mp4", option)


def test_a_broken_key_file_is_not_written_over(folder):
    keys = folder / "out" / "keys" / "edge.json"
    keys.parent.mkdir(parents=True)
    keys.write_text("precious")
    told = refused("compose", ".", "--image=a:1", "--set=clip=clip.mp4", "-o", "out")
    assert "the key file of the service 'edge'" in told
    assert [path.name for path in (folder / "out").rglob("*")] == ["keys", "edge.json"]
    assert keys.read_text() == "precious"


def test_services_that_cannot_be(folder):
    (folder / "app.yaml").write_text(APP.replace("view:", "Edge:"))
    told = refused("compose", ".", "--image=a:1", "--set=clip=clip.mp4", "-o", "out")
    assert "app.yaml:10:3: fragment 'Edge' and fragment 'edge' would both be" in told
    assert not (folder / "out").exists()
