"""`io.video_writer`: frames to a video file."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable
from fractions import Fraction
from typing import Any, ClassVar, Literal

import numpy as np

from holoflow.core.array import Array
from holoflow.core.errors import HoloflowError, ParameterError, optional
from holoflow.core.files import OutputPath
from holoflow.core.message import Header
from holoflow.core.operator import Operator, param
from holoflow.core.pictures import Image
from holoflow.core.quantity import Frequency
from holoflow.core.times import SECOND, Timeline
from holoflow.operators.io._files import (
    check_linked,
    claimed,
    eight_bits,
    output_file,
    part_name,
)
from holoflow.operators.visualize._pixels import Scale

_TICKS = 30_000
"""Ticks per second, which represent common rates exactly and which MPEG-4 can count (16 bits)."""
_LONGEST = 15 * 3600 * _TICKS
"""Ticks for which one frame can be shown: .mp4 and .mov count them in 31 bits."""
_FRAMES_TO_LOSE = 30
"""Frames from one key frame to the next, which is what a truncated file lacks at its end."""
_ENCODERS = {"h264": "libx264", "vp9": "libvpx-vp9", "mpeg4": "mpeg4", "ffv1": "ffv1"}
_SUFFIXES = {
    "h264": (".mp4", ".mov", ".mkv"), "vp9": (".webm", ".mp4", ".mkv"),
    "mpeg4": (".mp4", ".mov", ".mkv"), "ffv1": (".mkv",),
}  # fmt: skip
_FORMATS = {"gray": "gray", "rgb": "rgb24", "bgr": "bgr24", "rgba": "rgba", "bgra": "bgra"}
_BT601, _LIMITED = 6, 1
"""FFmpeg's numbers for the matrix and range of colours that are written and stated in the file."""


