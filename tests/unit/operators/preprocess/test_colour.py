"""`preprocess.colour` converts by the formulas that it names."""

import colorsys

import array_api_strict
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holoflow import Image, ParameterError
from holoflow.operators.preprocess.colour import ColourOp

ORDERS = ["gray", "rgb", "bgr", "rgba", "bgra", "ycbcr", "hsv"]
DTYPES = ["uint8", "uint16", "float32", "float64"]


def convert(image, to):
    return ColourOp(to=to).process(image)


def strict(image):
    return Image(array_api_strict.asarray(image.data.copy()), image.colour)


def patch(*channels, colour="rgb", dtype="uint8"):
    return Image(np.full((2, 3, len(channels)), channels, dtype), colour)


@pytest.mark.parametrize(
    ("rgb", "ycbcr", "hsv", "gray"),
    [
        ((255, 255, 255), (255, 128, 128), (0, 0, 255), 255),
        ((0, 0, 0), (0, 128, 128), (0, 0, 0), 0),
        ((255, 0, 0), (76, 85, 255), (0, 255, 255), 76),
        ((0, 255, 0), (150, 44, 21), (85, 255, 255), 150),
        ((0, 0, 255), (29, 255, 107), (171, 255, 255), 29),
        ((255, 255, 0), (226, 1, 149), (43, 255, 255), 226),
    ],
)
@pytest.mark.parametrize("via", [lambda image: image, strict])
def test_known_colours(rgb, ycbcr, hsv, gray, via):
    image = via(patch(*rgb))
    for to, values in (("ycbcr", ycbcr), ("hsv", hsv), ("gray", gray)):
        result = convert(image, to)
        assert result.colour == to
        assert np.abs(np.asarray(result.data).astype(int) - values).max() <= (to == "ycbcr")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("source", ORDERS)
@pytest.mark.parametrize("to", ORDERS)
def test_dtype_and_size_stay_and_the_order_is_the_one_asked_for(picture, source, to, dtype):
    image = picture(source, dtype=dtype)
    before = image.data.copy()
    result = convert(image, to)
    assert result.colour == to
    assert result.data.dtype == dtype
    assert (result.height, result.width) == (image.height, image.width)
    assert (image.data == before).all()


@pytest.mark.parametrize("source", ORDERS)
def test_the_same_order_passes_as_it_is(picture, source):
    image = picture(source)
    assert convert(image, source) is image


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("source", ORDERS)
@pytest.mark.parametrize("to", ORDERS)
def test_all_array_libraries_agree(picture, source, to, dtype):
    image = picture(source, dtype=dtype)
    one, other = convert(image, to).data, convert(strict(image), to).data
    assert str(other.dtype).endswith(dtype)
    difference = np.abs(one.astype(float) - np.asarray(other).astype(float))
    if to == "hsv":  # the hue is a circle
        turn = {"uint8": 256, "uint16": 65536, "float32": 1}[dtype]
        difference[..., 0] = np.minimum(difference[..., 0], turn - difference[..., 0])
    allowed = {"uint8": 2, "uint16": 2, "float32": 1e-5}[dtype]
    if source == "ycbcr" and to == "hsv":  # noise in rgb is far outside of ycbcr
        difference = difference[..., 2]
    assert difference.max() <= allowed


@pytest.mark.parametrize(
    ("source", "to", "places"),
    [
        ("rgb", "bgr", [2, 1, 0]), ("bgr", "rgb", [2, 1, 0]), ("rgba", "bgra", [2, 1, 0, 3]),
        ("bgra", "rgba", [2, 1, 0, 3]), ("bgra", "rgb", [2, 1, 0]), ("rgba", "bgr", [2, 1, 0]),
        ("gray", "rgb", [None] * 3), ("gray", "bgr", [None] * 3),
    ],
)  # fmt: skip
@pytest.mark.parametrize("dtype", [*DTYPES, "bool", "int16"])
def test_channels_that_only_move_keep_their_values(picture, source, to, places, dtype):
    image = picture(source, dtype=dtype)
    result = convert(image, to).data
    for channel, place in enumerate(places):
        assert (
            result[..., channel] == image.data[..., slice(None) if place is None else place]
        ).all()


@pytest.mark.parametrize(
    ("dtype", "opaque"),
    [("uint8", 255), ("uint16", 65535), ("float32", 1), ("float64", 1), (bool, 1)],
)
@pytest.mark.parametrize("source", ["gray", "rgb", "bgr"])
@pytest.mark.parametrize("to", ["rgba", "bgra"])
def test_new_alpha_is_opaque(picture, source, to, dtype, opaque):
    assert (convert(picture(source, dtype=dtype), to).data[..., 3] == opaque).all()


@settings(max_examples=60)
@given(st.tuples(*[st.floats(0, 1, width=32)] * 3))
def test_hsv_of_floats_is_that_of_the_standard_library(rgb):
    image = patch(*rgb, dtype="float64")
    expected = np.array(colorsys.rgb_to_hsv(*rgb))
    found = convert(image, "hsv").data[0, 0]
    turned = abs(found[0] - expected[0])
    assert min(turned, 1 - turned) < 1e-9
    assert np.abs(found[1:] - expected[1:]).max() < 1e-9


@pytest.mark.parametrize("to", ["ycbcr", "hsv"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "uint16"])
def test_there_and_back(picture, to, dtype):
    image = picture("rgb", dtype=dtype)
    back = convert(convert(image, to), "rgb").data
    allowed = {"uint16": 4, "float32": 1e-5, "float64": 1e-12}[dtype]
    assert np.abs(back.astype(float) - image.data.astype(float)).max() <= allowed


def test_every_hue_of_8_bits_comes_back():
    hues = np.stack([np.arange(256), np.full(256, 255), np.full(256, 255)], axis=-1)
    image = Image(hues[None].astype(np.uint8), "hsv")
    back = convert(convert(image, "rgb"), "hsv").data
    assert (back == image.data).all()


def test_parts_and_mirrored_views_are_taken(picture):
    whole = picture("rgb", 30, 40)
    for data in (whole.data[3:20, 5:30], whole.data[::-1, ::-1], whole.data[..., ::-1]):
        expected = convert(Image(data.copy(), "rgb"), "ycbcr").data
        assert (convert(Image(data, "rgb"), "ycbcr").data == expected).all()


def test_an_image_without_pixels_stays_one():
    result = convert(Image(np.zeros((0, 5, 3), np.uint8)), "gray")
    assert result.data.shape == (0, 5)


def test_lab_is_refused(picture):
    with pytest.raises(ValueError, match="cannot convert lab to rgb"):
        convert(picture("lab"), "rgb")


def test_unknown_orders_are_refused():
    with pytest.raises(ParameterError, match=r"ColourOp\.to"):
        ColourOp(to="grey")
    with pytest.raises(ParameterError, match="'to' is required"):
        ColourOp()
