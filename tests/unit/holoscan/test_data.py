from typing import Any

import numpy as np
import pytest

from holoflow import Array, Arrays, HoloflowError, Image
from holoflow.holoscan.data import from_tensors, to_tensors


@pytest.mark.parametrize("wrap", [lambda array: array, lambda array: {"a": array}, Image])
def test_an_array_with_a_mask_is_no_tensor(wrap):
    masked = np.ma.masked_array(np.zeros((2, 2, 3), np.uint8), False)
    with pytest.raises(HoloflowError, match="would lose its mask"):
        to_tensors(wrap(masked))


@pytest.mark.parametrize(
    "payload",
    [None, 3, 2.5, True, "text", b"bytes", [1, 2], (1, 2), {}, {"a": 1}, {1: 2}, np.float32(3),
     {"array": np.zeros(2), "number": 3}, [np.zeros(2)]],
    ids=repr,
)  # fmt: skip
def test_what_holds_no_arrays_alone_is_passed_as_it_is(payload):
    assert to_tensors(payload) is payload
    assert from_tensors(payload, Any) is payload


def test_arrays_are_tensors_by_name():
    array = np.arange(6, dtype=np.uint8).reshape(2, 3)
    assert to_tensors(array).keys() == to_tensors(Image(array, "gray")).keys() == {""}
    assert to_tensors({"a": array, "b": array}).keys() == {"a", "b"}
    assert (to_tensors(array[:, ::2])[""] == array[:, ::2]).all()


def test_a_single_array_is_what_the_input_takes():
    array = np.arange(6, dtype=np.uint8).reshape(2, 3)
    assert from_tensors(array, Any) is array
    assert isinstance(from_tensors(array, Image), Image)
    assert (from_tensors({"": array}, Array) == array).all()
    assert list(from_tensors(array, Arrays)) == [""]
    assert list(from_tensors({"a": array, "b": array}, Any)) == ["a", "b"]
