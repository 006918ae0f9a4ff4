"""`holoflow predict`."""

import json
import re

import pytest
from support.planned import watched, write_app
from support.reports import report
from typer.testing import CliRunner

from holoflow.cli.program import program
from holoflow.report.run_report import write_report


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The app `watch` and a run of it, in the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOLOFLOW_CACHE", str(tmp_path / "cache"))
    write_app(tmp_path / "watch")
    write_app(tmp_path / "whole", fragments=False)
    (tmp_path / "run").mkdir()
    write_report(tmp_path / "run", report(watched()))
    return tmp_path


def invoke(*arguments):
    return CliRunner().invoke(program, ["predict", *arguments])


def predict(*arguments):
    done = invoke("watch", "--profile", "run", *arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.mark.usefixtures("folder")
class TestPredict:
    def test_table_says_what_is_best_and_why(self):
        shown = invoke("watch", "--profile", "run", "--hosts", "3")
        assert shown.exit_code == 0, shown.output
        assert "watch: best on 1 host" in shown.stdout
        assert "  host-1: edge, infer, view" in shown.stdout
        assert "edge | infer | view" in shown.stdout
        assert "detect works all the time" in shown.stdout
        assert "(measured)" in shown.stdout
        assert "source camera: as fast as it is let" in shown.stdout

    def test_json_has_all_ways_and_what_they_rest_on(self):
        document = predict("--hosts", "2", "--bandwidth", "100Mbit", "--delay", "5ms")
        assert document["best"]["places"] == dict.fromkeys(("edge", "infer", "view"), "host-1")
        assert len(document["alternatives"]) == 3
        assert document["measured"]["rate"] == pytest.approx(300 / 6.2)
        assert document["setting"]["bandwidth"] == 1e8
        assert document["setting"]["delay"] == 0.005
        assert document["best"]["rate"] == pytest.approx(48, rel=0.05)
        assert any("working times" in line for line in document["rests_on"])

    def test_same_numbers_each_time(self):
        assert predict("--hosts", "2") == predict("--hosts", "2")

    def test_fragments_stay_where_they_are_put(self):
        document = predict("--hosts", "2", "--place", "infer=gpu-box", "--place", "edge=camera-box")
        ways = [document["best"], *document["alternatives"]]
        assert [(way["places"]["infer"], way["places"]["edge"]) for way in ways] == [
            ("gpu-box", "camera-box")
        ] * 2

    def test_encryption_can_be_left_out(self):
        places = ("--hosts", "2", "--place", "infer=gpu-box", "--place", "edge=camera-box")
        on, off = predict(*places, "--encrypt"), predict(*places, "--no-encrypt")

        def used(document):
            resources = document["best"]["resources"]
            return next(r["used"] for r in resources if r["name"] == "edge, sending")

        assert 0 < used(off) < used(on)

    def test_app_without_fragments_gets_some(self):
        shown = invoke("whole", "--profile", "run", "--hosts", "2", "--cores", "1")
        assert "one process" in shown.stdout
        assert "camera | detect+screen" in shown.stdout


@pytest.mark.usefixtures("folder")
class TestMistakes:
    def test_report_of_before_sizes_were_taken_is_read_and_told(self, folder):
        file = folder / "run" / "report.json"
        file.write_text(re.sub(r', "size": 50000\.0', "", file.read_text()))
        done = invoke("watch", "--profile", "run", "--hosts", "2")
        assert done.exit_code == 2
        assert "how large the messages of camera.out -> detect.x are" in done.output
        assert invoke("whole", "--profile", "run").exit_code == 0

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["watch"], "give an app and a run of it"),
            (["watch", "--profile", "nowhere"], "no report of a run"),
            (["hello", "--profile", "run"], "which is not 'hello'"),
            (["watch", "--profile", "run", "--hosts", "0"], "--hosts"),
            (["watch", "--profile", "run", "--cores", "0"], "--cores"),
            (["watch", "--profile", "run", "--cores", "nan"], "--cores"),
            (["watch", "--profile", "run", "--bandwidth", "0Mbit"], "too little"),
            (["watch", "--profile", "run", "--bandwidth", "1000"], "bare number"),
            (["watch", "--profile", "run", "--bandwidth", "1GB"], "unknown unit 'GB'"),
            (["watch", "--profile", "run", "--delay", "-1ms"], "--delay"),
            (["watch", "--profile", "run", "--rate", "camera=0hz"], "--rate"),
            (["watch", "--profile", "run", "--rate", "detect=5hz"], "'detect' is not a source"),
            (["watch", "--profile", "run", "--rate", "30hz"], "camera=30hz"),
            (["watch", "--profile", "run", "--place", "infr=a"], "did you mean 'infer'"),
            (
                ["watch", "--profile", "run", "--place", "infer=a", "--place", "edge=b"],
                "--hosts says that there are 1",
            ),
        ],
    )
    def test_are_told(self, arguments, words):
        done = invoke(*arguments)
        assert done.exit_code == 2
        assert words in " ".join(done.output.replace("│", " ").split())
