"""`visualize.mosaic` puts every image where it belongs, whatever its size, colour and dtype."""

import numpy as np
import pytest

from holoflow import Image
from holoflow.operators.visualize.mosaic import MosaicOp


def flat(value, height=30, width=40, colour="rgb", dtype=np.uint8):
    shape = (height, width) if colour == "gray" else (height, width, 3)
    return Image(np.full(shape, value, dtype), colour)


@pytest.mark.parametrize(
    ("count", "columns", "rows_columns"),
    [(1, None, (1, 1)), (2, None, (1, 2)), (3, None, (2, 2)), (5, None, (2, 3)), (5, 1, (5, 1)),
     (2, 9, (1, 2))],
)  # fmt: skip
def test_tiles_lie_in_the_order_of_the_inputs(count, columns, rows_columns):
    whole = MosaicOp(columns=columns).process([flat(10 * (i + 1)) for i in range(count)])
    rows, across = rows_columns
    assert whole.data.shape == (30 * rows, 40 * across, 3)
    tiles = whole.data.reshape(rows, 30, across, 40, 3).swapaxes(1, 2).reshape(-1, 30, 40, 3)
    seen = [set(np.unique(tile).tolist()) for tile in tiles]
    assert seen == [{10 * (i + 1)} for i in range(count)] + [{0}] * (rows * across - count)


def test_unlike_images_are_fitted_and_shown_as_what_they_are():
    blue = Image(np.full((30, 40, 3), (0, 0, 255), np.uint8), "rgb")
    also_blue = Image(np.full((300, 100, 3), (255, 0, 0), np.uint8), "bgr")
    half = flat(0.5, colour="gray", dtype=np.float32)
    deep = flat(0x8080, height=15, width=20, dtype=np.uint16)
    whole = MosaicOp(columns=4).process([blue, also_blue, half, deep]).data
    assert (whole[:, :40] == (0, 0, 255)).all()
    assert (whole[:, 55:65] == (0, 0, 255)).all()
    assert not whole[:, 40:54].any()  # beside the narrow one
    assert (whole[:, 80:] == 128).all()


def test_the_size_stays_that_of_the_first_image():
    mosaic = MosaicOp()
    first = mosaic.process([flat(1), flat(2)])
    assert mosaic.process([flat(1, 60, 80), flat(2)]).data.shape == first.data.shape
    assert MosaicOp(width=8, height=6).process([flat(1)]).data.shape == (6, 8, 3)


def test_what_cannot_be_shown_is_named():
    with pytest.raises(ValueError, match="cannot show an image in hsv"):
        MosaicOp().process([flat(1, colour="hsv")])
