"""`preprocess.median` gives the median of what lies around a pixel."""

import array_api_strict
import numpy as np
import pytest
from scipy import ndimage

from holoflow import Image, ParameterError
from holoflow.operators.preprocess.median import MedianOp


def strict(image):
    return Image(array_api_strict.asarray(image.data.copy()), image.colour)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "float32", "float64"])
@pytest.mark.parametrize("colour", ["gray", "rgb", "bgra"])
@pytest.mark.parametrize("radius", [1, 2, 4])
@pytest.mark.parametrize("via", [lambda image: image, strict])
def test_it_is_what_scipy_makes(picture, dtype, colour, radius, via):
    image = picture(colour, dtype=dtype)
    result = MedianOp(radius=radius).process(via(image))
    size = (2 * radius + 1, 2 * radius + 1, 1)[: image.data.ndim]
    assert result.colour == colour
    assert np.asarray(result.data).dtype == dtype
    assert (
        np.asarray(result.data) == ndimage.median_filter(image.data, size, mode="nearest")
    ).all()


def test_a_speck_goes_and_an_edge_stays():
    edge = np.zeros((9, 9), np.uint8)
    edge[:, 5:] = 200
    speck = edge.copy()
    speck[4, 2] = 255
    assert (MedianOp().process(Image(speck, "gray")).data == edge).all()


def test_a_window_larger_than_the_image_is_refused(picture):
    message = "a window of 7 x 7 pixels .radius 3. does not fit into an image of 9 x 6 pixels; "
    with pytest.raises(ValueError, match=message + "the radius can be at most 2"):
        MedianOp(radius=3).process(picture("gray", 6, 9))


def test_an_image_without_pixels_stays_one():
    assert MedianOp().process(Image(np.zeros((5, 0), np.uint8), "gray")).data.shape == (5, 0)


def test_nonsense_is_refused():
    with pytest.raises(ParameterError, match=r"MedianOp\.radius"):
        MedianOp(radius=0)
