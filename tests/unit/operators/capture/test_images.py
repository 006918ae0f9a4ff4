from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest

from holoflow import HoloflowError
from holoflow.operators.capture.images import ImagesOp, natural_order

RED = (220, 30, 20)


@pytest.fixture
def folder(tmp_path):
    """Images whose only red pixel is in the column of their number, and other things."""
    for number, name in ((2, "f2.png"), (10, "f10.PNG"), (1, "f1.png"), (3, "in/f3.png")):
        data = np.zeros((12, 16, 3), np.uint8)
        data[0, number] = RED
        write(tmp_path / name, data)
    (tmp_path / "README.txt").write_text("no image")
    (tmp_path / "dir.png").mkdir()
    return tmp_path


def write(path, rgb):
    path.parent.mkdir(exist_ok=True)
    done, data = cv2.imencode(path.suffix.lower(), rgb[..., ::-1] if rgb.ndim == 3 else rgb)
    assert done
    path.write_bytes(data.tobytes())


def read(path, limit=100, **parameters):
    return list(islice(ImagesOp(path=str(path), **parameters).frames(), limit))


def files(frames):
    return [frame.metadata["file"] for frame in frames]


def test_images_come_in_natural_order(folder):
    frames = read(folder, rate="10hz")
    assert files(frames) == ["f1.png", "f2.png", "f10.PNG"]
    assert [int(frame.payload.data[0, :, 0].argmax()) for frame in frames] == [1, 2, 10]
    assert [frame.elapsed for frame in frames] == [0, 10**8, 2 * 10**8]
    assert all(frame.wait for frame in frames)


def test_names_are_sorted_by_their_numbers():
    names = ["b", "a10", "a9", "A2", "a2", "a2b1", "10", "9", "a02", "é"]
    assert [str(p) for p in sorted(map(Path, names), key=natural_order)] == [
        "9", "10", "A2", "a02", "a2", "a2b1", "a9", "a10", "b", "é",
    ]  # fmt: skip


def test_after_a_file_that_cannot_be_read_the_next_ones_come(folder):
    (folder / "f2.png").write_bytes((folder / "f2.png").read_bytes()[:40])
    frames = ImagesOp(path=str(folder)).frames()
    assert next(frames).metadata["file"] == "f1.png"
    with pytest.raises(HoloflowError, match=r"not an image that can be read: .*f2\.png"):
        next(frames)
    assert files(frames) == ["f10.PNG"]


def test_a_pattern_picks_files(folder):
    assert files(read(folder, pattern="f1*")) == ["f1.png", "f10.PNG"]
    assert files(read(folder, pattern="**/*.png")) == ["f1.png", "f2.png", "in/f3.png"]


def test_one_file(folder):
    assert files(read(folder / "f2.png")) == ["f2.png"]


def test_a_looped_folder_goes_on_in_time(folder):
    frames = read(folder, limit=7, loop=True, rate="10hz", paced=False)
    assert files(frames)[3:5] == ["f1.png", "f2.png"]
    assert [frame.elapsed for frame in frames] == [i * 10**8 for i in range(7)]
    assert not any(frame.wait for frame in frames)


@pytest.mark.parametrize(("colour", "expected"), [("rgb", RED), ("bgr", RED[::-1]), ("gray", 86)])
def test_colours(folder, colour, expected):
    image = read(folder, colour=colour)[0].payload
    assert image.colour == colour
    assert image.data[0, 1] == pytest.approx(np.array(expected), abs=1)


def test_sixteen_bits_are_kept(tmp_path):
    data = np.arange(12, dtype=np.uint16).reshape(3, 4) * 5000
    write(tmp_path / "deep.png", data)
    image = read(tmp_path, colour="gray")[0].payload
    np.testing.assert_array_equal(image.data, data)
    assert image.data.dtype == np.uint16


@pytest.mark.parametrize("content", [b"", b"no image"])
def test_a_file_that_cannot_be_read_is_an_error_that_names_it(folder, content):
    (folder / "f3.png").write_bytes(content)
    with pytest.raises(HoloflowError, match=r"not an image.*f3\.png"):
        read(folder)


@pytest.mark.parametrize(
    ("name", "pattern", "message"),
    [
        ("none", None, "no such folder.*none"),
        ("dir.png", None, r"no image in the folder .*dir\.png"),
        (".", "*.jpg", r"nothing that matches '\*\.jpg' in"),
        (".", "/etc/*", "not a pattern of files"),
    ],
)
def test_nothing_to_read_is_an_error(folder, name, pattern, message):
    with pytest.raises(HoloflowError, match=message):
        read(folder / name, pattern=pattern)
