"""Frames from a Video4Linux2 device, directly from the kernel.

The kernel numbers the frames of a device and says when each was captured; only thus can missing
frames be counted. Structures and numbers are those of <linux/videodev2.h> on 64-bit machines.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import mmap
import os
import select
import threading
import time
from collections.abc import Iterator
from ctypes import c_int32, c_int64, c_uint8, c_uint32, c_uint64
from dataclasses import dataclass
from typing import Any, Protocol

_LOOK = 0.2
"""Seconds of waiting for a frame between checks whether the run is to end."""

CAPTURE = 1  # V4L2_BUF_TYPE_VIDEO_CAPTURE
MEMORY_MMAP = 1
CAN_CAPTURE = 0x00000001
CAN_STREAM = 0x04000000
HAS_DEVICE_CAPS = 0x80000000
CAN_SET_RATE = 0x1000
ANY_FIELD = 0
FRAME_IS_BROKEN = 0x0040
TIMESTAMP_KIND = 0xE000
TIMESTAMP_MONOTONIC = 0x2000
BUFFERS = 4


class Capability(ctypes.Structure):
    """`struct v4l2_capability`."""

    _fields_ = (
        ("driver", c_uint8 * 16), ("card", c_uint8 * 32), ("bus_info", c_uint8 * 32),
        ("version", c_uint32), ("capabilities", c_uint32), ("device_caps", c_uint32),
        ("reserved", c_uint32 * 3),
    )  # fmt: skip


class FormatDescription(ctypes.Structure):
    """`struct v4l2_fmtdesc`."""

    _fields_ = (
        ("index", c_uint32), ("type", c_uint32), ("flags", c_uint32),
        ("description", c_uint8 * 32), ("pixelformat", c_uint32), ("mbus_code", c_uint32),
        ("reserved", c_uint32 * 3),
    )  # fmt: skip


class PixelFormat(ctypes.Structure):
    """`struct v4l2_pix_format`."""

    _fields_ = (
        ("width", c_uint32), ("height", c_uint32), ("pixelformat", c_uint32),
        ("field", c_uint32), ("bytesperline", c_uint32), ("sizeimage", c_uint32),
        ("colorspace", c_uint32), ("priv", c_uint32), ("flags", c_uint32),
        ("ycbcr_enc", c_uint32), ("quantization", c_uint32), ("xfer_func", c_uint32),
    )  # fmt: skip


class _FormatUnion(ctypes.Union):
    # The kernel's union contains pointers, so it is aligned to 8 bytes.
    _fields_ = (("pix", PixelFormat), ("raw", c_uint8 * 200), ("align", c_uint64))


class Format(ctypes.Structure):
    """`struct v4l2_format`."""

    _fields_ = (("type", c_uint32), ("fmt", _FormatUnion))


class CaptureParameters(ctypes.Structure):
    """`struct v4l2_captureparm`: the rate is `denominator / numerator`."""

    _fields_ = (
        ("capability", c_uint32), ("capturemode", c_uint32), ("numerator", c_uint32),
        ("denominator", c_uint32), ("extendedmode", c_uint32), ("readbuffers", c_uint32),
        ("reserved", c_uint32 * 4),
    )  # fmt: skip


class _ParametersUnion(ctypes.Union):
    _fields_ = (("capture", CaptureParameters), ("raw", c_uint8 * 200))


class StreamParameters(ctypes.Structure):
    """`struct v4l2_streamparm`."""

    _fields_ = (("type", c_uint32), ("parm", _ParametersUnion))


class BufferRequest(ctypes.Structure):
    """`struct v4l2_requestbuffers`."""

    _fields_ = (
        ("count", c_uint32), ("type", c_uint32), ("memory", c_uint32),
        ("capabilities", c_uint32), ("flags", c_uint8), ("reserved", c_uint8 * 3),
    )  # fmt: skip


class Buffer(ctypes.Structure):
    """`struct v4l2_buffer`."""

    _fields_ = (
        ("index", c_uint32), ("type", c_uint32), ("bytesused", c_uint32), ("flags", c_uint32),
        ("field", c_uint32), ("seconds", c_int64), ("microseconds", c_int64),
        ("timecode", c_uint32 * 4), ("sequence", c_uint32), ("memory", c_uint32),
        ("offset", c_uint64), ("length", c_uint32), ("reserved2", c_uint32),
        ("request_fd", c_int32),
    )  # fmt: skip


def _request(direction: int, number: int, structure: Any) -> int:
    """Return the number of a video ioctl: direction 1 writes to the kernel, 2 reads, 3 both."""
    return direction << 30 | ctypes.sizeof(structure) << 16 | ord("V") << 8 | number


QUERY_CAPABILITY = _request(2, 0, Capability)
ENUMERATE_FORMATS = _request(3, 2, FormatDescription)
GET_FORMAT = _request(3, 4, Format)
SET_FORMAT = _request(3, 5, Format)
REQUEST_BUFFERS = _request(3, 8, BufferRequest)
QUERY_BUFFER = _request(3, 9, Buffer)
QUEUE_BUFFER = _request(3, 15, Buffer)
DEQUEUE_BUFFER = _request(3, 17, Buffer)
STREAM_ON = _request(1, 18, c_int32)
STREAM_OFF = _request(1, 19, c_int32)
GET_PARAMETERS = _request(3, 21, StreamParameters)
SET_PARAMETERS = _request(3, 22, StreamParameters)


class Kernel(Protocol):
    """The system calls with which a device is read; all may raise OSError."""

    def open(self, path: str) -> int:
        """Open the device in non-blocking mode, and return its descriptor."""

    def ioctl(self, descriptor: int, request: int, argument: Any) -> None:
        """Perform `request`, which may change `argument`, a ctypes object."""

    def map(self, descriptor: int, length: int, offset: int) -> Any:
        """Return the memory of a buffer, slices of which are bytes."""

    def wait(self, descriptor: int, seconds: float) -> None:
        """Return when there is a frame or an error, or after `seconds`."""

    def close(self, descriptor: int) -> None:
        """Close the device."""


class SystemKernel:
    """The kernel of this machine."""

    def open(self, path: str) -> int:
        """Open the device in non-blocking mode, and return its descriptor."""
        return os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

    def ioctl(self, descriptor: int, request: int, argument: Any) -> None:
        """Perform `request`, again if a signal interrupts it."""
        while True:
            try:
                fcntl.ioctl(descriptor, request, argument)
            except InterruptedError:
                continue
            return

    def map(self, descriptor: int, length: int, offset: int) -> mmap.mmap:
        """Map the memory of a buffer."""
        return mmap.mmap(descriptor, length, offset=offset)

    def wait(self, descriptor: int, seconds: float) -> None:
        """Wait for a frame, an error or the end of the time."""
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        poll.poll(seconds * 1000)

    def close(self, descriptor: int) -> None:
        """Close the device."""
        os.close(descriptor)


@dataclass(frozen=True)
class RawFrame:
    """A frame as delivered by the device."""

    data: bytes
    sequence: int
    """The device's own count, modulo 2³²."""
    age: int
    """Nanoseconds since it was captured."""
    broken: bool
    """Whether the device says that data are missing or wrong."""


