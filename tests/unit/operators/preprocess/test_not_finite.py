"""A pixel that is no number spoils what it touches, and nothing else."""

import array_api_strict
import numpy as np
import pytest

from holoflow import Image
from holoflow.operators.preprocess.background import BackgroundOp
from holoflow.operators.preprocess.contrast import ContrastOp
from holoflow.operators.preprocess.gaussian import GaussianOp
from holoflow.operators.preprocess.letterbox import LetterboxOp
from holoflow.operators.preprocess.median import MedianOp
from holoflow.operators.preprocess.normalise import NormaliseOp
from holoflow.operators.preprocess.resize import ResizeOp
from holoflow.operators.preprocess.speckle import SpeckleOp
from holoflow.operators.preprocess.tensor import TensorOp

ROW, COLUMN = 10, 12


@pytest.mark.parametrize(
    ("operator", "reach"),
    [
        (SpeckleOp(radius=2), 2), (GaussianOp(sigma=1), 4), (MedianOp(radius=1), 1),
        (MedianOp(radius=3), 3), (ContrastOp(low=0, high=100), 0), (NormaliseOp(), 0),
        (ResizeOp(width=50, height=80, interpolation="linear"), 1),
        (ResizeOp(width=25, height=20), 0), (ResizeOp(width=100, interpolation="cubic"), 2),
        (LetterboxOp(width=64, height=64), 1),
    ],
)  # fmt: skip
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("asarray", [np.asarray, array_api_strict.asarray])
def test_it_stays_where_it_is(picture, operator, reach, wrong, asarray):
    data = picture("gray", 40, 50, "float32").data * np.float32(0.5) + np.float32(0.2)
    results = []
    for value in (wrong, 0.45):
        data[ROW, COLUMN] = value
        image = operator.process(Image(asarray(data.copy()), "gray"))
        results.append(np.asarray(image.data))
    spoilt, clean = results
    changed = np.abs(np.nan_to_num(spoilt, nan=9) - clean) > 1e-4
    left, top = image.geometry.offset
    rows, columns = (
        (np.arange(length) + 0.5) * scale + start
        for length, scale, start in zip(
            clean.shape, image.geometry.scale[::-1], (top, left), strict=True
        )
    )
    far = (np.abs(rows[:, None] - ROW - 0.5) > reach + 1) | (
        np.abs(columns[None] - COLUMN - 0.5) > reach + 1
    )
    assert not changed[far].any()


@pytest.mark.parametrize("first", [True, False])
def test_the_background_learns_nothing_of_it(first):
    op = BackgroundOp()
    clean = np.full((4, 5), 0.5, np.float32)
    holed = clean.copy()
    holed[1, 2] = np.nan
    for data in [holed, holed, clean, clean] if first else [clean, holed, clean]:
        assert not op.process(Image(data, "gray")).data.any()
    bright = clean.copy()
    bright[1, 2] = 0.9
    assert np.argwhere(op.process(Image(bright, "gray")).data).tolist() == [[1, 2]]


def test_an_image_without_a_number_has_no_contrast():
    image = ContrastOp().process(Image(np.full((3, 3), np.nan, np.float32), "gray"))
    assert np.isnan(image.data).all()


@pytest.mark.parametrize(
    ("data", "dtype", "words"),
    [
        (np.array([[0, 300.0]]), "uint8", "from 0 to 300 do not fit into uint8, which holds 0 to"),
        (np.array([[-1.0, 3]]), "uint8", "from -1 to 3 do not fit"),
        (np.array([[np.nan, 3]]), "int32", "from nan to nan do not fit"),
        (np.array([[0, 300]], np.uint16), "uint8", "from 0 to 300"),
        (np.array([[0, 200]], np.uint8), "int8", "from 0 to 200"),
    ],
)
@pytest.mark.parametrize("asarray", [np.asarray, array_api_strict.asarray])
def test_a_tensor_holds_its_values_or_is_refused(data, dtype, words, asarray):
    with pytest.raises(ValueError, match=words):
        TensorOp(dtype=dtype).process(Image(asarray(data), "gray"))


@pytest.mark.parametrize("data", [np.array([[0, 255.9]]), np.array([[-0.9, 3]])])
def test_a_tensor_of_integers_loses_fractions_only(data):
    assert TensorOp(dtype="uint8").process(Image(data, "gray"))["input"].max() in (255, 3)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (np.array([[0, 255.0]], np.float32), "reach 255, but full scale is 1"),
        (np.array([[0, 4095]], np.uint16), "reach 4095, but full scale is 65535; set"),
        (np.array([[0, 40000]], np.uint16), None),
        (np.array([[0, 3]], np.uint8), None),
        (np.array([[0, 1.0]]), None),
    ],
)
def test_another_full_scale_is_taken_or_told(caplog, data, words):
    twelve = Image(np.array([[0, 4095]], np.uint16), "gray")
    assert NormaliseOp(full_scale=4095).process(twelve).data.tolist() == [[0, 1]]
    op = NormaliseOp()
    for values in (np.zeros_like(data), data, data):
        op.process(Image(values, "gray"))
    assert len(caplog.records) == (words is not None)
    assert all(words in record.getMessage() for record in caplog.records)
