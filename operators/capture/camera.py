"""`capture.camera`: frames of a camera."""

from __future__ import annotations

import errno
import glob
from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import numpy as np

from holoflow.core.array import Array
from holoflow.core.errors import HoloflowError, optional
from holoflow.core.message import Stamped
from holoflow.core.operator import Operator, param
from holoflow.core.pictures import Image
from holoflow.core.quantity import Duration, Frequency
from holoflow.operators.capture._v4l2 import Device, Kernel, PixelFormat, SystemKernel

_CODES = {
    "mjpg": ("MJPG", "JPEG"), "yuyv": ("YUYV",), "uyvy": ("UYVY",), "gray": ("GREY",),
    "rgb": ("RGB3",), "bgr": ("BGR3",),
}  # fmt: skip
_BYTES_A_PIXEL = {"YUYV": 2, "UYVY": 2, "GREY": 1, "RGB3": 3, "BGR3": 3}
_CONVERSIONS = {
    "YUYV": {"rgb": "YUV2RGB_YUY2", "bgr": "YUV2BGR_YUY2", "gray": "YUV2GRAY_YUY2"},
    "UYVY": {"rgb": "YUV2RGB_UYVY", "bgr": "YUV2BGR_UYVY", "gray": "YUV2GRAY_UYVY"},
    "GREY": {"rgb": "GRAY2RGB", "bgr": "GRAY2BGR"},
    "RGB3": {"bgr": "RGB2BGR", "gray": "RGB2GRAY"},
    "BGR3": {"rgb": "BGR2RGB", "gray": "BGR2GRAY"},
}
_END_OF_JPEG = b"\xff\xd9"
_HINTS = {
    errno.EACCES: "add the user to the group 'video'",
    errno.EBUSY: "another program uses it",
    errno.ENOSPC: "the USB bus is full; request fewer pixels, a lower rate or mjpg",
    errno.ENODEV: "it was unplugged, or is not a camera",
}


