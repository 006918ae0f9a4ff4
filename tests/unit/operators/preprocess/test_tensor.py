"""`preprocess.tensor` names an array and gives it the model's axes and dtype."""

import array_api_strict
import numpy as np
import pytest

from holoflow import Arrays, Image, ParameterError
from holoflow.operators.preprocess.tensor import TensorOp


def test_an_image_becomes_a_named_array(picture):
    image = picture("rgb", 5, 7)
    result = TensorOp(name="images").process(image)
    assert isinstance(result, Arrays)
    assert list(result) == ["images"]
    assert result["images"].shape == (1, 3, 5, 7)
    assert result["images"].dtype == np.float32
    assert result["images"].flags.c_contiguous
    assert (result["images"][0].transpose(1, 2, 0) == image.data).all()


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "uint8", "int32", "int64"])
def test_values_stay_in_any_dtype(picture, dtype):
    image = picture("gray", 5, 7)
    result = TensorOp(layout="nhwc", dtype=dtype).process(image)["input"]
    assert result.dtype == dtype
    assert (result[0, :, :, 0] == image.data).all()


def test_an_array_is_taken_as_it_is(pixels):
    data = pixels((2, 5), "float64")
    result = TensorOp(dtype="float64").process(data)["input"]
    assert (result == data).all()
    assert not np.shares_memory(result, data)


def test_floats_lose_their_fraction_in_integers():
    result = TensorOp(dtype="int32").process(np.array([1.9, -1.9]))["input"]
    assert result.tolist() == [1, -1]


def test_it_works_in_any_array_library(picture):
    image = picture("rgb")
    other = Image(array_api_strict.asarray(image.data.copy()))
    assert (
        np.asarray(TensorOp().process(other)["input"]) == TensorOp().process(image)["input"]
    ).all()


def test_nonsense_is_refused(picture):
    with pytest.raises(ParameterError, match=r"TensorOp\.name"):
        TensorOp(name="")
    with pytest.raises(ValueError, match="has no axis c"):
        TensorOp(layout="hw").process(picture("rgb"))
