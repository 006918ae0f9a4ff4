"""`preprocess.crop` cuts out a rectangle, and only one that is there."""

import array_api_strict
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holoflow import Image, ParameterError
from holoflow.operators.preprocess.crop import CropOp


@settings(max_examples=40)
@given(st.data())
def test_the_rectangle_is_cut_out(data):
    height, width = data.draw(st.integers(1, 30)), data.draw(st.integers(1, 30))
    left, top = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    columns = data.draw(st.integers(1, width - left))
    rows = data.draw(st.integers(1, height - top))
    pixels = np.arange(height * width).reshape(height, width)
    op = CropOp(left=left, top=top, width=columns, height=rows)
    result = op.process(Image(pixels, "gray")).data
    assert (result == pixels[top : top + rows, left : left + columns]).all()


def test_all_to_the_right_and_below(picture):
    image = picture("bgr", 20, 30)
    result = CropOp(left=5, top=3).process(image)
    assert (result.data == image.data[3:, 5:]).all()
    assert result.colour == "bgr"


def test_nothing_is_copied(picture):
    image = picture("rgb")
    assert np.shares_memory(CropOp(left=2).process(image).data, image.data)


def test_it_works_in_any_array_library():
    image = Image(array_api_strict.ones((5, 6, 3), dtype=array_api_strict.uint8))
    assert CropOp(left=1, width=2).process(image).data.shape == (5, 2, 3)


@pytest.mark.parametrize(
    "given", [{"left": 30}, {"top": 20}, {"left": 25, "width": 6}, {"height": 21}]
)
def test_a_rectangle_outside_is_refused(picture, given):
    with pytest.raises(ValueError, match=r"does not lie inside the image: columns .* of 30, rows"):
        CropOp(**given).process(picture("rgb", 20, 30))


@pytest.mark.parametrize("given", [{"left": -1}, {"width": 0}, {"height": -5}])
def test_what_cannot_be_a_rectangle_is_refused(given):
    with pytest.raises(ParameterError, match="CropOp"):
        CropOp(**given)
