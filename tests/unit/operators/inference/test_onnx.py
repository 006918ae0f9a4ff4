"""`inference.onnx` computes models, alone and in batches, and says what does not fit."""

import importlib.util
import logging
from pathlib import Path

import numpy as np
import pytest

from holoflow import Arrays, HoloflowError, ParameterError
from holoflow.operators.inference.onnx import OnnxOp

spec = importlib.util.spec_from_file_location("models", Path(__file__).with_name("models.py"))
models = importlib.util.module_from_spec(spec)
spec.loader.exec_module(models)


def rows(count, columns=3, start=0):
    data = start + np.arange(count * columns, dtype=np.float32).reshape(count, columns)
    data.flags.writeable = False
    return data


def started(model, **parameters):
    op = OnnxOp(model=model, providers=["cpu"], **parameters)
    op.start()
    return op


def test_a_single_array_goes_to_the_only_input(tmp_path):
    op = started(models.doubling(tmp_path / "m.onnx"))
    found = op.process(Arrays(anything=rows(2)))
    assert list(found) == ["y"]
    np.testing.assert_array_equal(found["y"], 2 * rows(2) + 2)
    assert op.batching() is None


def test_inputs_and_outputs_are_named_anew(tmp_path):
    op = started(
        models.two_in_two_out(tmp_path / "m.onnx"),
        inputs={"left": "a", "right": "b"},
        outputs={"product": "area"},
    )
    found = op.process(Arrays(right=rows(1, 2, 3), left=rows(1, 2, 1)))
    assert list(found) == ["area"]
    np.testing.assert_array_equal(found["area"], [[3, 8]])


def test_messages_of_one_shape_are_computed_together(tmp_path):
    op = started(models.doubling(tmp_path / "m.onnx", ("n", "m")), batch=4, wait=0.01)
    assert (op.batching().size, op.batching().wait) == (4, 0.01)
    sent = [rows(1), rows(2, 5), rows(2, 3, 10), rows(1, 3, 20)]
    found = op.process_batch([{"tensors": Arrays(x=array)} for array in sent])
    for array, result, together in zip(sent, found, (4, 2, 4, 4), strict=True):
        np.testing.assert_array_equal(result["y"], 2 * array + together)


def test_a_result_that_cannot_be_taken_apart_is_named(tmp_path):
    op = started(models.total(tmp_path / "m.onnx"), batch=2)
    assert op.process(Arrays(x=rows(2)))["y"] == 15
    with pytest.raises(HoloflowError, match=r"output 'y' has shape \(\) for 2 items.*batch: 1"):
        op.process_batch([{"tensors": Arrays(x=rows(1))}] * 2)


def test_free_axes_open_what_the_model_declares_fixed(tmp_path):
    model = models.declared_fixed(tmp_path / "m.onnx")
    image = np.ones((2, 1, 5, 7), np.float32)
    with pytest.raises(ValueError, match=r"'x' takes float32 of shape \(10, 1, 8, 8\).*free_axes"):
        started(model).process(Arrays(x=image))
    found = started(model, free_axes=[0, 2, 3]).process(Arrays(x=image))["y"]
    assert found.shape == image.shape
    assert found[0, 0, 2, 2] == 9
    assert found[0, 0, 0, 0] == 4


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": rows(1, 2)}, r"has the inputs 'a', 'b', got arrays named 'a'"),
        ({"a": rows(1, 2), "c": rows(1, 2)}, r"named 'a', 'c'; `inputs` says"),
        ({"a": rows(1, 2), "b": rows(1, 2).astype("f8")}, r"'b' takes float32 .* got float64"),
        ({"a": rows(1, 2), "b": rows(1, 3)}, r"'b' .*shape \(any, 2\), got float32 of .*\(1, 3\)"),
        ({"a": rows(1, 2), "b": rows(1, 2)[0]}, r"got float32 of shape \(2,\)"),
    ],
)
def test_arrays_that_do_not_fit_are_named(tmp_path, arrays, message):
    op = started(models.two_in_two_out(tmp_path / "m.onnx"))
    with pytest.raises(ValueError, match=message) as error:
        op.process(Arrays(arrays))
    assert "m.onnx" in str(error.value)


def test_a_failure_inside_the_model_is_named(tmp_path):
    op = started(models.two_in_two_out(tmp_path / "m.onnx"))
    with pytest.raises(HoloflowError, match=r"the model m\.onnx failed: "):
        op.process(Arrays(a=rows(2, 2), b=rows(3, 2)))


def test_names_and_batch_are_checked_at_the_start(tmp_path):
    model = models.two_in_two_out(tmp_path / "m.onnx")
    with pytest.raises(ParameterError, match=r"m\.onnx has no input 'c'; it has a, b"):
        started(model, inputs={"x": "c"})
    with pytest.raises(ParameterError, match=r"no output 'c'; it has sum, product"):
        started(model, outputs={"c": "x"})
    with pytest.raises(ParameterError, match=r"batch: 2 needs .*'x' takes .*free_axes: \[0\]"):
        started(models.declared_fixed(tmp_path / "f.onnx"), batch=2)


@pytest.mark.parametrize("free", [[], [0]])
def test_a_file_that_is_no_model_is_named(tmp_path, free):
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"not a model")
    with pytest.raises(HoloflowError, match=r"cannot load the model .*broken\.onnx"):
        started(str(path), free_axes=free)


def test_the_provider_taken_is_logged(tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        started(models.doubling(tmp_path / "m.onnx"))
    assert "the model m.onnx is computed with cpu" in caplog.text


def test_an_unknown_provider_names_those_that_are_there(tmp_path):
    op = OnnxOp(model=models.doubling(tmp_path / "m.onnx"), providers=["gpu"])
    with pytest.raises(ParameterError, match=r"no provider 'gpu'; this machine has .*cpu"):
        op.start()