class CameraOp(Operator):
    """Read the frames of a camera through Video4Linux2.

    Each frame has the time at which the kernel captured it. Frames that the device has numbered but
    not delivered (because it had no free buffer, or the bus was full), and frames that it marks as
    broken, are counted as dropped by the device.

    Needs the extra `vision`.

    Example:
        camera:
          type: capture.camera
          with: {device: 0, width: 1280, height: 720, rate: 30hz}
    """

    live: ClassVar[bool] = True
    newest: ClassVar[bool] = True
    kernel: ClassVar[Kernel] = SystemKernel()
    """Replaces the kernel in tests."""

    device: int | str = param(0, doc="number N of /dev/videoN, or a path")
    width: int | None = param(None, ge=1, doc="pixels; by default the device's setting")
    height: int | None = param(None, ge=1, doc="pixels; by default the device's setting")
    rate: Frequency | None = param(None, gt=0, doc="frames per second to request")
    format: Literal["auto", "mjpg", "yuyv", "uyvy", "gray", "rgb", "bgr"] = param(
        "auto", doc="how the device sends pixels; auto: the first in its own list"
    )
    colour: Literal["rgb", "bgr", "gray"] = param("rgb", doc="order of the channels; uint8")
    timeout: Duration = param("5s", gt=0, doc="longest wait for a frame")

    def claims(self) -> tuple[str, ...]:
        """Return the device, which no other operator can use."""
        return (self._device_path(),)

    def start(self) -> None:
        """Open the device and set its format."""
        self._path = path = self._device_path()
        try:
            self._device = Device(path, self.kernel)
            self._pixels, self._code = self._agree(self._device)
        except OSError as error:
            raise self._failed(error) from None

    def stop(self) -> None:
        """Close the device."""
        if hasattr(self, "_device"):
            self._device.close()

    def frames(self) -> Iterator[Stamped[Image]]:
        """Yield (height, width, 3) or, for gray, (height, width) uint8 as they are captured."""
        expected: int | None = None
        try:
            self._device.stream()
            for raw in self._device.frames(self.timeout, self.context.ending):
                captured = self.context.now() - raw.age
                lost = 0 if expected is None else (raw.sequence - expected) % 2**32
                if lost >= 2**31:  # the driver does not count
                    lost = 0
                expected = raw.sequence + 1
                pixels = None if raw.broken else self._decode(raw.data)
                lost += pixels is None
                if lost:
                    self.context.count_drop("device", lost)
                if pixels is not None:
                    yield Stamped(Image(pixels, self.colour), timestamp=captured)
        except OSError as error:
            raise self._failed(error) from None

    def _device_path(self) -> str:
        return f"/dev/video{self.device}" if isinstance(self.device, int) else self.device

    def _agree(self, device: Device) -> tuple[PixelFormat, str]:
        """Set format, size and rate; raises HoloflowError if the device does not support them."""
        offered = device.formats()
        known = [
            code
            for code in offered
            for name, codes in _CODES.items()
            if code in codes and self.format in ("auto", name)
        ]
        if not known:
            raise HoloflowError(
                f"camera {device.path} sends {', '.join(offered) or 'nothing'}, "
                f"not {', '.join(_CODES) if self.format == 'auto' else self.format}"
            )
        pixels = device.set_format(known[0], self.width, self.height)
        asked = (self.width or pixels.width, self.height or pixels.height)
        if asked != (pixels.width, pixels.height):
            raise HoloflowError(
                f"camera {device.path} does not offer {asked[0]} x {asked[1]} pixels in {known[0]}",
                f"the nearest is {pixels.width} x {pixels.height}",
            )
        if self.rate is not None:
            rate = device.set_rate(self.rate)
            if rate is None or abs(rate - self.rate) > 0.01 * self.rate:
                given = "its own rate" if rate is None else f"{rate:g} frames/s"
                self.context.log.warning(
                    "camera gives %s, not %g frames/s: %s", given, self.rate, device.path
                )
        return pixels, known[0]

    def _decode(self, data: bytes) -> Array | None:
        """Return the pixels of a frame; None if it is incomplete."""
        cv2 = optional("cv2", "vision")
        raw = np.frombuffer(data, np.uint8)
        if self._code not in _BYTES_A_PIXEL:
            return self._decode_jpeg(cv2, raw) if data.rfind(_END_OF_JPEG) > 0 else None
        height, width = self._pixels.height, self._pixels.width
        depth = _BYTES_A_PIXEL[self._code]
        stride = max(self._pixels.bytesperline, depth * width)
        # The last row may lack its padding.
        if raw.size < stride * (height - 1) + depth * width:
            return None
        rows = np.lib.stride_tricks.as_strided(raw, (height, depth * width), (stride, 1))
        pixels = rows if depth == 1 else rows.reshape(height, width, depth)
        conversion = _CONVERSIONS[self._code].get(self.colour)
        if conversion is None:
            return pixels.copy()
        converted: Array = cv2.cvtColor(pixels, getattr(cv2, f"COLOR_{conversion}"))
        return converted

    def _decode_jpeg(self, cv2: Any, raw: Array) -> Array | None:
        flag = cv2.IMREAD_GRAYSCALE if self.colour == "gray" else cv2.IMREAD_COLOR
        pixels: Array | None = cv2.imdecode(raw, flag)
        if pixels is not None and self.colour == "rgb":
            pixels = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
        return pixels

    def _failed(self, error: OSError) -> HoloflowError:
        hint = _HINTS.get(error.errno or 0, "")
        if error.errno == errno.ENOENT:
            there = ", ".join(sorted(glob.glob("/dev/video*")))
            hint = f"there is {there}" if there else "there is no camera on this machine"
        reason = error.strerror or str(error)
        return HoloflowError(f"camera: {reason}{f' ({hint})' if hint else ''}: {self._path}")
