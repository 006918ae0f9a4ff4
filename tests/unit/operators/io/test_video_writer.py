import hashlib
import os
import resource
import signal
import subprocess
import sys
from contextlib import suppress
from itertools import accumulate, pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holoflow import Header, HoloflowError, Image, ParameterError
from holoflow.core.operator import OperatorContext
from holoflow.operators.io.video_writer import VideoWriterOp


def picture(index=0, height=48, width=64):
    data = np.zeros((height, width, 3), np.uint8)
    data[..., 0] = 200
    data[: height // 2, :, 1] = 4 * index % 256
    return Image(data, "rgb")


def header(index, timestamp=None):
    return Header(index, index * 33_333_333 if timestamp is None else timestamp, "camera")


def write(folder, images, timestamps=None, **parameters):
    operator = VideoWriterOp(**parameters)
    announced = []
    operator.context = OperatorContext(
        output=folder, announce=lambda kind, text: announced.append((kind, text))
    )
    operator.start()
    try:
        for index, image in enumerate(images):
            operator.process(image, header(index, timestamps[index] if timestamps else None))
    finally:
        operator.stop()
    return folder / operator.path, announced


def read(path, pixels="rgb24"):
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    return [frame.to_ndarray(format=pixels) for frame in frames], [f.time for f in frames]


@pytest.mark.parametrize(
    ("codec", "name"),
    [
        ("h264", "a.mp4"),
        ("h264", "a.mkv"),
        ("vp9", "a.webm"),
        ("mpeg4", "a.mov"),
        ("ffv1", "a.mkv"),
    ],
)
def test_frames_are_written_in_colour_and_number(tmp_path, codec, name):
    images = [picture(index) for index in range(40)]
    path, announced = write(tmp_path, images, codec=codec, path=f"clips/{name}", quality=95)
    frames, times = read(path)
    assert len(frames) == 40
    assert np.abs(frames[20].astype(int) - images[20].data).mean() < 4
    assert times == pytest.approx([index / 30 for index in range(40)], abs=0.001)
    assert announced == [("video", str(tmp_path / "clips" / name))]


def test_a_clip_plays_as_it_was_captured(tmp_path):
    captured = [0, 10, 500, 510, 2000]
    timestamps = [10**18 + milliseconds * 10**6 for milliseconds in captured]
    path, _ = write(tmp_path, [picture(i) for i in range(5)], timestamps)
    assert read(path)[1] == pytest.approx([t / 1000 for t in captured], abs=0.0005)


def test_frames_of_the_same_or_an_earlier_time_are_kept_in_order(tmp_path):
    path, _ = write(tmp_path, [picture(i) for i in range(4)], [0, 0, 10**9, 5 * 10**8])
    _, times = read(path)
    assert len(times) == 4
    assert times == sorted(times)


@settings(max_examples=20)
@given(
    st.lists(st.sampled_from([0, 20, 40, 40, 1000, -15, 3_600_000]), max_size=12),
    st.sampled_from(["a.mp4", "a.mkv"]),
)
def test_what_lies_between_two_frames_is_kept(tmp_path_factory, steps, name):
    captured = list(accumulate(steps, initial=10**9))
    images = [picture(i) for i in range(len(captured))]
    folder = tmp_path_factory.mktemp("clip")
    path, _ = write(folder, images, [t * 10**6 for t in captured], path=name)
    shown = [t - captured[0] for t in accumulate(captured, max)]
    # .mkv counts milliseconds; frames of one time are a tick apart.
    assert read(path)[1] == pytest.approx([t / 1000 for t in shown], abs=0.002)


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv"])
def test_a_pause_of_forty_hours_is_kept(tmp_path, name):
    hours = 40 * 3600 * 10**9
    path, _ = write(tmp_path, [picture(i) for i in range(3)], [0, hours, hours + 10**8], path=name)
    _, times = read(path)
    assert [times[0], *times[-2:]] == pytest.approx([0, 144_000, 144_000.1])
    assert all(after - before < 16 * 3600 for before, after in pairwise(times))


def test_after_a_clock_was_set_back_a_clip_goes_on(tmp_path):
    captured = [3_600_000, 3_600_040, 0, 40, 80]
    path, _ = write(tmp_path, [picture(i) for i in range(5)], [t * 10**6 for t in captured])
    frame = 1 / 30
    assert read(path)[1] == pytest.approx(
        [0, 0.04, 0.04 + frame, 0.08 + frame, 0.12 + frame], abs=0.001
    )


def test_a_rate_spaces_the_frames_evenly(tmp_path):
    path, _ = write(tmp_path, [picture(i) for i in range(5)], [0, 1, 2, 3, 4], rate="25hz")
    assert read(path)[1] == pytest.approx([0, 0.04, 0.08, 0.12, 0.16], abs=1e-4)


def test_ffv1_loses_nothing(tmp_path):
    random = np.random.default_rng(0)
    images = [Image(random.integers(0, 256, (33, 47, 3), np.uint8), "bgr") for _ in range(3)]
    path, _ = write(tmp_path, images, codec="ffv1", path="v.mkv")
    for read_back, image in zip(read(path, "bgr24")[0], images, strict=True):
        np.testing.assert_array_equal(read_back, image.data)


def test_the_same_frames_make_the_same_file(tmp_path):
    digests = set()
    for codec, name in (("h264", "a.mp4"), ("h264", "a.mkv"), ("vp9", "a.webm")):
        for folder, began in (("x", 0), ("y", 10**18 + 7)):
            timestamps = [began + 40_000_000 * index for index in range(10)]
            (tmp_path / folder).mkdir(exist_ok=True)
            images = [picture(i) for i in range(10)]
            path, _ = write(tmp_path / folder, images, timestamps, codec=codec, path=name)
            digests.add(hashlib.sha256(path.read_bytes()).hexdigest())
    assert len(digests) == 3


def test_odd_sizes_are_filled_up_at_the_far_edges(tmp_path):
    path, _ = write(tmp_path, [picture(20, 47, 63)] * 3)
    frame = read(path)[0][0]
    assert frame.shape == (48, 64, 3)
    assert np.abs(frame[-1].astype(int) - frame[-2]).max() < 8


@pytest.mark.parametrize(
    "data",
    [
        np.full((48, 64), 0.5, np.float32),
        np.full((48, 64), 128, np.uint8),
        np.full((48, 64), 128 << 8, np.uint16),
    ],
    ids=["float32", "uint8", "uint16"],
)
def test_gray_of_any_depth_is_written(tmp_path, data):
    before = data.copy()
    path, _ = write(tmp_path, [Image(data, "gray")] * 2)
    assert np.abs(read(path)[0][0].astype(int) - 128).max() <= 2
    np.testing.assert_array_equal(data, before)


@pytest.mark.parametrize("colour", ["rgba", "bgra"])
def test_transparency_is_left_out(tmp_path, colour):
    data = np.zeros((48, 64, 4), np.uint8)
    data[..., colour.index("r")] = 255
    path, _ = write(tmp_path, [Image(data, colour)] * 2)
    red, green, blue = read(path)[0][0].reshape(-1, 3).mean(axis=0)
    assert red > 245
    assert max(green, blue) < 10


def test_a_change_of_size_is_an_error_that_says_what_to_do(tmp_path):
    with pytest.raises(HoloflowError, match=r"were 64 x 48 .* are 32 x 16 from frame 1 on.*resize"):
        write(tmp_path, [picture(), picture(1, 16, 32)])


def test_other_colour_orders_are_an_error(tmp_path):
    with pytest.raises(HoloflowError, match=r"in hsv .* preprocess\.colour"):
        write(tmp_path, [Image(np.zeros((8, 8, 3), np.uint8), "hsv")])


def test_no_frames_make_no_file(tmp_path):
    path, announced = write(tmp_path, [])
    assert not path.exists()
    assert announced == []


def test_stop_without_start_does_nothing():
    VideoWriterOp().stop()


@pytest.mark.parametrize("path", ["../a.mp4", "/tmp/a.mp4", "x/../../a.mp4"])
def test_a_path_may_not_leave_the_output_folder(tmp_path, path):
    with pytest.raises(ParameterError, match="output folder"):
        write(tmp_path, [], path=path)


def test_a_container_that_does_not_hold_the_codec_is_an_error(tmp_path):
    with pytest.raises(
        ParameterError, match=r"vp9 is written to \.webm, \.mp4, \.mkv, not to a\.mov"
    ):
        write(tmp_path, [], codec="vp9", path="a.mov")
    with pytest.raises(ParameterError, match="path"):
        VideoWriterOp(path="a.avi")


def test_without_libx264_mpeg4_is_written(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(av, "codecs_available", av.codecs_available - {"libx264"})
    path, _ = write(tmp_path, [picture(i) for i in range(3)])
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.name == "mpeg4"
    assert "writing mpeg4" in caplog.text


@pytest.mark.parametrize("name", ["full.mp4", "full.mkv"])
def test_a_full_disk_is_an_error_that_names_the_file(tmp_path, name):
    (tmp_path / name).symlink_to("/dev/full")
    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
    with pytest.raises(OSError, match=rf"No space left on device: .*{name}"):
        write(tmp_path, [Image(np.roll(noise, i, 1)) for i in range(60)], path=name, quality=100)


@pytest.fixture
def quota():
    """A function that limits how large files may become, until the test ends."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_what_was_written_before_the_disk_is_full_plays_and_is_kept(tmp_path, quota, name):
    operator = VideoWriterOp(path=name, quality=100)
    operator.context = OperatorContext(output=tmp_path)
    operator.start()
    noise = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
    quota(3_000_000)
    written = []

    def fill():
        for index in range(1000):
            operator.process(Image(np.roll(noise, index, 1)), header(index))
            written.append(index)

    with pytest.raises(OSError, match=f"File too large: .*{name}"):
        fill()
    quota(resource.RLIM_INFINITY)
    size = (tmp_path / name).stat().st_size
    for index in (len(written) + 1, len(written) + 2):  # as with on_error: skip
        with pytest.raises(HoloflowError, match=f"{name} was given up when it could not be"):
            operator.process(Image(noise), header(index))
    operator.stop()
    assert (tmp_path / name).stat().st_size >= size > 2_000_000
    shown = 0
    with av.open(str(tmp_path / name)) as container, suppress(av.FFmpegError):
        for _ in container.decode(video=0):
            shown += 1
    assert shown >= len(written) - 35 > 0


def test_frames_after_the_file_was_removed_are_errors(tmp_path):
    operator = VideoWriterOp(path="a.mp4")
    operator.context = OperatorContext(output=tmp_path)
    operator.start()
    operator.process(picture(0), header(0))
    (tmp_path / "a.mp4").rename(tmp_path / "moved.mp4")
    operator.process(picture(1), header(1))
    (tmp_path / "moved.mp4").unlink()
    for index in (2, 3):
        with pytest.raises(HoloflowError, match=r"a\.mp4 was removed while it was being written"):
            operator.process(picture(index), header(index))
    operator.stop()


KILLED = """
import itertools, sys
from itertools import accumulate, pairwise
from pathlib import Path
import numpy as np
from holoflow import Header, Image
from holoflow.core.operator import OperatorContext
from holoflow.operators.io.video_writer import VideoWriterOp

operator = VideoWriterOp(path=sys.argv[1])
operator.context = OperatorContext(output=Path(sys.argv[2]))
operator.start()
noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
for index in range(100):
    operator.process(Image(np.roll(noise, index, 1)), Header(index, index * 33_333_333, "c"))
print("written", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_a_killed_program_leaves_a_clip_that_plays(tmp_path, name):
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, name, str(tmp_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    with process:
        assert process.stdout.readline() == b"written\n"
        os.kill(process.pid, signal.SIGKILL)
    assert len(read(Path(tmp_path, name))[0]) >= 60
