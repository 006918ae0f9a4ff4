"""`postprocess.argmax` labels each pixel with its best class."""

import array_api_strict
import numpy as np
import pytest

from holoflow import Arrays, Image
from holoflow.operators.postprocess.argmax import ArgmaxOp
from holoflow.operators.preprocess.letterbox import LetterboxOp


def one_hot(labels, classes):
    scores = np.eye(classes, dtype=np.float32)[labels].transpose(2, 0, 1)[None].copy()
    scores.flags.writeable = False
    return Arrays(out=scores)


def test_the_best_class_of_each_pixel():
    labels = np.arange(12).reshape(3, 4) % 5
    mask = ArgmaxOp(names=list("abcde")).process(one_hot(labels, 5))
    np.testing.assert_array_equal(mask.data, labels)
    assert mask.data.dtype == np.uint8
    assert mask.names == tuple("abcde")


def test_many_classes_and_any_array_library():
    labels = np.array([[299, 0]])
    mask = ArgmaxOp().process(one_hot(labels, 300))
    assert mask.data.tolist() == [[299, 0]]
    strict = Arrays(out=array_api_strict.asarray(one_hot(labels, 300)["out"]))
    assert np.asarray(ArgmaxOp().process(strict).data).tolist() == [[299, 0]]


@pytest.mark.parametrize("align", ["centre", "top_left"])
@pytest.mark.parametrize(("height", "width"), [(20, 40), (40, 20), (7, 13)])
def test_the_mask_is_that_of_the_image_before_the_letterbox(align, height, width):
    labels = np.zeros((height, width), np.uint8)
    labels[height // 4 : height // 2, width // 2 :] = 1
    image = Image(labels * 255, "gray")
    fitted = LetterboxOp(
        width=3 * max(height, width),
        height=3 * max(height, width),
        align=align,
        interpolation="nearest",
    ).process(image)
    scores = one_hot((fitted.data > 127).astype(int), 2)
    scores.geometry = fitted.geometry
    mask = ArgmaxOp().process(scores)
    assert mask.geometry == image.geometry
    np.testing.assert_array_equal(mask.data, labels)


@pytest.mark.parametrize("shape", [(3, 4, 4), (2, 3, 4, 4), (1, 1, 4, 4)])
def test_other_shapes_are_named(shape):
    with pytest.raises(ValueError, match=r"\(1, classes, height, width\) with two classes"):
        ArgmaxOp().process(Arrays(out=np.zeros(shape)))


def test_names_must_be_as_many():
    with pytest.raises(ValueError, match="`names` has 1 classes, the scores 2"):
        ArgmaxOp(names=["a"]).process(Arrays(out=np.zeros((1, 2, 3, 3))))


@pytest.mark.parametrize("asarray", [np.asarray, array_api_strict.asarray])
def test_a_score_that_is_no_number_wins_nowhere(asarray, caplog):
    scores = np.array([[[[0.1, np.nan, 0.3]], [[np.nan, np.nan, 0.2]], [[0.2, np.nan, np.inf]]]])
    op = ArgmaxOp()
    for _ in range(2):
        mask = op.process(Arrays(out=asarray(scores.astype(np.float32))))
        assert np.asarray(mask.data).tolist() == [[2, 0, 2]]
    told = [r.getMessage() for r in caplog.records if "NaN" in r.getMessage()]
    assert told == ["4 of 9 scores are NaN (logged once)"]


def test_what_the_model_did_not_see_is_background():
    part = Image(np.zeros((30, 40), np.uint8), "gray").cropped(10, 5, 20, 15)
    scores = one_hot(np.ones((5, 5), int), 2)  # at half the resolution
    scores.geometry = part.geometry
    mask = ArgmaxOp().process(scores).data
    assert mask.shape == (30, 40)
    assert mask[5:15, 10:20].all()
    assert mask.sum() == 100
