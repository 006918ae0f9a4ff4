"""`preprocess.resize` resamples where it should, in the size asked for."""

import array_api_strict
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holoflow import Image, ParameterError
from holoflow.operators.preprocess.resize import ResizeOp

KINDS = ["nearest", "linear", "cubic", "area"]
side = st.integers(1, 40)


def strict(image):
    return Image(array_api_strict.asarray(image.data.copy()), image.colour)


@pytest.mark.parametrize(
    ("given", "size"),
    [
        ({"width": 20}, (15, 20)), ({"height": 60}, (60, 80)), ({"scale": 0.5}, (15, 20)),
        ({"width": 7, "height": 9}, (9, 7)), ({"scale": 0.001}, (1, 1)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("colour", ["gray", "bgr"])
def test_the_size_is_the_one_asked_for(picture, given, size, colour):
    image = picture(colour, 30, 40)
    result = ResizeOp(**given).process(image)
    assert (result.height, result.width) == size
    assert result.colour == colour
    assert result.data.dtype == np.uint8


def test_the_same_size_passes_as_it_is(picture):
    image = picture("rgb", 30, 40)
    assert ResizeOp(width=40).process(image) is image


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("via", [lambda image: image, strict])
@settings(max_examples=15)
@given(height=side, width=side, rows=side, columns=side, value=st.integers(0, 255))
def test_one_value_stays_that_value(kind, via, height, width, rows, columns, value):
    image = via(Image(np.full((height, width), value, np.uint8), "gray"))
    result = ResizeOp(width=columns, height=rows, interpolation=kind).process(image)
    assert np.asarray(result.data).shape == (rows, columns)
    assert (np.asarray(result.data) == value).all()


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32", "float64"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(11, 13), (48, 62), (11, 60), (9, 9)])
def test_all_array_libraries_agree(picture, dtype, kind, size):
    image = picture("rgb", 24, 31, dtype)
    op = ResizeOp(height=size[0], width=size[1], interpolation=kind)
    one, other = op.process(image).data, np.asarray(op.process(strict(image)).data)
    assert one.dtype == other.dtype == dtype
    scale = 1 if dtype.startswith("float") else np.iinfo(dtype).max
    allowed = 0 if kind == "nearest" else max(scale * 2e-5, 2 if scale > 1 else 0)
    assert np.abs(one.astype(float) - other.astype(float)).max() <= allowed


def test_area_averages_what_a_pixel_covers(picture):
    image = picture("rgb", 24, 32, "float64")
    result = ResizeOp(scale=0.25, interpolation="area").process(image).data
    blocks = image.data.reshape(6, 4, 8, 4, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(result, blocks, rtol=1e-6)


@pytest.mark.parametrize("kind", ["linear", "cubic", "area"])
def test_a_slope_stays_a_slope(kind):
    """Pixel centres lie at halves, so that nothing is shifted."""
    slope = np.tile((np.arange(64) + 0.5) / 64, (8, 1))
    result = ResizeOp(width=32, height=8, interpolation=kind).process(Image(slope, "gray")).data
    np.testing.assert_allclose(
        result[:, 2:-2], np.tile((np.arange(32) + 0.5) / 32, (8, 1))[:, 2:-2]
    )


def test_bool_images_are_taken():
    image = Image(np.kron([[True, False], [False, True]], np.ones((4, 4), bool)), "gray")
    result = ResizeOp(scale=0.5).process(image).data
    assert (result == np.kron([[True, False], [False, True]], np.ones((2, 2), bool))).all()


@pytest.mark.parametrize("given", [{}, {"width": 5, "scale": 2}, {"height": 5, "scale": 2}])
def test_either_a_size_or_a_scale(given):
    with pytest.raises(ParameterError, match="give either width, height or both, or scale"):
        ResizeOp(**given)


def test_without_pixels_there_is_nothing_to_resize():
    with pytest.raises(ValueError, match="without pixels cannot be resized"):
        ResizeOp(width=5, height=5).process(Image(np.zeros((0, 5), np.uint8), "gray"))
