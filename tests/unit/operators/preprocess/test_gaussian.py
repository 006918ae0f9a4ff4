"""`preprocess.gaussian` smooths as SciPy's Gaussian does."""

import array_api_strict
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from holoflow import Image, ParameterError
from holoflow.operators.preprocess.gaussian import GaussianOp


def reference(image, sigma):
    """SciPy's Gaussian of each channel, with the same cut and border."""
    sigmas = (sigma, sigma, 0)[: image.data.ndim]
    radius = int(np.ceil(4 * sigma))
    radii = (radius, radius, 0)[: image.data.ndim]
    return ndimage.gaussian_filter(image.data.astype(float), sigmas, mode="nearest", radius=radii)


def strict(image):
    return Image(array_api_strict.asarray(image.data.copy()), image.colour)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32", "float64"])
@pytest.mark.parametrize("colour", ["gray", "rgb", "rgba"])
@pytest.mark.parametrize("sigma", [0.6, 1.5, 4])
@pytest.mark.parametrize("via", [lambda image: image, strict])
def test_it_is_what_scipy_makes(picture, dtype, colour, sigma, via):
    image = picture(colour, dtype=dtype)
    result = GaussianOp(sigma=sigma).process(via(image))
    assert result.colour == colour
    data = np.asarray(result.data)
    assert data.dtype == dtype
    allowed = 1e-5 if dtype.startswith("float") else 2  # OpenCV: fixed point
    assert np.abs(data - reference(image, sigma)).max() <= allowed


def test_an_impulse_becomes_the_gaussian():
    data = np.zeros((41, 41))
    data[20, 20] = 1
    result = GaussianOp(sigma=2).process(Image(data, "gray")).data
    assert result.sum() == pytest.approx(1)
    y, x = np.mgrid[-20:21, -20:21]
    bell = np.exp(-(x**2 + y**2) / 8) / (8 * np.pi)
    assert np.abs(result - bell)[8:-8, 8:-8].max() < 1e-4


@pytest.mark.parametrize("via", [lambda image: image, strict])
@settings(max_examples=20)
@given(
    height=st.integers(5, 30), width=st.integers(5, 30), value=st.integers(0, 255),
    sigma=st.floats(0.1, 5),
)  # fmt: skip
def test_one_value_stays_that_value(via, height, width, value, sigma):
    image = via(Image(np.full((height, width), value, np.uint8), "gray"))
    assert (np.asarray(GaussianOp(sigma=sigma).process(image).data) == value).all()


def test_a_gaussian_wider_than_the_image_is_refused(picture):
    with pytest.raises(ValueError, match="a sigma of 6 pixels is too large for an image of 8 x 5"):
        GaussianOp(sigma=6).process(picture("gray", 5, 8))


def test_an_image_without_pixels_stays_one():
    assert GaussianOp().process(Image(np.zeros((0, 5), np.uint8), "gray")).data.shape == (0, 5)


def test_nonsense_is_refused():
    with pytest.raises(ParameterError, match=r"GaussianOp\.sigma"):
        GaussianOp(sigma=0)
