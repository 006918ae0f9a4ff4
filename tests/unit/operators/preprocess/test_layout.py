"""`preprocess.layout` puts axes in another order."""

import array_api_strict
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holoflow import ParameterError
from holoflow.operators.preprocess._arrays import arrange
from holoflow.operators.preprocess.layout import LayoutOp

LAYOUTS = ["hw", "hwc", "chw", "nhwc", "nchw"]


def test_an_image_to_planes(picture):
    image = picture("rgb", 5, 7)
    result = LayoutOp(to="nchw").process(image)
    assert result.shape == (1, 3, 5, 7)
    assert result.flags.c_contiguous
    assert result.dtype == np.uint8
    assert not np.shares_memory(result, image.data)
    for channel in range(3):
        assert (result[0, channel] == image.data[..., channel]).all()


@pytest.mark.parametrize(
    ("to", "shape"), [("hw", (5, 7)), ("chw", (1, 5, 7)), ("nhwc", (1, 5, 7, 1))]
)
def test_a_gray_image_knows_its_own_axes(picture, to, shape):
    image = picture("gray", 5, 7, "float32")
    result = LayoutOp(to=to, source="nchw").process(image)
    assert result.shape == shape
    assert (result.reshape(5, 7) == image.data).all()


@given(st.sampled_from(LAYOUTS), st.sampled_from(LAYOUTS), st.integers(1, 4), st.integers(1, 4))
def test_there_and_back(source, to, height, width):
    sizes = {"h": height, "w": width, "n": 1, "c": 1}
    shape = tuple(sizes[axis] for axis in source)
    data = np.arange(height * width).reshape(shape)
    there = LayoutOp(source=source, to=to).process(data)
    assert there.shape == tuple(sizes[axis] for axis in to)
    assert (arrange(there, to, source) == data).all()


def test_it_works_in_any_array_library(picture):
    image = picture("rgb", 5, 7)
    result = LayoutOp(to="nchw").process(array_api_strict.asarray(image.data.copy()))
    assert (np.asarray(result) == LayoutOp(to="nchw").process(image)).all()


def test_an_axis_that_goes_must_have_the_length_one(picture):
    with pytest.raises(ValueError, match=r"the layout hw has no axis c.*got shape \(24, 31, 3\)"):
        LayoutOp(to="hw").process(picture("rgb"))


def test_an_array_must_have_the_axes_of_its_layout():
    with pytest.raises(ValueError, match="an array in the layout hwc has 3 axes"):
        LayoutOp(to="nchw").process(np.zeros((4, 4)))


def test_unknown_layouts_are_refused():
    with pytest.raises(ParameterError, match=r"LayoutOp\.to"):
        LayoutOp(to="cwh")
