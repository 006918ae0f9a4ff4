from itertools import islice

import numpy as np
import pytest

from holoflow import ParameterError
from holoflow.operators.capture.synthetic import SyntheticOp


def make(count=20, **parameters):
    return list(islice(SyntheticOp(**parameters).frames(), count))


def extent(mask):
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]


@pytest.mark.parametrize("shape", ["disc", "rectangle"])
@pytest.mark.parametrize("size", [1, 2, 7, 40])
@pytest.mark.parametrize(("colour", "level"), [("rgb", 250), ("bgr", 250), ("gray", 110)])
def test_the_box_is_exactly_what_is_seen(shape, size, colour, level):
    for frame in make(objects=1, shape=shape, size=size, colour=colour, speed=400, seed=size):
        pixels = frame.payload["image"].data
        bright = pixels > level if colour == "gray" else (pixels > level).any(axis=2)
        assert extent(bright) == frame.payload["boxes"].xyxy[0].tolist()


def test_nothing_of_the_background_is_bright():
    for colour in ("rgb", "gray"):
        for frame in make(3, objects=0, colour=colour):
            assert frame.payload["image"].data.max() <= 90
            assert frame.payload["image"].data.std() > 2
            assert len(frame.payload["boxes"]) == 0


def test_boxes_are_labelled_and_numbered():
    boxes = make(1, objects=3)[0].payload["boxes"]
    assert boxes.ids.tolist() == [0, 1, 2]
    assert boxes.scores.tolist() == [1, 1, 1]
    assert [boxes.names[label] for label in boxes.labels] == ["disc"] * 3
    assert boxes.xyxy.dtype == np.float32


def test_objects_move_at_their_speed_and_stay_inside():
    frames = make(300, objects=5, speed=300, rate=100, width=200, height=150)
    boxes = np.array([frame.payload["boxes"].xyxy for frame in frames])
    assert boxes.min() == 0
    assert boxes[..., 2].max() == 200
    assert boxes[..., 3].max() == 150
    steps = np.linalg.norm(np.diff(boxes[..., :2], axis=0), axis=2)
    # Three pixels a frame, but for whole pixels, and for turns at a wall.
    assert np.median(steps) == pytest.approx(3, abs=0.6)
    assert steps.max() <= 3 + 2**0.5


def test_still_objects_and_objects_as_large_as_the_picture():
    first, *_, last = make(objects=2, speed=0)
    np.testing.assert_array_equal(first.payload["boxes"].xyxy, last.payload["boxes"].xyxy)
    frame = make(3, objects=1, size=16, width=16, height=16)[-1]
    assert frame.payload["boxes"].xyxy.tolist() == [[0, 0, 16, 16]]


def test_the_same_parameters_make_the_same_frames():
    one, same, other = make(seed=1), make(seed=1), make(seed=2)
    for a, b in zip(one, same, strict=True):
        np.testing.assert_array_equal(a.payload["image"].data, b.payload["image"].data)
    assert not np.array_equal(one[0].payload["image"].data, other[0].payload["image"].data)


def test_colour_orders_show_the_same_scene():
    rgb, bgr, gray = (make(1, colour=c)[0].payload["image"] for c in ("rgb", "bgr", "gray"))
    np.testing.assert_array_equal(rgb.data[..., ::-1], bgr.data)
    luma = rgb.data @ [0.299, 0.587, 0.114]
    assert np.abs(luma - gray.data).max() <= 1


def test_times_and_length():
    frames = make(100, length=7, rate="25hz")
    assert [frame.elapsed for frame in frames] == [40_000_000 * i for i in range(7)]
    assert all(frame.wait for frame in frames)
    assert not make(1, paced=False)[0].wait


def test_frames_have_memory_of_their_own():
    one, two = make(2)
    assert not np.shares_memory(one.payload["image"].data, two.payload["image"].data)


def test_an_object_that_does_not_fit_is_an_error():
    with pytest.raises(ParameterError, match=r"60 x 40 pixels does not fit into 50 x 50"):
        make(1, shape="rectangle", size=40, width=50, height=50)


def test_ports():
    ports = SyntheticOp.ports()
    assert ports.source
    assert list(ports.outputs) == ["image", "boxes"]
