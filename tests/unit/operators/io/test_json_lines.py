import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holoflow import Boxes, Header, HoloflowError, ParameterError, Text
from holoflow.core.operator import OperatorContext
from holoflow.operators.io.json_lines import JsonLinesOp

BOXES = Boxes(
    np.array([[1, 2, 3.1, 4]], np.float32), np.array([0.9], np.float32), np.array([1]),
    ("cat", "dog"), np.array([7]),
)  # fmt: skip


def opened(folder, **parameters):
    operator = JsonLinesOp(**parameters)
    operator.context = OperatorContext(output=folder)
    operator.start()
    return operator


def test_a_line_holds_the_header_and_each_input_by_name(tmp_path):
    operator = opened(tmp_path, path="found/results.jsonl")
    operator.process(Header(4, 10**18 + 1, "camera"), boxes=BOXES, note=Text("zwölf"), late=None)
    operator.process(Header(5, 3, "camera", {"spacing_mm": [0.5, float("nan")]}))
    operator.stop()
    text = (tmp_path / "found/results.jsonl").read_text("utf-8")
    assert text.endswith("\n")
    first, second = (json.loads(line) for line in text.splitlines())
    assert first == {
        "sequence": 4, "timestamp": 10**18 + 1, "source": "camera",
        "boxes": [{"xyxy": [1.0, 2.0, 3.1, 4.0], "score": 0.9, "label": "dog", "id": 7}],
        "note": "zwölf", "late": None,
    }  # fmt: skip
    assert second == {
        "sequence": 5, "timestamp": 3, "source": "camera", "metadata": {"spacing_mm": [0.5, None]},
    }  # fmt: skip


def test_lines_are_there_before_the_end(tmp_path):
    operator = opened(tmp_path)
    operator.process(Header(0, 0, "camera"), text=Text("a"))
    assert len((tmp_path / "results.jsonl").read_text().splitlines()) == 1
    operator.stop()


def test_an_old_file_is_overwritten(tmp_path):
    (tmp_path / "results.jsonl").write_text("old\n" * 100)
    opened(tmp_path).stop()
    assert (tmp_path / "results.jsonl").read_text() == ""


def test_an_input_named_as_the_header_is_an_error(tmp_path):
    operator = opened(tmp_path)
    with pytest.raises(HoloflowError, match="'source' would collide"):
        operator.process(Header(0, 0, "camera"), source=Text("a"))
    operator.stop()


def test_a_full_disk_is_an_error_that_names_the_file():
    operator = opened(Path("/dev"), path="full")
    with pytest.raises(OSError, match="No space left on device: '/dev/full'"):
        operator.process(Header(0, 0, "camera"), text=Text("a"))
    operator.stop()


def test_lines_after_the_file_was_removed_are_errors(tmp_path):
    operator = opened(tmp_path, path="a.jsonl")
    operator.process(Header(0, 0, "camera"), text=Text("a"))
    (tmp_path / "a.jsonl").unlink()
    for number in (1, 2):
        with pytest.raises(HoloflowError, match=r"a\.jsonl was removed while it was being written"):
            operator.process(Header(number, 0, "camera"), text=Text("a"))
    operator.stop()


@pytest.mark.parametrize("path", ["../a.jsonl", "/tmp/a.jsonl", "", "."])
def test_a_path_may_not_leave_the_output_folder(tmp_path, path):
    with pytest.raises(ParameterError, match="output folder"):
        opened(tmp_path, path=path)


def test_stop_without_start_does_nothing():
    JsonLinesOp().stop()


def test_any_input_may_be_connected():
    ports = JsonLinesOp.ports()
    assert ports.open_inputs is not None
    assert ports.outputs == {}


@given(st.binary(min_size=1, max_size=20).map(lambda name: name.replace(b"\0", b"")))
def test_a_name_of_a_file_is_kept_though_it_is_no_unicode(tmp_path_factory, name):
    folder = tmp_path_factory.mktemp("names")
    operator = opened(folder)
    operator.process(Header(0, 0, "files", {"file": os.fsdecode(name)}), text=os.fsdecode(name))
    operator.stop()
    (line,) = (folder / "results.jsonl").read_text("utf-8").splitlines()
    read = json.loads(line)
    assert os.fsencode(read["metadata"]["file"]) == os.fsencode(read["text"]) == name


@pytest.mark.parametrize(
    "value",
    [
        np.ma.masked_array([1, 2], [True, False]),
        np.ma.masked_array(np.float32([1, 2]), [True, False]),
        Boxes(np.ma.zeros((1, 4))),
    ],
)
def test_masked_arrays_are_refused(tmp_path, value):
    operator = opened(tmp_path)
    with pytest.raises(HoloflowError, match="would lose its mask; fill it"):
        operator.process(Header(0, 0, "camera"), value=value)
    operator.stop()
    assert (tmp_path / "results.jsonl").read_bytes() == b""


def test_keys_that_are_the_same_in_json_are_an_error(tmp_path):
    operator = opened(tmp_path)
    with pytest.raises(TypeError, match="equal as text, such as 1 and '1'"):
        operator.process(Header(0, 0, "camera"), value={1: 0, "1": 1})
    operator.stop()
