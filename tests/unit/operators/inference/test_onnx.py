"""`inference.onnx` computes models, alone and in batches, and says what does not fit."""

import importlib.util
import logging
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holoflow import Arrays, HoloflowError, ParameterError
from holoflow.operators.inference._messages import run_together
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


@pytest.mark.parametrize(
    ("axes", "free", "told"),
    [
        (("batch", "found"), [], "first axis of the output 'y' of m.onnx is found, .* batch;"),
        ((1, "found"), [0], "is found, that of the inputs without a name; .* say batched: [y]"),
        (("batch", 300), [], "is 300, that of the inputs batch;"),
        (("batch", None), [], "'y' has the shape (0, 2) for 2 rows of the inputs"),
        ((None, None), [], "'y' has the shape (0, 2) for 2 rows of the inputs"),
        (("batch", "batch"), [], "'y' has the shape (0, 2) for 2 rows of the inputs"),
    ],
)
def test_rows_of_another_kind_stay_with_their_message(tmp_path, axes, free, told, caplog):
    """A row holds the image's index in its batch: in one of several it would be a stranger's."""
    op = started(models.found(tmp_path / "m.onnx", *axes), batch=4, free_axes=free)
    sent = [[0, 0, 0], [1, 1, 0]], [[1, 0, 0], [0, 0, 1]], [[0, 0, 0], [1, 0, 0]]
    for batch in sent:
        calls = [{"tensors": Arrays(x=np.array([row], np.float32))} for row in batch]
        found = [result["y"].tolist() for result in op.process_batch(calls)]
        assert found == [[[0, column] for column in np.flatnonzero(row)] for row in batch]
    (line,) = [r.getMessage() for r in caplog.records if "computed alone" in r.getMessage()]
    assert re.search(re.escape(told).replace(r"\.\*", ".*"), line)


def test_a_model_that_takes_one_row_whatever_it_declares(tmp_path, caplog):
    op = started(models.of_one_row(tmp_path / "m.onnx"), batch=2)
    assert op.batching() is None
    assert "each message is computed alone" in caplog.text
    found = op.process_batch([{"tensors": Arrays(x=rows(1, start=n))} for n in range(2)])
    np.testing.assert_array_equal([result["y"] for result in found], [rows(1), rows(1, start=1)])


def test_an_output_that_is_vouched_for_is_taken_apart(tmp_path):
    model = models.doubling(tmp_path / "m.onnx", ("n", 3), ("Addoutput_dim_0", 3))
    calls = [{"tensors": Arrays(x=rows(length))} for length in (2, 0, 1)]
    alone = started(model, batch=4)
    assert alone.batching() is None
    assert [result["y"].max(initial=0) for result in alone.process_batch(calls)] == [12, 0, 5]
    together = started(model, batch=4, batched=["y"])
    assert together.batching() is not None
    assert [result["y"].max(initial=0) for result in together.process_batch(calls)] == [13, 0, 7]


def test_a_sum_over_a_batch_is_not_given_for_a_message(tmp_path):
    op = started(models.total(tmp_path / "m.onnx"), batch=2)
    calls = [{"tensors": Arrays(x=rows(length))} for length in (1, 2)]
    assert [result["y"] for result in op.process_batch(calls)] == [3, 15]


def test_inputs_with_axes_of_their_own_are_not_joined(tmp_path, caplog):
    model = models.two_in_two_out(tmp_path / "m.onnx", ("n", 2), ("m", 2))
    op = started(model, batch=2)
    found = op.process_batch(
        [
            {"tensors": Arrays(a=rows(2, 2), b=rows(1, 2))},
            {"tensors": Arrays(a=rows(1, 2), b=rows(1, 2))},
        ]
    )
    assert [len(result["sum"]) for result in found] == [2, 1]
    assert "the first axes of the inputs of m.onnx are m and n" in caplog.text


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from("ab"),
            st.sampled_from([(), (0,), (1,), (0, 2), (1, 2), (2, 2), (2, 3)]).flatmap(
                lambda shape: st.sampled_from(["f4", "i8"]).map(lambda kind: np.ones(shape, kind))
            ),
        ),
        max_size=8,
    )
)
@settings(deadline=None, suppress_health_check=list(HealthCheck))
def test_each_message_gets_what_it_would_get_alone(messages):
    """Of arrays of any shapes and types, empty ones and none at all."""

    def run(arrays):
        return Arrays({name: array + len(arrays) for name, array in arrays.items()})

    sent = [Arrays(message) for message in messages]
    for got, alone in zip(run_together(sent, run), map(run, sent), strict=True):
        assert got.keys() == alone.keys()
        for name in alone:
            assert got[name].dtype == alone[name].dtype
            np.testing.assert_array_equal(got[name], alone[name], strict=True)


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
    with pytest.raises(ParameterError, match=r"OnnxOp\.batched: .*no output 'c'; it has sum, pro"):
        started(model, batched=["c"])
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
