"""`preprocess.speckle` is Lee's filter: it calms what is even and keeps edges."""

import array_api_strict
import numpy as np
import pytest
from scipy import ndimage

from holoflow import Image, ParameterError
from holoflow.operators.preprocess.speckle import SpeckleOp


def strict(image):
    return Image(array_api_strict.asarray(image.data.copy()), image.colour)


def reference(data, radius, noise):
    """Lee's filter of 1980, written down once more, in float64."""
    size = 2 * radius + 1
    z = data.astype(float)
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(z, radius, "edge"), (size, size))
    mean, variance = windows.mean(axis=(2, 3)), windows.var(axis=(2, 3))
    scene = np.maximum(variance - noise**2 * mean**2, 0) / (1 + noise**2)
    weight = scene / np.maximum(scene + noise**2 * mean**2, 1e-30)
    return mean + weight * (z - mean)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
@pytest.mark.parametrize(("radius", "noise"), [(1, 0.25), (3, 0.52), (2, 0.05)])
@pytest.mark.parametrize("via", [lambda image: image, strict])
def test_it_is_the_filter_that_lee_wrote_down(picture, dtype, radius, noise, via):
    image = picture("gray", dtype=dtype)
    result = np.asarray(SpeckleOp(radius=radius, noise=noise).process(via(image)).data)
    assert result.dtype == dtype
    allowed = 1e-5 if dtype.startswith("float") else 1
    assert np.abs(result - reference(image.data, radius, noise)).max() <= allowed


def test_each_channel_by_itself(picture):
    image = picture("bgr")
    result = SpeckleOp().process(image)
    assert result.colour == "bgr"
    for channel in range(3):
        alone = SpeckleOp().process(Image(image.data[..., channel].copy(), "gray"))
        assert (alone.data == result.data[..., channel]).all()


def test_speckle_is_calmed_and_an_edge_stays_sharp():
    random = np.random.default_rng(3)
    scene = np.full((80, 80), 0.1)
    scene[:, 40:] = 0.6
    seen = scene * random.normal(1, 0.2, scene.shape)
    result = SpeckleOp(radius=3, noise=0.2).process(Image(seen, "gray")).data
    even = result[10:-10, 50:-10]
    assert even.std() < 0.3 * seen[10:-10, 50:-10].std()
    assert even.mean() == pytest.approx(0.6, rel=0.03)
    # The mean of the window would smear the edge over seven columns.
    smeared = ndimage.uniform_filter(seen, 7)
    assert np.abs(result - scene)[:, 38:42].mean() < 0.6 * np.abs(smeared - scene)[:, 38:42].mean()


@pytest.mark.parametrize("value", [0, 1, 200, 255])
def test_one_value_stays_that_value(value):
    image = Image(np.full((9, 11), value, np.uint8), "gray")
    assert (SpeckleOp().process(image).data == value).all()


def test_a_window_larger_than_the_image_is_refused(picture):
    with pytest.raises(ValueError, match="a window of 11 x 11 pixels"):
        SpeckleOp(radius=5).process(picture("gray", 10, 40))


def test_nonsense_is_refused():
    with pytest.raises(ParameterError, match=r"SpeckleOp\.noise"):
        SpeckleOp(noise=0)
