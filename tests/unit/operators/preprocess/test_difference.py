"""`preprocess.difference` gives what changed since the frame before."""

import array_api_strict
import numpy as np
import pytest

from holoflow import Image
from holoflow.operators.preprocess.difference import DifferenceOp


def changes(*images):
    op = DifferenceOp()
    op.start()
    return [op.process(image) for image in images]


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32", "float64"])
@pytest.mark.parametrize("colour", ["gray", "rgb"])
def test_the_absolute_difference_in_the_same_dtype(picture, dtype, colour):
    one, other = (picture(colour, dtype=dtype, seed=seed) for seed in (1, 2))
    first, second = changes(one, other)
    assert not first.data.any()
    assert first.data.shape == one.data.shape
    assert second.data.dtype == dtype
    assert second.colour == colour
    expected = np.abs(other.data.astype(float) - one.data.astype(float))
    if dtype == "int16":
        expected = np.minimum(expected, 32767)
    np.testing.assert_allclose(second.data, expected, rtol=1e-6)


def test_what_stands_still_gives_zeros(picture):
    assert not changes(picture(), picture())[1].data.any()


def test_each_frame_is_compared_with_the_one_before(picture):
    frames = [picture("gray", seed=seed) for seed in (1, 2, 1)]
    _, second, third = changes(*frames)
    assert (second.data == third.data).all()


def test_bool_images_differ_where_they_are_unlike():
    one = Image(np.array([[True, False, True]]), "gray")
    other = Image(np.array([[True, True, False]]), "gray")
    assert changes(one, other)[1].data.tolist() == [[False, True, True]]


@pytest.mark.parametrize(
    "other", [{"height": 25}, {"dtype": "uint16"}, {"colour": "bgr"}, {"colour": "gray"}]
)
def test_another_kind_of_frame_begins_anew(picture, other):
    assert not changes(picture(seed=1), picture(**other, seed=2))[1].data.any()


def test_start_forgets_the_frame_before(picture):
    op = DifferenceOp()
    op.process(picture(seed=1))
    op.start()
    assert not op.process(picture(seed=2)).data.any()


def test_it_works_in_any_array_library(picture):
    frames = [picture(seed=seed, dtype="int16") for seed in (1, 2)]
    other = changes(*(Image(array_api_strict.asarray(frame.data.copy())) for frame in frames))
    assert (np.asarray(other[1].data) == changes(*frames)[1].data).all()
