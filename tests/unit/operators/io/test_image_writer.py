import resource

import cv2
import numpy as np
import pytest

from holoflow import Header, HoloflowError, Image, ParameterError
from holoflow.core.operator import OperatorContext
from holoflow.operators.io.image_writer import ImageWriterOp

RANDOM = np.random.default_rng(0)


def write(folder, *images, sequences=None, **parameters):
    operator = ImageWriterOp(**parameters)
    operator.context = OperatorContext(output=folder)
    operator.start()
    for index, image in enumerate(images):
        sequence = index if sequences is None else sequences[index]
        operator.process(image, Header(sequence, 0, "camera"))
    operator.stop()
    return sorted(
        file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()
    )


def noise(*shape, dtype=np.uint8):
    return RANDOM.integers(0, np.iinfo(dtype).max, shape, dtype)


def test_files_are_numbered_by_frame(tmp_path):
    images = [Image(noise(5, 7, 3))] * 2
    files = write(tmp_path, *images, sequences=[3, 12], path="still/{sequence}.png")
    assert files == ["still/000003.png", "still/000012.png"]


def test_messages_of_one_frame_are_numbered_by_index(tmp_path):
    images = [Image(noise(5, 7, 3))] * 2
    files = write(tmp_path, *images, sequences=[3, 3], path="{sequence}_{index}.png")
    assert files == ["000003_000000.png", "000003_000001.png"]


def test_a_file_is_not_overwritten_by_the_next_message_of_a_frame(tmp_path):
    images = [Image(noise(5, 7, 3))] * 2
    with pytest.raises(HoloflowError, match=r"there are several messages of frame 3.*\{index\}"):
        write(tmp_path, *images, sequences=[3, 3])


@pytest.mark.parametrize(
    ("colour", "channels", "to_rgb"),
    [
        ("rgb", 3, [0, 1, 2]), ("bgr", 3, [2, 1, 0]), ("rgba", 4, [0, 1, 2, 3]),
        ("bgra", 4, [2, 1, 0, 3]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_png_is_exact(tmp_path, colour, channels, to_rgb, dtype):
    image = Image(noise(5, 7, channels, dtype=dtype), colour)
    before = image.data.copy()
    write(tmp_path, image)
    read = cv2.imread(str(tmp_path / "000000.png"), cv2.IMREAD_UNCHANGED)
    order = [2, 1, 0, 3][:channels]
    np.testing.assert_array_equal(read[..., order], before[..., to_rgb])
    np.testing.assert_array_equal(image.data, before)


def test_gray_png_is_exact(tmp_path):
    data = noise(5, 7, dtype=np.uint16)
    write(tmp_path, Image(data, "gray"))
    read = cv2.imread(str(tmp_path / "000000.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(read, data)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (np.array([[0, 0.5, 1, 2, -1, np.nan]], np.float32), [0, 128, 255, 255, 0, 0]),
        (np.array([[0, 1, 2**32 - 1]], np.uint32), [0, 0, 255]),
        (np.array([[True, False]]), [255, 0]),
        (np.array([[0, 128, 255]], np.float32), [0, 128, 255]),
    ],
)
def test_other_depths_become_eight_bits(tmp_path, data, expected):
    write(tmp_path, Image(data, "gray"))
    read = cv2.imread(str(tmp_path / "000000.png"), cv2.IMREAD_UNCHANGED)
    assert read.dtype == np.uint8
    assert read[0].tolist() == expected


@pytest.mark.parametrize("colour", ["rgb", "bgr", "rgba", "bgra"])
def test_jpeg_has_the_colours(tmp_path, colour):
    data = np.zeros((16, 16, len(colour)), np.uint8)
    data[..., colour.index("r")] = 255
    write(tmp_path, Image(data, colour), path="{sequence}.jpg", quality=95)
    blue, green, red = cv2.imread(str(tmp_path / "000000.jpg")).reshape(-1, 3).mean(axis=0)
    assert red > 245
    assert max(blue, green) < 10


def test_jpeg_quality_counts(tmp_path):
    image = Image(noise(64, 64, 3))
    write(tmp_path, image, path="low{sequence}.jpg", quality=10)
    write(tmp_path, image, path="high{sequence}.jpg", quality=95)
    low, high = (tmp_path / f"{name}000000.jpg" for name in ("low", "high"))
    assert low.stat().st_size < high.stat().st_size / 2


@pytest.mark.parametrize("image", [
    Image(np.zeros((4, 4, 3), np.uint8), "lab"), Image(np.zeros((4, 4), np.int32), "gray"),
])  # fmt: skip
def test_what_no_file_holds_is_an_error(tmp_path, image):
    with pytest.raises(HoloflowError, match="cannot be written"):
        write(tmp_path, image)


@pytest.mark.parametrize("path", ["a.png", "{sequence}.gif", "{frame}.png", "{sequence}{.png", ""])
def test_a_wrong_pattern_is_an_error(path):
    with pytest.raises(ParameterError, match="path"):
        ImageWriterOp(path=path)


@pytest.mark.parametrize("path", ["../{sequence}.png", "/tmp/{sequence}.png"])
def test_a_path_may_not_leave_the_output_folder(tmp_path, path):
    with pytest.raises(ParameterError, match="output folder"):
        write(tmp_path, path=path)


def test_a_file_that_cannot_be_written_is_named_and_leaves_nothing(tmp_path):
    (tmp_path / "000000.png").mkdir()
    with pytest.raises(OSError, match=r"000000\.png"):
        write(tmp_path, Image(noise(4, 4, 3)))
    assert [file.name for file in tmp_path.iterdir()] == ["000000.png"]


def test_a_full_disk_names_the_file(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8, hard))
    try:
        with pytest.raises(OSError, match=r"too large: .*000000\.png"):
            write(tmp_path, Image(noise(4, 4, 3)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


def test_a_masked_image_is_refused(tmp_path):
    with pytest.raises(HoloflowError, match="would lose its mask"):
        write(tmp_path, Image(np.ma.zeros((4, 4), np.uint8), "gray"))


def test_12_bits_in_16_stay_exact_and_that_is_told_once(tmp_path, caplog):
    image = Image(np.array([[0, 4095]], np.uint16), "gray")
    write(tmp_path, image, image)
    read = cv2.imread(str(tmp_path / "000001.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(read, image.data)
    assert sum("viewers will show them dark" in r.getMessage() for r in caplog.records) == 1
