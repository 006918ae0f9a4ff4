import numpy as np
import pytest

from holoflow import (
    Arrays,
    Boxes,
    Header,
    HoloflowError,
    Image,
    ParameterError,
    Pose,
    Quaternion,
    Signal,
    Text,
)
from holoflow.core.operator import OperatorContext
from holoflow.operators.io.npz import NpzOp

RANDOM = np.random.default_rng(0)


def write(folder, *messages, **parameters):
    operator = NpzOp(**parameters)
    operator.context = OperatorContext(output=folder)
    operator.start()
    for index, values in enumerate(messages):
        operator.process(Header(index, 10**18 + index, "camera"), **values)
    operator.stop()
    return [dict(np.load(file, allow_pickle=False)) for file in sorted(folder.rglob("*.npz"))]


@pytest.mark.parametrize("compress", [False, True])
def test_every_array_is_written_whole_and_exact(tmp_path, compress):
    values = {
        "image": Image(RANDOM.integers(0, 255, (5, 7, 3), np.uint8), "bgr"),
        "boxes": Boxes(RANDOM.random((2, 4), np.float32), names=("cat", "dog")),
        "signal": Signal(RANDOM.standard_normal((9, 2)) * 1j, 250.0),
        "pose": Pose(np.arange(3.0), Quaternion(np.array([1.0, 0, 0, 0]))),
        "model": Arrays(logits=RANDOM.random(4), state=np.zeros((1, 2, 3))),
        "plain": RANDOM.integers(0, 9, 3),
        "note": Text("zwölf"),
        "late": None,
    }
    (read,) = write(tmp_path, values, compress=compress)
    assert int(read["timestamp"]) == 10**18
    assert str(read["source"]) == "camera"
    assert str(read["image.colour"]) == "bgr"
    assert str(read["note.text"]) == "zwölf"
    assert read["boxes.names"].tolist() == ["cat", "dog"]
    assert float(read["signal.rate"]) == 250
    for name, expected in {
        "image.data": values["image"].data, "boxes.xyxy": values["boxes"].xyxy,
        "signal.data": values["signal"].data, "pose.position": values["pose"].position,
        "pose.orientation.wxyz": values["pose"].orientation.wxyz,
        "model.logits": values["model"]["logits"], "model.state": values["model"]["state"],
        "plain": values["plain"],
    }.items():  # fmt: skip
        assert read[name].dtype == expected.dtype
        np.testing.assert_array_equal(read[name], expected)
    assert not any(name.startswith(("late", "boxes.scores", "signal.names")) for name in read)


def test_shapes_may_differ_from_message_to_message(tmp_path):
    read = write(tmp_path, *({"a": np.zeros(n)} for n in (1, 0, 5)), path="x/{sequence}.npz")
    assert [len(arrays["a"]) for arrays in read] == [1, 0, 5]


@pytest.mark.parametrize("value", [object(), np.array([{}, None]), [[1], [1, 2]], [None]])
def test_objects_are_refused(tmp_path, value):
    with pytest.raises(HoloflowError, match=r"thing is a .* cannot store"):
        write(tmp_path, {"thing": value})


def test_an_input_named_as_the_header_is_an_error(tmp_path):
    with pytest.raises(HoloflowError, match="'timestamp' would collide"):
        write(tmp_path, {"timestamp": np.zeros(1)})


def test_a_path_may_not_leave_the_output_folder(tmp_path):
    with pytest.raises(ParameterError, match="output folder"):
        write(tmp_path, path="../{sequence}.npz")
    with pytest.raises(ParameterError, match="path"):
        NpzOp(path="all.npz")


@pytest.mark.parametrize("compress", [False, True])
def test_arrays_may_have_any_name(tmp_path, compress):
    values = {
        name: np.arange(2) for name in ("file", "args", "allow_pickle", "../x", "A", "a", "ä")
    }
    values["bytes"] = b"\0a\0"
    (read,) = write(tmp_path, values, compress=compress)
    assert set(values) <= set(read)
    assert read["bytes"].tobytes() == b"\0a\0"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"a": {"b.c": np.zeros(1), "b": {"c": np.ones(1)}}}, "two of .* name 'a.b.c'"),
        ({"a": {1: np.zeros(1), "1": np.ones(1)}}, "two of .* name 'a.1'"),
        ({"a": {"b\0c": np.zeros(1)}}, "cannot store an array named"),
        ({"a": {"\udcfc": np.zeros(1)}}, "cannot store an array named"),
        ({"a": {"x" * 70_000: np.zeros(1)}}, "cannot store an array named"),
        ({"a": {"b.npy": np.zeros(1)}}, "cannot store an array named"),
        ({"a": "b\0"}, "a: text that ends with a zero character"),
        ({"a": np.ma.masked_array([1, 2], [True, False])}, "a: a masked array would lose its mask"),
        ({"a": Image(np.ma.zeros((2, 2)), "gray")}, "a.data: a masked array"),
    ],
)  # fmt: skip
def test_what_would_not_be_kept_is_an_error_before_a_file_is_written(tmp_path, values, message):
    with pytest.raises(HoloflowError, match=message):
        write(tmp_path, values)
    assert not list(tmp_path.rglob("*.*"))
