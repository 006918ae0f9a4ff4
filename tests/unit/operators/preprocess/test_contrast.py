"""`preprocess.contrast` stretches between two percentiles."""

import array_api_strict
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holoflow import Image, ParameterError
from holoflow.operators.preprocess.contrast import ContrastOp

RAMP = np.arange(50, 151, dtype=np.uint8)[None]
"""101 values, so that each percentile is one of them."""


def strict(image):
    return Image(array_api_strict.asarray(image.data.copy()), image.colour)


@pytest.mark.parametrize("via", [lambda image: image, strict])
def test_the_percentiles_become_the_ends(via):
    image = via(Image(RAMP, "gray"))
    result = np.asarray(ContrastOp(low=10, high=90).process(image).data)[0]
    assert result.dtype == np.uint8
    assert (result[:11] == 0).all()
    assert (result[90:] == 255).all()
    assert result[50] in (127, 128)
    assert (np.diff(result.astype(int)) >= 0).all()


def test_gamma_bends_the_stretched_values():
    result = ContrastOp(low=0, high=100, gamma=0.5).process(Image(RAMP, "gray")).data[0]
    expected = 255 * np.sqrt(np.linspace(0, 1, 101))
    assert np.abs(result - expected).max() <= 0.5 + 1e-3


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
def test_the_whole_range_stays_as_it_is(dtype):
    full = 1 if dtype.startswith("float") else np.iinfo(dtype).max
    data = np.linspace(0, full, 60).astype(dtype).reshape(6, 10)
    result = ContrastOp(low=0, high=100).process(Image(data, "gray")).data
    assert result.dtype == dtype
    np.testing.assert_allclose(result, data, rtol=1e-6)


def test_hues_stay_as_all_channels_are_stretched_alike(picture):
    data = np.zeros((10, 10, 3), np.uint8)
    data[2:5] = (40, 80, 20)
    result = ContrastOp(low=0, high=100).process(Image(data, "bgr"))
    assert result.colour == "bgr"
    assert np.abs(result.data[3, 3].astype(int) - (127.5, 255, 63.75)).max() <= 0.5


@settings(max_examples=30)
@given(st.integers(0, 255), st.floats(0.1, 3))
def test_an_image_of_one_value_is_not_stretched(value, gamma):
    data = np.full((4, 5), value, np.uint8)
    data.flags.writeable = False
    result = ContrastOp(gamma=gamma).process(Image(data, "gray")).data
    assert np.abs(result - 255 * (value / 255) ** gamma).max() <= 0.5 + 1e-3


def test_inputs_stay_as_they_are(picture):
    image = picture("rgb")
    before = image.data.copy()
    ContrastOp(gamma=2).process(image)
    assert (image.data == before).all()


def test_an_image_without_pixels_stays_one():
    assert ContrastOp().process(Image(np.zeros((0, 5), np.uint8), "gray")).data.shape == (0, 5)


@pytest.mark.parametrize("colour", ["rgba", "hsv", "ycbcr", "lab"])
def test_other_colour_orders_are_refused(picture, colour):
    with pytest.raises(ValueError, match=f"an image in {colour} cannot be stretched"):
        ContrastOp().process(picture(colour))


@pytest.mark.parametrize(
    ("given", "message"),
    [({"low": 50, "high": 50}, "low must be below high"), ({"gamma": 0}, "gamma")],
)
def test_nonsense_is_refused(given, message):
    with pytest.raises(ParameterError, match=message):
        ContrastOp(**given)
