import ctypes
import errno
import time
from itertools import islice

import cv2
import numpy as np
import pytest

from holoflow import HoloflowError
from holoflow.operators.capture import _v4l2 as v4l2
from holoflow.operators.capture.camera import CameraOp

WIDTH, HEIGHT = 16, 8
RED = (200, 40, 40)


class Memory(bytearray):
    closed = False

    def close(self):
        self.closed = True


class FakeKernel:
    """A camera, as far as the kernel shows it: `script` holds what each wait brings.

    An item is a frame (a dict of `sequence`, `data`, `flags`, `age`) or an errno.
    """

    def __init__(self, formats=("YUYV",), script=(), padding=0, capabilities=None):
        self.formats, self.script, self.padding = list(formats), list(script), padding
        self.capabilities = v4l2.CAN_CAPTURE | v4l2.CAN_STREAM | v4l2.HAS_DEVICE_CAPS
        self.device_caps = (
            v4l2.CAN_CAPTURE | v4l2.CAN_STREAM if capabilities is None else capabilities
        )
        self.sizes = [(WIDTH, HEIGHT)]
        self.rates, self.rate = [30.0], 30.0
        self.settable_rate = True
        self.refuse = {}
        self.code = formats[0] if formats else "NONE"
        self.memory, self.queued, self.streaming, self.open_descriptors = {}, [], False, 0
        self.waited = []

    def open(self, path):
        self.path = path
        if "open" in self.refuse:
            raise OSError(self.refuse["open"], "refused", path)
        self.open_descriptors += 1
        return 42

    def close(self, descriptor):
        assert descriptor == 42
        self.open_descriptors -= 1

    def map(self, descriptor, length, offset):
        self.memory[offset // 4096] = Memory(length)
        return self.memory[offset // 4096]

    def wait(self, descriptor, seconds):
        assert self.streaming
        self.waited.append(seconds)

    def ioctl(self, descriptor, request, argument):
        assert descriptor == 42
        name = {getattr(v4l2, n): n for n in dir(v4l2) if n.isupper()}[request]
        if name in self.refuse:
            raise OSError(self.refuse[name], "refused")
        getattr(self, name.lower())(argument)

    def query_capability(self, argument):
        argument.capabilities, argument.device_caps = self.capabilities, self.device_caps

    def enumerate_formats(self, argument):
        if argument.index >= len(self.formats):
            raise OSError(errno.EINVAL, "no more")
        argument.pixelformat = int.from_bytes(self.formats[argument.index].encode(), "little")

    def get_format(self, argument):
        argument.fmt.pix.width, argument.fmt.pix.height = self.sizes[0]

    def set_format(self, argument):
        pixels = argument.fmt.pix
        self.code = pixels.pixelformat.to_bytes(4, "little").decode()
        if (pixels.width, pixels.height) not in self.sizes:
            pixels.width, pixels.height = self.sizes[0]
        depth = {"GREY": 1, "RGB3": 3, "BGR3": 3}.get(self.code, 2)
        pixels.bytesperline = 0 if self.code == "MJPG" else pixels.width * depth + self.padding
        pixels.sizeimage = 4096

    def get_parameters(self, argument):
        argument.parm.capture.capability = v4l2.CAN_SET_RATE if self.settable_rate else 0

    def set_parameters(self, argument):
        capture = argument.parm.capture
        wanted = capture.denominator / capture.numerator
        self.rate = min(self.rates, key=lambda rate: abs(rate - wanted))
        capture.numerator, capture.denominator = 1000, round(1000 * self.rate)

    def request_buffers(self, argument):
        assert argument.memory == v4l2.MEMORY_MMAP
        argument.count = 3  # fewer than were asked for

    def query_buffer(self, argument):
        argument.length, argument.offset = 4096, 4096 * argument.index

    def queue_buffer(self, argument):
        assert argument.index not in self.queued
        self.queued.append(argument.index)

    def stream_on(self, argument):
        assert isinstance(argument, ctypes.c_int32)
        self.streaming = True

    def stream_off(self, argument):
        self.streaming = False

    def dequeue_buffer(self, argument):
        item = self.script.pop(0) if self.script else errno.ENODEV
        if isinstance(item, int):
            raise OSError(item, "refused")
        argument.index = self.queued.pop(0)
        data = item["data"]
        self.memory[argument.index][: len(data)] = data
        argument.bytesused, argument.sequence = len(data), item["sequence"] % 2**32
        argument.flags = item.get("flags", 0)
        if "age" in item:
            argument.flags |= v4l2.TIMESTAMP_MONOTONIC
            captured = time.monotonic_ns() - item["age"]
            argument.seconds, rest = divmod(captured, 10**9)
            argument.microseconds = rest // 1000


def yuyv(level=128, padding=0, missing=0):
    rows = np.full((HEIGHT, 2 * WIDTH + padding), 128, np.uint8)
    rows[:, 0 : 2 * WIDTH : 2] = level
    return rows.tobytes()[: HEIGHT * (2 * WIDTH + padding) - missing]


def frame(sequence, data=None, **more):
    return {"sequence": sequence, "data": yuyv() if data is None else data, **more}


def capture(kernel, running, limit=None, **parameters):
    """Return the frames up to `limit` and the drops; by default to the end of the script."""
    operator = CameraOp(**parameters)
    operator.kernel = kernel
    frames = []
    with running(operator) as seen:
        if limit is None:
            limit = sum(1 for item in kernel.script if isinstance(item, dict)) + 1
        try:
            frames.extend(islice(operator.frames(), limit))
        except HoloflowError as error:
            seen.error = str(error)
    return frames, seen


def test_the_structures_are_those_of_the_kernel():
    # As a C program that includes <linux/videodev2.h> prints them on x86-64 and arm64.
    assert {name: hex(getattr(v4l2, name)) for name in (
        "QUERY_CAPABILITY", "ENUMERATE_FORMATS", "GET_FORMAT", "SET_FORMAT", "REQUEST_BUFFERS",
        "QUERY_BUFFER", "QUEUE_BUFFER", "DEQUEUE_BUFFER", "STREAM_ON", "STREAM_OFF",
        "GET_PARAMETERS", "SET_PARAMETERS",
    )} == {
        "QUERY_CAPABILITY": "0x80685600", "ENUMERATE_FORMATS": "0xc0405602",
        "GET_FORMAT": "0xc0d05604", "SET_FORMAT": "0xc0d05605", "REQUEST_BUFFERS": "0xc0145608",
        "QUERY_BUFFER": "0xc0585609", "QUEUE_BUFFER": "0xc058560f",
        "DEQUEUE_BUFFER": "0xc0585611", "STREAM_ON": "0x40045612", "STREAM_OFF": "0x40045613",
        "GET_PARAMETERS": "0xc0cc5615", "SET_PARAMETERS": "0xc0cc5616",
    }  # fmt: skip
    offsets = {name: getattr(v4l2.Buffer, name).offset for name, _ in v4l2.Buffer._fields_}
    assert offsets["flags"] == 12
    assert offsets["seconds"] == 24
    assert offsets["sequence"] == 56
    assert offsets["offset"] == 64
    assert offsets["length"] == 72
    assert v4l2.Format.fmt.offset == 8


def test_frames_carry_the_time_of_their_capture(running):
    kernel = FakeKernel(script=[frame(0, age=5_000_000), frame(1)])
    operator = CameraOp(device=3)
    operator.kernel, operator.context.now = kernel, lambda: 10**18
    with running(operator):
        old, undated = islice(operator.frames(), 2)
    assert kernel.path == "/dev/video3"
    assert 5_000_000 <= 10**18 - old.timestamp < 5_000_000 + 10**9
    assert undated.timestamp == 10**18
    assert old.elapsed is None
    assert not old.wait
    assert kernel.open_descriptors == 0
    assert not kernel.streaming
    assert all(memory.closed for memory in kernel.memory.values())


@pytest.mark.parametrize(
    ("sequences", "drops"),
    [
        ([0, 1, 2, 3], 0), ([5, 6], 0), ([0, 1, 4, 5, 7], 3), ([2**32 - 2, 1], 2), ([0, 0, 0], 0),
        ([7, 8, 0, 1], 0),
    ],
    ids=["none", "begins late", "gaps", "wraps", "does not count", "counts anew"],
)  # fmt: skip
def test_frames_that_never_came_are_counted(running, sequences, drops):
    frames, seen = capture(FakeKernel(script=[frame(n) for n in sequences]), running)
    assert len(frames) == len(sequences)
    assert seen.drops == drops


def test_broken_frames_are_counted_and_left_out(running):
    script = [
        frame(0), frame(1, flags=v4l2.FRAME_IS_BROKEN), frame(2, data=yuyv(missing=1)),
        frame(3, data=b""), frame(5),
    ]  # fmt: skip
    frames, seen = capture(FakeKernel(script=script), running)
    assert len(frames) == 2
    assert seen.drops == 4


def test_buffers_are_given_back_at_once(running):
    kernel = FakeKernel(script=[frame(n) for n in range(20)])
    frames, _ = capture(kernel, running)
    assert len(frames) == 20
    assert sorted(kernel.queued) == [0, 1, 2]


def test_a_camera_that_sends_nothing_ends_with_the_run(running):
    kernel = FakeKernel(script=[errno.EAGAIN] * 1000)
    operator = CameraOp(timeout="1h")
    operator.kernel = kernel
    with running(operator):
        wait, looks = kernel.wait, []

        def waited(descriptor, seconds):
            wait(descriptor, seconds)
            looks.append(seconds)
            if len(looks) == 3:
                operator.context.ending.set()

        kernel.wait = waited
        assert list(operator.frames()) == []
    assert len(looks) == 3
    assert max(looks) < 1


def test_waits_without_a_frame_are_waited_out(running):
    script = [errno.EAGAIN, frame(0), errno.EIO, errno.EAGAIN, frame(1)]
    frames, seen = capture(FakeKernel(script=script), running, limit=2)
    assert len(frames) == 2
    assert seen.drops == 0


def test_a_camera_that_falls_silent_is_an_error(running):
    kernel = FakeKernel(script=[frame(0), *[errno.EAGAIN] * 10**5])
    frames, seen = capture(kernel, running, timeout="50ms")
    assert len(frames) == 1
    assert "no frame for 0.05 s" in seen.error
    assert max(kernel.waited) <= 0.05


def test_a_camera_that_is_unplugged_is_an_error(running):
    kernel = FakeKernel(script=[frame(0), errno.ENODEV])
    kernel.refuse["STREAM_OFF"] = errno.ENODEV
    frames, seen = capture(kernel, running)
    assert len(frames) == 1
    assert "unplugged" in seen.error
    assert seen.error.endswith("/dev/video0")
    assert kernel.open_descriptors == 0


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize("colour", ["rgb", "bgr", "gray"])
@pytest.mark.parametrize("code", ["YUYV", "UYVY", "GREY", "RGB3", "BGR3", "MJPG"])
def test_every_format_is_decoded_into_every_colour(running, code, colour, padding):
    picture = np.full((HEIGHT, WIDTH, 3), RED, np.uint8)
    if code == "GREY":
        picture[:] = 90
    yuv = cv2.cvtColor(picture, cv2.COLOR_RGB2YUV_YUY2)
    packed = {
        "YUYV": yuv, "UYVY": yuv[..., ::-1], "GREY": picture[..., :1], "RGB3": picture,
        "BGR3": picture[..., ::-1],
    }  # fmt: skip
    if code == "MJPG":
        data = jpeg(picture)
    else:
        rows = packed[code].reshape(HEIGHT, -1)
        data = np.pad(rows, [(0, 0), (0, padding)]).tobytes()
    kernel = FakeKernel([code], [frame(0, data=data)], padding)
    image = capture(kernel, running, colour=colour)[0][0].payload
    gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    expected = {"rgb": picture, "bgr": picture[..., ::-1], "gray": gray}[colour]
    assert image.colour == colour
    assert np.abs(image.data.astype(int) - expected).max() <= 4
    assert image.data.flags.writeable


def jpeg(picture):
    data = cv2.imencode(".jpg", picture[..., ::-1])[1].tobytes()
    # Cameras leave out the Huffman tables, and fill up with zeros.
    kept, at = data[:2], 2
    while data[at + 1] != 0xDA:
        length = 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        kept += data[at : at + length] if data[at + 1] != 0xC4 else b""
        at += length
    return kept + data[at:] + bytes(10)


def test_jpegs_cut_short_are_counted(running):
    picture = np.full((HEIGHT, WIDTH, 3), RED, np.uint8)
    script = [frame(0, data=jpeg(picture)[:-20]), frame(1, data=b"\xff\xd8\xff\xd9")]
    frames, seen = capture(FakeKernel(["MJPG"], script), running)
    assert frames == []
    assert seen.drops == 2


def test_the_first_known_format_of_the_device_is_taken(running):
    kernel = FakeKernel(["NV12", "MJPG", "YUYV"])
    capture(kernel, running, limit=0)
    assert kernel.code == "MJPG"
    capture(kernel, running, limit=0, format="yuyv")
    assert kernel.code == "YUYV"


def test_a_size_that_the_camera_has_is_set(running):
    kernel = FakeKernel(["GREY"], [frame(0, data=bytes(32 * 16))])
    kernel.sizes.append((32, 16))
    image = capture(kernel, running, width=32, height=16)[0][0].payload
    assert (image.width, image.height) == (32, 16)


@pytest.mark.parametrize(
    ("formats", "parameters", "message"),
    [
        (["NV12"], {}, "sends NV12, not mjpg, yuyv"),
        (["YUYV"], {"format": "mjpg"}, "sends YUYV, not mjpg"),
        ([], {}, "sends nothing"),
        (
            ["YUYV"],
            {"width": 1920},
            "does not offer 1920 x 8 pixels in YUYV; the nearest is 16 x 8",
        ),
    ],
)
def test_what_the_camera_does_not_give_is_an_error(formats, parameters, message):
    operator = CameraOp(**parameters)
    operator.kernel = FakeKernel(formats)
    with pytest.raises(HoloflowError, match=message):
        operator.start()
    operator.stop()
    assert operator.kernel.open_descriptors == 0


@pytest.mark.parametrize(
    ("rates", "settable", "warning"),
    [([30, 29.97], True, ""), ([15], True, "gives 15 frames/s"), ([30], False, "its own rate")],
)
def test_a_rate_is_asked_for(running, caplog, rates, settable, warning):
    kernel = FakeKernel()
    kernel.rates, kernel.settable_rate = rates, settable
    capture(kernel, running, limit=0, rate="30hz")
    assert warning in caplog.text
    assert bool(warning) == bool(caplog.text)


@pytest.mark.parametrize(
    ("refused", "number", "message"),
    [
        ("open", errno.ENOENT, "camera"),
        ("open", errno.EACCES, "group 'video'"),
        ("SET_FORMAT", errno.EBUSY, "another program uses it"),
        ("QUERY_CAPABILITY", errno.ENOTTY, "/dev/video0"),
    ],
)
def test_a_device_that_cannot_be_used_is_an_error_that_names_it(refused, number, message):
    operator = CameraOp()
    operator.kernel = FakeKernel()
    operator.kernel.refuse[refused] = number
    with pytest.raises(HoloflowError, match=message) as error:
        operator.start()
    assert str(error.value).endswith("/dev/video0")
    operator.stop()
    assert operator.kernel.open_descriptors == 0


def test_something_else_than_a_camera_is_an_error():
    operator = CameraOp(device="/dev/video9")
    operator.kernel = FakeKernel(capabilities=v4l2.CAN_STREAM)
    with pytest.raises(HoloflowError, match=r"not a camera.*/dev/video9"):
        operator.start()
    assert operator.kernel.open_descriptors == 0


def test_a_bus_without_room_is_an_error_on_the_first_frame(running):
    kernel = FakeKernel()
    kernel.refuse["STREAM_ON"] = errno.ENOSPC
    assert "USB bus" in capture(kernel, running)[1].error


def test_this_machine_says_that_there_is_no_such_camera():
    with pytest.raises(HoloflowError, match=r"No such file .*: /dev/video-none"):
        CameraOp(device="/dev/video-none").start()


def test_the_kernel_of_this_machine_refuses_what_is_no_camera(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"")
    with pytest.raises(HoloflowError, match=f"camera: .*: {path}"):
        CameraOp(device=str(path)).start()


def test_the_kernel_of_this_machine_opens_maps_and_waits(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * 32)
    kernel = v4l2.SystemKernel()
    descriptor = kernel.open(str(path))
    memory = kernel.map(descriptor, 4096, 4096)
    assert memory[1:4] == bytes([1, 2, 3])
    memory.close()
    kernel.wait(descriptor, 60)  # a file is always ready
    with pytest.raises(OSError, match="ioctl"):
        kernel.ioctl(descriptor, v4l2.QUERY_CAPABILITY, v4l2.Capability())
    kernel.close(descriptor)


def test_a_camera_is_read_in_a_thread_of_its_own():
    assert CameraOp.live
