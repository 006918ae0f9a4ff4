"""`preprocess.letterbox` fits an image into a size and tells the way back."""

import array_api_strict
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holoflow import Boxes, Geometry, Image
from holoflow.operators.preprocess.letterbox import LetterboxOp

side = st.integers(1, 60)


def test_a_wide_image_lies_in_the_middle(picture):
    image = picture("rgb", 20, 40)
    result = LetterboxOp(width=40, height=30, padding=1).process(image)
    assert result.geometry == Geometry(40, 30, (40, 20), (1, 1), (0, -5))
    assert (result.data[5:25] == image.data).all()
    assert (result.data[:5] == 255).all()
    assert (result.data[25:] == 255).all()


def test_a_tall_image_lies_in_the_corner_if_wanted(picture):
    image = picture("gray", 40, 20, "float32")
    result = LetterboxOp(width=60, height=40, padding=0.25, align="top_left").process(image)
    assert (result.data[:, :20] == image.data).all()
    assert (result.data[:, 20:] == 0.25).all()
    assert result.colour == "gray"
    assert result.data.dtype == np.float32


def test_a_small_image_is_enlarged_only_if_wanted(picture):
    image = picture("bgra", 10, 10)
    grown = LetterboxOp(width=30, height=30).process(image)
    assert grown.geometry.scale == (1 / 3, 1 / 3)
    same = LetterboxOp(width=30, height=30, enlarge=False).process(image)
    assert same.geometry == Geometry(30, 30, (10, 10), (1, 1), (-10, -10))
    assert (same.data[10:20, 10:20] == image.data).all()
    assert same.colour == "bgra"


@settings(max_examples=60)
@given(height=side, width=side, rows=side, columns=side, centred=st.booleans())
def test_the_way_back_leads_to_the_corners(height, width, rows, columns, centred):
    image = Image(np.full((height, width), 200, np.uint8), "gray")
    op = LetterboxOp(
        width=columns, height=rows, align="centre" if centred else "top_left", padding=0
    )
    result = op.process(image)
    inside = result.data > 0
    assert inside.shape == (rows, columns)
    y, x = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    seen = Boxes(np.array([[x[0], y[0], x[-1] + 1, y[-1] + 1]], float), geometry=result.geometry)
    np.testing.assert_allclose(seen.on(image.geometry).xyxy, [[0, 0, width, height]], atol=1e-9)
    # The shape of things stays: to half a pixel, or to the one pixel that always stays.
    scale = min(columns / width, rows / height)
    assert abs(x[-1] + 1 - x[0] - width * scale) <= max(0.5, 1 - width * scale)
    assert abs(y[-1] + 1 - y[0] - height * scale) <= max(0.5, 1 - height * scale)
    if centred:
        assert abs(x[0] - (columns - 1 - x[-1])) <= 1
        assert abs(y[0] - (rows - 1 - y[-1])) <= 1


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64", "bool"])
def test_padding_is_a_fraction_of_full_scale_in_any_library(dtype):
    data = array_api_strict.zeros((4, 8), dtype=getattr(array_api_strict, dtype))
    result = LetterboxOp(width=8, height=8, padding=0.6).process(Image(data, "gray"))
    expected = {"uint8": 153, "uint16": 39321, "bool": True}.get(dtype, 0.6)
    assert result.data.dtype == data.dtype
    np.testing.assert_allclose(np.asarray(result.data)[0], expected, rtol=1e-6)
    assert not np.asarray(result.data)[2:6].any()


def test_without_pixels_there_is_nothing_to_fit():
    with pytest.raises(ValueError, match="without pixels"):
        LetterboxOp(width=8, height=8).process(Image(np.zeros((4, 0), np.uint8), "gray"))