class Device:
    """A capture device: open it, set a format, stream, close it."""

    def __init__(self, path: str, kernel: Kernel) -> None:
        """Open `path`.

        Raises:
            OSError: It cannot be opened, or (ENODEV) is not a streaming camera.
        """
        self.path = path
        self._kernel = kernel
        self._descriptor = kernel.open(path)
        self._maps: list[Any] = []
        try:
            found = Capability()
            self._do(QUERY_CAPABILITY, found)
            own = found.capabilities & HAS_DEVICE_CAPS
            able = found.device_caps if own else found.capabilities
            if not (able & CAN_CAPTURE and able & CAN_STREAM):
                raise OSError(errno.ENODEV, "not a camera that can stream", path)
        except BaseException:
            kernel.close(self._descriptor)
            raise

    def close(self) -> None:
        """Stop streaming and close."""
        if self._maps:
            with contextlib.suppress(OSError):  # after unplugging there is nothing left to stop
                self._do(STREAM_OFF, c_int32(CAPTURE))
            for memory in self._maps:
                memory.close()
            self._maps.clear()
        self._kernel.close(self._descriptor)

    def formats(self) -> list[str]:
        """Return the four-letter codes of the pixel formats, in the device's own order."""
        codes: list[str] = []
        while True:
            description = FormatDescription(index=len(codes), type=CAPTURE)
            try:
                self._do(ENUMERATE_FORMATS, description)
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
                return codes
            codes.append(_letters(description.pixelformat))

    def set_format(self, code: str, width: int | None, height: int | None) -> PixelFormat:
        """Request a format and return the one that the device has set."""
        wanted = Format(type=CAPTURE)
        self._do(GET_FORMAT, wanted)
        pixels: PixelFormat = wanted.fmt.pix
        pixels.width, pixels.height = width or pixels.width, height or pixels.height
        pixels.pixelformat = int.from_bytes(code.encode(), "little")
        pixels.field, pixels.bytesperline, pixels.sizeimage = ANY_FIELD, 0, 0
        self._do(SET_FORMAT, wanted)
        return pixels

    def set_rate(self, rate: float) -> float | None:
        """Request `rate` frames per second; return the rate set, or None if it cannot be set."""
        wanted = StreamParameters(type=CAPTURE)
        capture: CaptureParameters = wanted.parm.capture
        try:
            self._do(GET_PARAMETERS, wanted)
            if not capture.capability & CAN_SET_RATE:
                return None
            capture.numerator, capture.denominator = 1000, round(rate * 1000)
            self._do(SET_PARAMETERS, wanted)
        except OSError as error:
            if error.errno not in (errno.ENOTTY, errno.EINVAL):
                raise
            return None
        return float(capture.denominator / capture.numerator) if capture.numerator else None

    def stream(self) -> None:
        """Start to stream into buffers shared with the kernel."""
        request = BufferRequest(count=BUFFERS, type=CAPTURE, memory=MEMORY_MMAP)
        self._do(REQUEST_BUFFERS, request)
        for index in range(request.count):
            buffer = Buffer(index=index, type=CAPTURE, memory=MEMORY_MMAP)
            self._do(QUERY_BUFFER, buffer)
            self._maps.append(
                self._kernel.map(self._descriptor, buffer.length, buffer.offset & 0xFFFFFFFF)
            )
            self._do(QUEUE_BUFFER, buffer)
        self._do(STREAM_ON, c_int32(CAPTURE))

    def frames(self, timeout: float, ending: threading.Event) -> Iterator[RawFrame]:
        """Yield frames until `ending` is set.

        Raises:
            TimeoutError: There was no frame for `timeout` seconds.
            OSError: The device fails.
        """
        deadline = time.monotonic() + timeout
        while not ending.is_set():
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(errno.ETIMEDOUT, f"no frame for {timeout:g} s", self.path)
            self._kernel.wait(self._descriptor, min(left, _LOOK))
            buffer = Buffer(type=CAPTURE, memory=MEMORY_MMAP)
            try:
                self._do(DEQUEUE_BUFFER, buffer)
            except OSError as error:
                if error.errno not in (errno.EAGAIN, errno.EIO):  # EIO: no picture at the moment
                    raise
                continue
            yield self._take(buffer)
            deadline = time.monotonic() + timeout

    def _take(self, buffer: Buffer) -> RawFrame:
        """Copy a frame and return its buffer to the device, so that the device never runs short."""
        age = 0
        if buffer.flags & TIMESTAMP_KIND == TIMESTAMP_MONOTONIC:
            captured = buffer.seconds * 1_000_000_000 + buffer.microseconds * 1000
            age = max(time.monotonic_ns() - captured, 0)
        frame = RawFrame(
            self._maps[buffer.index][: buffer.bytesused], buffer.sequence, age,
            bool(buffer.flags & FRAME_IS_BROKEN),
        )  # fmt: skip
        self._do(QUEUE_BUFFER, buffer)
        return frame

    def _do(self, request: int, argument: Any) -> None:
        self._kernel.ioctl(self._descriptor, request, argument)


def _letters(code: int) -> str:
    return code.to_bytes(4, "little").decode("latin-1")