class VideoWriterOp(Operator):
    """Write frames to a video file that plays as they were captured, or at a constant `rate`.

    Pauses are kept, however long; before a frame that comes more than 15 hours after the last one,
    the last one is written again. If the clock of the frames was set back, the file continues
    without a gap.

    Accepts gray, rgb, bgr, rgba and bgra images, all of one size. More than 8 bits are reduced to
    8, and an odd width or height is extended by repeating the last column or row. Equal frames give
    equal files. A truncated file, because the program was killed, plays except for about its last
    second; after a restart of its fragment, the rest is in a file of its own, `annotated.2.mp4`.
    After a failed write, as on a full disk, the file plays up to there, and each later frame is an
    error; so it is after the file was removed.

    PyAV's wheels include encoders under the GPL, of which `h264` (libx264) is one; if that matters,
    choose `mpeg4`, `vp9` or the lossless `ffv1`. A build without libx264 writes `mpeg4` instead,
    with a warning.

    Needs the extra `video`.

    Example:
        clip:
          type: io.video_writer
          inputs: {image: overlay}
          with: {path: annotated.mp4}
    """

    heavy: ClassVar[bool] = True

    path: OutputPath = param(
        "video.mp4",
        pattern=r"\.(mp4|mov|mkv|webm)$",
        doc="file in the output folder, .mp4, .mov, .mkv or .webm; overwritten",
    )
    codec: Literal["h264", "vp9", "mpeg4", "ffv1"] = param(
        "h264", doc="vp9 for .webm, ffv1 (lossless) for .mkv"
    )
    rate: Frequency | None = param(
        None, gt=0, doc="frames per second, instead of the times at which they were captured"
    )
    quality: int = param(80, ge=1, le=100, doc="100 is best; ffv1 is always lossless")

    def claims(self) -> tuple[str, ...]:
        """Return the file that only this operator may write."""
        return (claimed(self.path),)

    def start(self) -> None:
        """Find the encoder and create the folder; the file starts with the first frame."""
        name = part_name(self.path, self.context.generation)
        self._path = output_file(self.context.output, name)
        self._scale = Scale(self.context.warn_once)
        self._container: Any = None
        self._stream: Any = None
        self._frame: Any = None
        self._file: Any = None
        """The file, opened a second time, as FFmpeg's own descriptor cannot be had."""
        self._encoder = self._find_encoder()

    def process(self, image: Image, header: Header) -> None:
        """Encode one frame."""
        av = optional("av", "video")
        pixels = eight_bits(image, self._scale)
        if self._encoder != "ffv1":
            pixels = _even(pixels)
        if self._container is None:
            if self._file is not None:  # to begin again would overwrite what is there
                raise HoloflowError(f"{self._path} was given up when it could not be written")
            self._begin(image, pixels)
        check_linked(self._file.fileno(), self._path)
        if (image.width, image.height) != self._size:
            raise HoloflowError(
                f"the frames of {self._path.name} were {self._size[0]} x {self._size[1]} pixels "
                f"but are {image.width} x {image.height} from frame {header.sequence} on",
                "a video has one size: put preprocess.resize before it",
            )
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), _FORMATS[image.colour])
        frame = frame.reformat(format=self._stream.pix_fmt, dst_colorspace="ITU601")
        shown = self._ticks(header.timestamp)
        while shown - self._last > _LONGEST:
            self._encode(self._frame, self._last + _LONGEST)
        self._encode(frame, shown)
        self._frame = frame
        self._count += 1

    def stop(self) -> None:
        """Write what the encoder still holds, and close the file."""
        if getattr(self, "_container", None) is not None:
            self._guarded(lambda: self._container.mux(self._stream.encode(None)))
            self._guarded(self._container.close)
        if getattr(self, "_file", None) is not None:
            self._file.close()

    def _encode(self, frame: Any, ticks: int) -> None:
        frame.pts = self._last = ticks
        frame.time_base = Fraction(1, _TICKS)
        self._guarded(lambda: self._container.mux(self._stream.encode(frame)))

    def _find_encoder(self) -> str:
        if self._path.suffix not in _SUFFIXES[self.codec]:
            raise ParameterError(
                f"VideoWriterOp.path: a video in {self.codec} is written to "
                f"{', '.join(_SUFFIXES[self.codec])}, not to {self._path.name}"
            )
        av = optional("av", "video")
        encoder = _ENCODERS[self.codec]
        if encoder in av.codecs_available:
            return encoder
        if self.codec != "h264":
            raise HoloflowError(f"this build of PyAV has no encoder for {self.codec}")
        self.context.log.warning("no encoder for h264 in this build of PyAV; writing mpeg4")
        return "mpeg4"

    def _begin(self, image: Image, pixels: Array) -> None:
        """Open the file for frames like `image`, with `pixels` to be encoded."""
        self._size = (image.width, image.height)
        self._timeline, self._count, self._last = Timeline(SECOND // 30), 0, -1
        av = optional("av", "video")
        options = {"fflags": "+bitexact+flush_packets", "cluster_time_limit": "1000"}
        if self._path.suffix in (".mp4", ".mov"):
            # In fragments that can each be played, joined when the file is closed.
            options = {"fflags": options["fflags"], "movflags": "+hybrid_fragmented"}
        self._file = self._path.open("wb")
        self._container = self._guarded(lambda: av.open(str(self._path), "w", options=options))
        rate = Fraction(self.rate or 30).limit_denominator(1001)
        self._stream = self._container.add_stream(
            self._encoder, rate=rate, options=_encoder_options(self._encoder, self.quality)
        )
        self._stream.height, self._stream.width = pixels.shape[:2]
        self._stream.pix_fmt = "yuv420p"
        if self._encoder == "ffv1":
            self._stream.pix_fmt = "gray" if image.colour == "gray" else "bgr0"
        else:
            self._stream.codec_context.colorspace = _BT601
            self._stream.codec_context.color_range = _LIMITED
            self._stream.codec_context.max_b_frames = 0
        self._stream.codec_context.time_base = Fraction(1, _TICKS)
        self._stream.codec_context.gop_size = _FRAMES_TO_LOSE
        self._stream.codec_context.thread_count = 1  # another number would change the file
        self.context.announce("video", str(self._path))

    def _ticks(self, timestamp: int) -> int:
        """Return when the next frame is shown, always after the previous one."""
        if self.rate is None:
            ticks = round(Fraction(self._timeline.place(timestamp) * _TICKS, SECOND))
        else:
            ticks = round(self._count * _TICKS / self.rate)
        return max(ticks, self._last + 1)

    def _guarded(self, write: Callable[[], Any]) -> Any:
        """Call `write`; if it fails, give the file up and name it in the error."""
        av = optional("av", "video")
        try:
            return write()
        except av.FFmpegError as error:
            container, self._container = self._container, None
            if container is not None:
                with contextlib.suppress(av.FFmpegError):
                    container.close()
            if error.errno in errno.errorcode:
                raise OSError(error.errno, os.strerror(error.errno), str(self._path)) from None
            raise HoloflowError(f"cannot write the video: {error.strerror}: {self._path}") from None


def _encoder_options(encoder: str, quality: int) -> dict[str, str]:
    """Return FFmpeg's options for a quality from 1 to 100."""
    worse = 100 - quality
    if encoder == "libx264":
        return {"crf": str(min(worse, 51)), "preset": "veryfast"}
    if encoder == "libvpx-vp9":
        crf = min(round(1.5 * worse), 63)
        return {"crf": str(crf), "b": "0", "deadline": "realtime", "cpu-used": "6"}
    if encoder == "mpeg4":
        quantiser = str(min(max(round(worse / 5), 1), 31))
        return {"qmin": quantiser, "qmax": quantiser}
    return {}


def _even(pixels: Array) -> Array:
    """Return `pixels` with an even height and width, which colour at half resolution requires."""
    odd = [(0, pixels.shape[0] % 2), (0, pixels.shape[1] % 2), (0, 0)][: pixels.ndim]
    return np.pad(pixels, odd, mode="edge") if any(after for _, after in odd) else pixels
