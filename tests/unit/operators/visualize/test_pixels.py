"""What the screen shows of an image."""

import numpy as np
import pytest

from holoflow import Image
from holoflow.operators.visualize._pixels import Scale, pixels


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        (np.array([0, 128, 255], np.uint8), [0, 128, 255]),
        (np.array([0, 32768, 65535], np.uint16), [0, 128, 255]),
        (np.array([-5, 0, 32767], np.int16), [0, 0, 255]),
        (np.array([0, 2**31, 2**32 - 1], np.uint32), [0, 128, 255]),
        (np.array([False, True, True]), [0, 255, 255]),
        (np.array([0.0, 0.5, 1.0], np.float32), [0, 128, 255]),
        (np.array([0.0, 0.5, 1.0], np.float16), [0, 128, 255]),
        (np.array([-1.0, 7.0, 0.2]), [0, 255, 51]),
        (np.array([np.nan, np.inf, -np.inf]), [0, 255, 0]),
        (np.array([-0.2, 0.5, 1.2]), [0, 128, 255]),
        # What would be all black or white is of another scale.
        (np.array([0, 2048, 4095], np.uint16), [0, 128, 255]),
        (np.array([0, 512, 1023], np.uint16), [0, 128, 255]),
        (np.array([0, 64, 255], np.uint16), [0, 16, 64]),
        (np.array([0, 128, 255], np.int32), [0, 128, 255]),
        (np.array([-1024, 0, 3071], np.int16), [0, 51, 204]),
        (np.array([0, 128, 255], np.float32), [0, 128, 255]),
        (np.array([0, 128, 260], np.float16), [0, 128, 255]),
        (np.array([np.nan, 2048, 4095, np.inf]), [0, 128, 255, 255]),
        (np.array([-1024.0, 0, 3071]), [0, 51, 204]),
        (np.array([0, 0], np.uint16), [0, 0]),
    ],
)
def test_every_dtype_is_scaled_to_eight_bits(values, shown):
    result = pixels(Image(values[None], "gray"))
    assert result.dtype == np.uint8
    assert result.tolist() == [shown]


def test_the_scale_is_held_grows_and_is_told_once():
    told = []
    scale = Scale(lambda text, *values: told.append(text % values))

    def shown(*values, dtype=np.uint16):
        return pixels(Image(np.array([values], dtype), "gray"), scale).tolist()[0]

    assert shown(0, 0) == [0, 0]
    assert told == []
    assert shown(0, 1023) == [0, 255]
    assert shown(0, 512) == [0, 128]
    assert shown(0, 4095) == [0, 255]
    assert shown(0, 1023) == [0, 64]
    assert "uint16 from 0 to 1023, do not use its full scale, 0 to 65535: 0 is" in told[0]
    assert shown(0, 65535) == [0, 255]
    assert shown(0, 4095) == [0, 16]
    assert shown(0, 1, dtype=np.float32) == [0, 255]
    told.clear()
    assert shown(-1, 2, dtype=np.float32) == [0, 255]
    assert "float32 from -1 to 2, exceed the range from 0" in told[0]


def test_bytes_are_not_copied():
    data = np.zeros((4, 6, 3), np.uint8)
    assert pixels(Image(data)) is data


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (Image(np.zeros((4, 4, 3), np.uint8), "hsv"), "in hsv; convert it to rgb"),
        (Image(np.zeros((0, 4, 3), np.uint8)), "an image of 4x0 pixels"),
        (Image(np.zeros((4, 4), np.complex64), "gray"), "complex64 values"),
    ],
)
def test_what_cannot_be_shown_is_refused(image, message):
    with pytest.raises(ValueError, match=message):
        pixels(image)
