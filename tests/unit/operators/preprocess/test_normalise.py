"""`preprocess.normalise` maps full scale, then takes off the mean and divides."""

import array_api_strict
import numpy as np
import pytest

from holoflow import Image, ParameterError
from holoflow.operators.preprocess.normalise import NormaliseOp


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
@pytest.mark.parametrize("given", [(0, 1), (-1, 1), (0, 255)])
def test_zero_and_full_scale_become_the_ends_of_the_range(dtype, given):
    full = 1 if dtype.startswith("float") else np.iinfo(dtype).max
    image = Image(np.array([[0, full]], dtype), "gray")
    result = NormaliseOp(range=given).process(image)
    assert result.data.dtype == np.float32
    np.testing.assert_allclose(result.data[0], given, atol=1e-6)
    assert result.colour == "gray"


def test_as_models_trained_on_imagenet_want_it(picture):
    image = picture("rgb")
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    result = NormaliseOp(mean=mean, std=std).process(image).data
    np.testing.assert_allclose(result, (image.data / 255 - mean) / std, atol=1e-5)


def test_one_value_stands_beside_one_for_each_channel(picture):
    image = picture("rgb")
    result = NormaliseOp(range=(0, 255), mean=[1, 2, 3], std=[2]).process(image).data
    np.testing.assert_allclose(result, (image.data - np.array([1.0, 2, 3])) / 2, atol=1e-4)
    result = NormaliseOp(range=(0, 255), mean=[1], std=[1, 2, 4]).process(image).data
    np.testing.assert_allclose(result, (image.data - 1.0) / [1, 2, 4], atol=1e-4)


def test_it_works_in_any_array_library(picture):
    image = picture("rgb")
    op = NormaliseOp(range=(-1, 1), mean=[0.1, 0.2, 0.3], std=[0.5])
    other = op.process(Image(array_api_strict.asarray(image.data.copy())))
    assert other.data.dtype == array_api_strict.float32
    np.testing.assert_allclose(np.asarray(other.data), op.process(image).data, atol=1e-6)


def test_values_that_do_not_fit_the_channels_are_refused(picture):
    with pytest.raises(ValueError, match="mean has 3 values, the image in gray 1 channels"):
        NormaliseOp(mean=[1, 2, 3]).process(picture("gray"))
    with pytest.raises(ValueError, match="std has 2 values, the image in rgb 3 channels"):
        NormaliseOp(std=[1, 2]).process(picture("rgb"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"std": [1, 0, 1]}, "nothing can be divided"),
        ({"range": (1, 1)}, "both ends are 1"),
        ({"mean": []}, "mean"),
    ],
)
def test_nonsense_is_refused(given, message):
    with pytest.raises(ParameterError, match=message):
        NormaliseOp(**given)
