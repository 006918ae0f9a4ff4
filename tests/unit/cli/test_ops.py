import json
import textwrap

import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from holoflow.app import catalogue
from holoflow.app.format import OperatorSchema
from holoflow.cli.operator_sheet import sheet
from holoflow.cli.program import program

OWN = '''
from typing import TypedDict

from holoflow import Boxes, Duration, Image, Latest, Operator, Size, param


class Parts(TypedDict):
    left: Image
    right: Image | None


class SplitOp(Operator):
    """Split [bold]images.

    In the middle.
    """

    level: float = param(0.5, ge=0, le=1, doc="fraction of full scale")
    wait: Duration = param("1s", gt=0, doc="how long")
    most: Size | None = param(None, doc="how much")
    names: list[str] = param(doc="labels")

    def process(self, image: Image, last: Latest[Boxes], more: Boxes | None = None) -> Parts:
        return {}


class Plain: ...


class WrongOp(Operator):
    def process(self, image):
        return image
'''


def invoke(*arguments):
    return CliRunner().invoke(program, ["ops", *arguments])


@pytest.fixture
def own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text(OWN)


@pytest.mark.parametrize("arguments", [(), ("list",)])
def test_all_operators_are_listed_by_category(arguments):
    listed = invoke(*arguments)
    assert listed.exit_code == 0
    blocks = [block.splitlines() for block in listed.stdout.strip().split("\n\n")]
    assert [line.split()[0] for block in blocks for line in block] == catalogue.names()
    for block in blocks:
        assert len({line.partition(".")[0] for line in block}) == 1
    assert f"  {catalogue.summary('capture.video')}\n" in listed.stdout


def test_the_list_as_json():
    listed = json.loads(invoke("list", "--json").stdout)
    assert [item["name"] for item in listed] == catalogue.names()
    assert all(item["summary"] for item in listed)


@pytest.mark.parametrize("word", ["ultraSOUND", "percentile that becomes 0"])
def test_search_looks_at_all_that_an_operator_says(word):
    found = [item["name"] for item in json.loads(invoke("search", word, "--json").stdout)]
    assert found
    assert len(found) < len(catalogue.names()) / 2
    shown = invoke("search", word).stdout
    assert [line.split()[0] for line in shown.splitlines() if line] == found


def test_search_that_finds_nothing():
    found = invoke("search", "zzzzz")
    assert (found.exit_code, found.stdout) == (0, "")
    assert "'zzzzz'" in found.stderr
    assert json.loads(invoke("search", "zzzzz", "--json").stdout) == []


def test_show_an_operator_of_ones_own(own):
    shown = invoke("show", "./own.py:SplitOp")
    assert shown.exit_code == 0
    assert shown.stdout == textwrap.dedent("""\
        ./own.py:SplitOp: Split [bold]images.

        In the middle.

        class: SplitOp in own.py:12

        inputs:
          image  Image
          last   Boxes (holds the newest value, does not trigger)
          more   Boxes (optional)

        outputs:
          left   Image
          right  Image

        parameters:
          level  a number from 0 to 1; default 0.5
                   fraction of full scale
          wait   a duration above 0, such as 50ms; default "1s"
                   how long
          most   a size in bytes, such as 64MB; optional
                   how much
          names  a list, each text; required
                   labels
        """)


def test_show_as_json(own):
    shown = json.loads(invoke("show", "./own.py:SplitOp", "--json").stdout)
    assert shown["inputs"][0] == {"name": "image", "type": "Image", "note": ""}
    assert shown["parameters"][0] == {
        "name": "level", "type": "a number from 0 to 1", "required": False, "default": 0.5,
        "doc": "fraction of full scale",
    }  # fmt: skip
    assert shown["example"] == ""
    assert shown["source"] is False


HOLOSCANS = '''
import holoscan.core


class RelayOp(holoscan.core.Operator):
    """Pass on.

    Named Inputs
    ------------
    in : Tensor
        what comes

    Parameters
    ----------
    limit : int, optional
        most of
        all
    """

    def __init__(self, fragment, *args, limit: int = 3, **kwargs):
        super().__init__(fragment, *args, **kwargs)

    def setup(self, spec):
        spec.input("in")
        spec.output("out")
'''


