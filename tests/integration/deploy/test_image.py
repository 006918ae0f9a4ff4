"""The entry point of an image, run as a process with a manifest that lies elsewhere."""

import json
import os
import signal
import subprocess
import sys

import pytest

from holoflow.deploy import keyfile
from holoflow.launch.configuration import LaunchConfiguration
from holoflow.plan.draw.formats import describe

OPERATORS = '''
import os
import threading
from collections.abc import Iterator

from holoflow import Operator, param

if "GATE" in os.environ:
    open(os.environ["GATE"]).read()


class CountOp(Operator):
    """Count."""

    until: int = param(0, doc="last number; 0 goes on for ever")

    def frames(self) -> Iterator[float]:
        print("counting")
        number = 0
        while not self.until or number < self.until:
            number += 1
            if not self.until:
                threading.Event().wait(0.005)
            yield float(number)


class KeepOp(Operator):
    """Write down every number."""

    def start(self) -> None:
        self.file = self.context.output.joinpath("numbers.txt").open("w")
        if folder := os.environ.get("HOLOFLOW_KEYS"):
            self.context.log.info("keys in %s: %s", folder, sorted(os.listdir(folder)))

    def process(self, number: float) -> None:
        self.file.write(f"{number:.0f}\\n")

    def stop(self) -> None:
        self.file.close()
'''
APP = """
app: numbers
schema: 1
vars: {until: "0"}
operators:
  count: {type: ./operators.py:CountOp, with: {until: "${until}"}}
  keep: {type: ./operators.py:KeepOp, inputs: {number: count}}
"""


@pytest.fixture
def layout(tmp_path):
    """An app and its manifest, as in an image; `until` is set to 5."""
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "numbers.yaml").write_text(APP)
    (folder / "operators.py").write_text(OPERATORS)
    for name in ("output", "runtime"):
        (tmp_path / name).mkdir()
    plan = LaunchConfiguration(folder / "numbers.yaml").plan()
    manifest = {
        "format": "holoflow image", "version": 1,
        "app": {"name": "numbers", "version": "1", "file": "numbers.yaml", "description": ""},
        "settings": {"until": "5"}, "fragments": [], "graph": describe(plan),
    }  # fmt: skip
    (tmp_path / "app.json").write_text(json.dumps(manifest))
    return tmp_path


