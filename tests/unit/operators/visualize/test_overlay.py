"""`visualize.overlay` draws what and where it should, on a copy."""

import numpy as np
import pytest

from holoflow import Boxes, Image, Keypoints, Mask, ParameterError, Text
from holoflow.operators.visualize._marks import PALETTE
from holoflow.operators.visualize.overlay import OverlayOp

GRAY = 90
COLOURS = {"gray": None, "rgb": 3, "bgr": 3, "rgba": 4, "bgra": 4}


def picture(colour="rgb", height=240, width=320, dtype=np.uint8):
    channels = COLOURS[colour]
    data = np.full((height, width) if channels is None else (height, width, channels), GRAY, dtype)
    data.flags.writeable = False  # whatever writes to an input fails
    return Image(data, colour)


def one_box(x1=100, y1=80, x2=200, y2=160, **parts):
    return Boxes(np.array([[x1, y1, x2, y2]], np.float32), **parts)


def rgb(image):
    """The picture as rgb, whatever its order."""
    data = image.data[:, :, :3]
    return data[:, :, ::-1] if image.colour.startswith("bgr") else data


@pytest.mark.parametrize("colour", COLOURS)
def test_the_box_is_where_it_should_be_in_its_colour(colour):
    result = OverlayOp(thickness=1).process(
        picture(colour), one_box(labels=np.array([4]), names=("",) * 5)
    )
    assert result.colour == ("rgb" if colour == "gray" else colour)
    drawn = (rgb(result) == PALETTE[4]).all(axis=2)
    rows, columns = np.nonzero(drawn)
    assert (columns.min(), rows.min(), columns.max(), rows.max()) == (100, 80, 200, 160)
    assert drawn[80, 100:201].all()
    assert drawn[80:161, 100].all()
    assert (rgb(result)[100:150, 110:190] == GRAY).all()


def test_labels_stand_above_the_box_or_below_its_edge_at_the_top():
    op = OverlayOp(labels=["score"])
    plain = one_box(scores=np.array([0.5]))
    above = (op.process(picture(), plain).data != GRAY).any(axis=2)
    assert above[66:79, 100:120].any()
    high = one_box(y1=2, scores=np.array([0.5]))
    below = (op.process(picture(), high).data != GRAY).any(axis=2)
    assert below[4:15, 104:120].any()
    silent = (OverlayOp(labels=[]).process(picture(), plain).data != GRAY).any(axis=2)
    assert not silent[60:78].any()


def test_a_label_at_the_right_edge_stays_inside():
    long = one_box(x1=300, x2=318, labels=np.array([0]), names=("a long name",))
    labelled = (OverlayOp().process(picture(), long).data == PALETTE[0]).all(axis=2)
    assert labelled[75, 200:300].any()


def test_the_mask_is_blended_where_it_is_and_nowhere_else():
    data = np.zeros((240, 320), np.int64)
    data[50:60, 70:90] = 2
    result = OverlayOp(opacity=0.5).process(picture(), mask=Mask(data)).data
    assert (result[data == 0] == GRAY).all()
    expected = (np.array(PALETTE[1]) + GRAY) / 2
    assert np.abs(result[data == 2] - expected).max() <= 1


@pytest.mark.parametrize("opacity", [0.0, 1.0])
def test_opacity_reaches_from_nothing_to_all(opacity):
    result = OverlayOp(opacity=opacity).process(picture(), mask=Mask(np.ones((240, 320), bool)))
    assert (result.data == (PALETTE[0] if opacity else GRAY)).all()


