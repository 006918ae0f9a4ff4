"""`holoflow plan`."""

import json

import pytest
from support.planned import write_app
from typer.testing import CliRunner

from holoflow.cli.program import program

APP = """
app: seen
schema: 1
scheduler: {workers: 5}
operators:
  scene: {type: capture.synthetic, with: {length: 9}}
  blur: {type: preprocess.resize, with: {width: 64, height: 64}, inputs: {image: scene.image}}
  overlay:
    type: visualize.overlay
    inputs: {image: {from: blur, queue: 4, when_full: drop_oldest}}
  table: {type: io.json_lines, inputs: {overlay: overlay}}
fragments:
  edge: {operators: [scene, blur], host: camera-box, restart: on-failure}
  view: {operators: [overlay, table], scheduler: {workers: 5}}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app.yaml").write_text(APP)
    write_app(tmp_path / "watch")
    return tmp_path


def invoke(*arguments):
    return CliRunner().invoke(program, ["plan", *arguments])


@pytest.mark.usefixtures("folder")
class TestPlan:
    def test_text_says_what_runs_where_and_why(self):
        shown = invoke("app.yaml")
        assert shown.exit_code == 0, shown.output
        lines = shown.stdout.splitlines()
        edge = next(line for line in lines if line.startswith("fragment edge"))
        assert "host camera-box" in edge
        assert "engine –" in edge  # that host decides
        assert "restart on-failure" in edge
        view = next(line for line in lines if line.startswith("fragment view"))
        assert "of 5 workers run" in view
        (across,) = [line for line in lines if line.startswith("blur.out -> overlay.image")]
        for words in ("4", "drop_oldest", "zeromq", "encrypted", "blur is in fragment edge"):
            assert words in across
        assert any(line.startswith("note: ") for line in lines)

    def test_json_is_that_of_graph_with_engines_and_reasons(self):
        document = json.loads(invoke("app.yaml", "--json").stdout)
        assert document["processes"][0]["engine"] is None
        assert document["processes"][1]["engine"] in ("holoscan", "inline")
        assert document["processes"][1]["scheduler"]["workers_asked"] == 5
        for flow in document["flows"]:
            assert (flow["not_fused_because"] is None) == flow["fused"]

    def test_options_change_the_plan(self):
        options = ("--fuse", "off", "--lossless", "--place", "edge=other-box", "--json")
        document = json.loads(invoke("app.yaml", *options).stdout)
        assert document["processes"][0]["host"] == "other-box"
        assert {flow["when_full"] for flow in document["flows"]} == {"block"}
        assert {flow["not_fused_because"] for flow in document["flows"]} == {"fusing is off"}

    @pytest.mark.parametrize(
        ("arguments", "typed"),
        [
            (
                ("watch", "--hosts", "2", "--profile", "my run"),
                "watch --hosts 2 --profile 'my run'",
            ),
            (("--calibrate",), "--calibrate"),
            (("watch", "--profile=run", "--json"), "watch --profile=run --json"),
        ],
    )
    def test_old_spelling_says_what_to_type(self, arguments, typed):
        shown = invoke(*arguments)
        assert shown.exit_code == 2
        assert f"holoflow predict {typed}" in shown.stderr