def test_show_an_operator_of_holoscans(tmp_path, monkeypatch):
    pytest.importorskip("holoscan")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "theirs.py").write_text(HOLOSCANS)
    shown = invoke("show", "./theirs.py:RelayOp")
    assert shown.exit_code == 0, shown.stderr
    assert shown.stdout == textwrap.dedent("""\
        ./theirs.py:RelayOp: Pass on.

        class: RelayOp in theirs.py:5
        needs: pip install 'holoflow[cu12]'

        inputs:
          in  Tensor

        outputs:
          out  anything

        parameters:
          limit  int; optional
                   most of all
        """)


@pytest.mark.parametrize(
    ("name", "port", "parameter"),
    [
        ("operators:PingTensorTxOp", "out", "rows"),
        ("operators:VideoStreamReplayerOp", "output", "directory"),
        ("operators:PingTxOp", "out", None),
        ("operators:SegmentationPostprocessorOp", "out_tensor", "network_output_type"),
        ("resources:BlockMemoryPool", None, "block_size"),
        ("conditions:CountCondition", None, "count"),
    ],
)
def test_what_holoscan_brings_can_be_shown(name, port, parameter):
    pytest.importorskip("holoscan")
    shown = json.loads(invoke("show", f"holoscan.{name}", "--json").stdout)
    assert shown["summary"]
    assert [line["name"] for line in shown["outputs"]] == ([port] if port else [])
    told = {line["name"]: line for line in shown["parameters"]}
    assert parameter is None or (told[parameter]["type"] and told[parameter]["doc"])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("capture.vidoe", "did you mean 'capture.video'?"),
        ("./own.py:SpiltOp", "did you mean 'SplitOp'?"),
        ("./own.py:Plain", "is not a holoflow operator"),
        ("./own.py:WrongOp", "own.py:30: WrongOp.process: the return type is missing"),
        ("./none.py:X", "there is no file"),
    ],
)
def test_what_cannot_be_shown(own, name, words):
    shown = invoke("show", name)
    assert (shown.exit_code, shown.stdout) == (2, "")
    assert words in shown.stderr


def test_what_an_operator_needs_is_read_from_its_source_and_its_helpers():
    needs = {
        name: sheet(name, catalogue.find(name)).extras
        for name in ("capture.video", "preprocess.gaussian", "capture.synthetic")
    }
    assert needs == {
        "capture.video": ("video",),
        "preprocess.gaussian": ("vision",),
        "capture.synthetic": (),
    }


@pytest.mark.parametrize("name", catalogue.names())
def test_every_operator_is_shown_whole(name):
    shown = invoke("show", name)
    assert shown.exit_code == 0
    cls = catalogue.find(name)
    text = shown.stdout
    for heading in ("inputs", "outputs", "parameters", "example"):
        assert f"\n{heading}:" in text
    for parameter in cls.parameters().model_fields:
        assert f"\n  {parameter} " in text
    assert "anything" not in text.partition("parameters:")[2].partition("example:")[0]


def connected(name, piece):
    """Check that what an example connects are ports of the operator."""
    ports = catalogue.find(name).ports()
    if ports.open_inputs is None:
        assert set(piece.inputs or {}) <= set(ports.inputs)
    needed = {port.name for port in ports.inputs.values() if port.required and not port.latest}
    assert needed <= set(piece.inputs or {})


@pytest.mark.parametrize("name", catalogue.names())
def test_every_example_is_an_entry_that_an_app_may_have(name):
    cls = catalogue.find(name)
    entries = YAML(typ="safe").load(sheet(name, cls).example)
    assert len(entries) == 1
    piece = OperatorSchema.model_validate(next(iter(entries.values())))
    assert piece.type == name
    cls.from_app(piece.with_ or {})
    connected(name, piece)