@pytest.fixture
def start(layout):
    """Start the entry point with arguments; whatever still runs is killed."""
    started = []

    def start(*arguments, **environment):
        own = {
            "HOLOFLOW_MANIFEST": layout / "app.json", "HOLOFLOW_APP": layout / "app",
            "HOLOFLOW_OUTPUT": layout / "output", "XDG_RUNTIME_DIR": layout / "runtime",
            **environment,
        }  # fmt: skip
        process = subprocess.Popen(
            [sys.executable, "-m", "holoflow.cli.container", *arguments],
            env={**os.environ, **{name: str(value) for name, value in own.items()}},
            cwd=layout / "output",
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def image(start):
    """Run the entry point to its end; returns exit status, stdout and stderr."""

    def run(*arguments, **environment):
        process = start(*arguments, **environment)
        out, err = process.communicate(timeout=300)
        return process.returncode, out, err

    return run


def kept(layout):
    return [int(line) for line in (layout / "output" / "numbers.txt").read_text().split()]


def until(stream, words):
    """Read to the line with these words; returns it."""
    for line in stream:
        if words in line:
            return line
    return pytest.fail(f"not said: {words!r}")


def test_without_arguments_it_runs_the_app_as_it_was_set(image, layout):
    status, out, err = image()
    assert (status, err) == (0, "")
    assert out.startswith("counting\n")
    assert "numbers: done, 5 frames" in out
    assert "\x1b" not in out
    assert kept(layout) == [1, 2, 3, 4, 5]
    status, out, _ = image("report")
    assert status == 0
    assert out.startswith("numbers: done, 5 frames")


def test_options_are_those_of_a_run_and_go_before(image, layout):
    assert image("--set", "until=9", "--frames", "7", "--engine", "inline")[0] == 0
    assert kept(layout) == list(range(1, 8))
    assert image("run", "--engine", "inline", "--output", "other")[0] == 0
    assert (layout / "output" / "other" / "numbers.txt").exists()


def test_it_says_what_it_holds(image, layout):
    assert image("describe") == (0, (layout / "app.json").read_text(), "")
    status, out, _ = image("check", "--json")
    assert (status, json.loads(out)["right"]) == (0, True)
    status, out, _ = image("graph", "--format", "json")
    assert (status, json.loads(out)["app"]) == (0, "numbers")
    assert image("health") == (1, "numbers is not live: no run of numbers is there\n", "")


def test_sigterm_drains(start, layout):
    process = start("--set", "until=0", "--engine", "inline")
    until(process.stdout, "counting")  # comes at once, though nobody flushes it
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 130
    assert err == "draining; Ctrl-C again stops now\n"
    assert "numbers: interrupted" in out
    numbers = kept(layout)
    assert numbers == list(range(1, len(numbers) + 1))
    flows = json.loads((layout / "output" / "report.json").read_text())["snapshot"]["flows"]
    assert [(flow["sent"], flow["dropped"]) for flow in flows] == [(len(numbers), {})]


def test_sigterm_before_a_run_begins_ends_it(start, layout):
    os.mkfifo(layout / "gate")
    process = start(GATE=layout / "gate")
    with (layout / "gate").open("w"):  # returns once the operators' file is being imported
        process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=300) == ("", "")
    assert process.returncode == 143


def test_keys_are_unpacked_for_the_run(image, layout):
    pair = keyfile.new_pair("edge")
    (layout / "keys").write_text(keyfile.write(pair, {"view": keyfile.new_pair("view").public}))
    status, out, _ = image("--engine", "inline", HOLOFLOW_KEYS_FILE=layout / "keys")
    assert status == 0
    assert f"keys in {layout / 'runtime'}/holoflow-keys-" in out
    assert "['allowed', 'public', 'secret']" in out
    assert pair.secret not in out
    assert list((layout / "runtime").glob("holoflow-keys-*")) == []
    (layout / "keys").write_text("{}")
    status, _, err = image("--engine", "inline", HOLOFLOW_KEYS_FILE=layout / "keys")
    assert (status, "is not a key file" in err) == (2, True)


def test_libraries_that_nobody_declared_are_found_by_check(image, layout):
    operators = layout / "app" / "operators.py"
    line = OPERATORS.count("\n") + 1
    operators.write_text(f"{OPERATORS}def late():\n    import no_such_module_anywhere\n")
    said = f"operators.py:{line + 1}:5: operator 'count' needs the module "
    said += "'no_such_module_anywhere', which is not installed; write it into requirements.txt "
    assert image("check") == (2, "", f"{said}beside the app\n")
    status, out, _ = image("check", "--json")
    assert (status, json.loads(out)["mistakes"][0]["line"]) == (2, line + 1)
    operators.write_text(f"import no_such_module_anywhere\n{OPERATORS}")
    status, _, err = image("check")
    assert status == 2
    assert err.startswith("operators.py:1:1: operator 'count' needs the module 'no_such_module_")
    assert "ModuleNotFoundError" in image()[2]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["chek"], "unknown command 'chek'; did you mean 'check'?\n"),
        (["describe", "all"], "describe takes no arguments\n"),
    ],
)
def test_wrong_arguments_are_said(image, arguments, words):
    assert image(*arguments) == (2, "", words)


def test_without_a_manifest_it_is_no_image(image):
    status, out, err = image("describe", HOLOFLOW_MANIFEST="/no/manifest")
    assert (status, out) == (2, "")
    assert err.startswith("this is not an image of an app: its manifest cannot be read")