def test_what_was_found_in_another_picture_is_drawn_where_it_lies():
    whole = picture()
    part = whole.cropped(80, 60, 180, 160)
    large = part.resampled(np.repeat(np.repeat(part.data, 2, axis=0), 2, axis=1))
    data = np.zeros((200, 200), np.uint8)
    data[40:80, 20:60] = 1
    found = one_box(20, 40, 60, 80, geometry=large.geometry)
    result = OverlayOp(thickness=1, opacity=1).process(
        whole, found, Mask(data, geometry=large.geometry),
        Keypoints(np.array([[[60, 40]]], np.float32), geometry=large.geometry),
    )  # fmt: skip
    assert result.geometry == whole.geometry
    drawn = (result.data != GRAY).any(axis=2)
    assert drawn[80:101, 90:111].all()
    drawn[75:106, 85:116] = False  # lines and points are some pixels wide
    assert not drawn.any()


def test_what_was_found_in_another_source_has_no_place():
    cut = picture().with_data(picture().data[:100, :100])
    with pytest.raises(ValueError, match="source has 100 x 100 pixels have no place in one"):
        OverlayOp().process(picture(), one_box(geometry=cut.geometry))


def test_a_mask_of_another_size_is_refused():
    with pytest.raises(ValueError, match="the mask has 5x4 pixels and the image 320x240"):
        OverlayOp().process(picture(), mask=Mask(np.zeros((4, 5), np.uint8)))


def test_keypoints_are_dots_joined_by_lines():
    keypoints = Keypoints(
        np.array([[[50, 60], [150, 60], [np.nan, 0]]], np.float32), edges=((0, 1), (1, 2))
    )
    result = OverlayOp().process(picture(), keypoints=keypoints).data
    assert tuple(result[60, 50]) == PALETTE[0]
    assert tuple(result[60, 150]) == PALETTE[1]
    assert result[60, 100].min() > 200
    assert (result[100:] == GRAY).all()


def test_text_stands_in_the_upper_left_corner():
    changed = OverlayOp().process(picture(), text=Text("12.4 mm²\nsecond")).data != GRAY
    assert changed[:20, :60].any()
    assert not changed[120:].any()
    one_line = OverlayOp().process(picture(), text=Text("12.4 mm²")).data != GRAY
    assert one_line.any(axis=(1, 2)).sum() < changed.any(axis=(1, 2)).sum()


def test_lines_follow_the_size_of_the_image_unless_given():
    def width(size, **parameters):
        image = picture(height=size, width=size)
        result = OverlayOp(**parameters).process(
            image, one_box(size // 4, size // 4, size // 2, size // 2)
        )
        return int((result.data[size // 3, : size // 3] != GRAY).any(axis=1).sum())

    assert width(200) == 1
    assert width(2000) > 3
    assert width(200, thickness=5) >= 5


def test_nothing_connected_gives_a_copy():
    image = picture()
    result = OverlayOp().process(image)
    assert np.array_equal(result.data, image.data)
    assert not np.shares_memory(result.data, image.data)


def test_floating_images_come_out_in_bytes():
    image = Image(np.full((20, 30), 0.5, np.float32), "gray")
    result = OverlayOp().process(image, one_box(2, 2, 8, 8))
    assert result.data.dtype == np.uint8
    assert (result.data[15, 15] == 128).all()


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (17, 400)])
def test_tiny_images_and_far_boxes_do_no_harm(size):
    image = picture(height=size[0], width=size[1])
    far = one_box(-1e9, -1e9, 1e9, 1e9, scores=np.array([0.1]))
    keypoints = Keypoints(np.array([[[1e9, -1e9], [5, 5]]]), edges=((0, 1),))
    result = OverlayOp().process(image, far, None, keypoints, Text("x\ny"))
    assert result.data.shape == (*size, 3)


def test_views_that_are_not_contiguous_are_drawn_on():
    data = np.full((480, 320, 3), GRAY, np.uint8)[::2, ::-1]
    result = OverlayOp().process(Image(data), one_box())
    assert tuple(result.data[80, 150]) == PALETTE[0]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"opacity": 1.5}, "opacity"),
        ({"thickness": -1}, "thickness"),
        ({"labels": ["colour"]}, "labels"),
    ],
)
def test_wrong_parameters_are_named(parameters, message):
    with pytest.raises(ParameterError, match=message):
        OverlayOp(**parameters)
