"""`capture.video`: frames of a video file or stream."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import numpy as np

from holoflow.core.array import Array
from holoflow.core.errors import HoloflowError, optional
from holoflow.core.files import InputPath
from holoflow.core.message import Stamped
from holoflow.core.operator import Operator, param
from holoflow.core.pictures import Image
from holoflow.core.quantity import Duration, Frequency
from holoflow.core.times import SECOND, Timeline, at_rate
from holoflow.operators.capture._recording import (
    NEITHER,
    Extent,
    Intact,
    Picture,
    is_quarter,
    upright,
)
from holoflow.operators.capture._streams import (
    Chunked,
    chunked,
    hurt_of_file,
    hurt_of_stream,
    is_transport,
)

_FORMATS = {"rgb": "rgb24", "bgr": "bgr24", "gray": "gray"}
_MADE_OF_OTHERS = (2, 3, 4)
"""FFmpeg's numbers for frames of the kinds P, B and S."""


class VideoOp(Operator):
    """Read the frames of a video: any file or stream that FFmpeg supports.

    Frames have the times of the recording, or are evenly spaced if `rate` is given, and are held
    until their time unless `paced` is false. The times of a looped clip continue. Clips filmed with
    the camera turned or mirrored are upright, as in video players. More than 8 bits are reduced to
    8, a palette is converted to its colours, and transparency is dropped.

    A frame that cannot be decoded completely is left out, and so are the following ones up to the
    next key frame, because they depend on it. Each missing frame is counted as dropped by the
    device and logged. A file that is shorter than it states is played to its end, and the frames
    that are missing there are counted if their number is certain: the file states it (.mp4, .mov,
    .avi), or states how long this stream lasts (.mkv, .webm) and all frames before were evenly
    spaced. Otherwise there is only a warning. A network stream is waited for, for at most `timeout`
    at a time; one that breaks off is an error.

    Damage is noticed if a container or a codec shows it. It may go unnoticed, and give wrong
    pixels, in these cases: bits flipped within a frame, in H.264, H.265, MPEG-2, MPEG-4, VP8, VP9,
    AV1, uncompressed video, FFV1 without checksums and, less often, MJPEG; a damaged part of the
    last frame that is decoded, in the formats for which FFmpeg uses threads; the loss of 16
    successive packets of a video in an MPEG transport stream, or a multiple of it, and from a
    network any missing part of its first frame.

    Of several video streams, the file's default is read; of several defaults, the largest. Attached
    pictures, such as covers, are not video streams.

    Example:
        camera:
          type: capture.video
          with: {path: clip.mp4, rate: 30hz}
    """

    heavy: ClassVar[bool] = True

    path: InputPath = param(doc="file, or URL: rtsp://, http://, udp:// …")
    rate: Frequency | None = param(
        None, gt=0, doc="frames per second, instead of the recording's own times"
    )
    paced: bool = param(
        True, doc="hold each frame until its time; false: send as fast as the app takes them"
    )
    loop: bool = param(False, doc="start again at the end, without end")
    colour: Literal["rgb", "bgr", "gray"] = param("rgb", doc="order of the channels; uint8")
    stream: int | None = param(
        None, ge=0, doc="stream of the file, by FFmpeg's number (from 0, counting sound too)"
    )
    timeout: Duration = param("10s", gt=0, doc="longest wait for a network stream")
    transport: Literal["tcp", "udp"] = param(
        "tcp", doc="transport of rtsp:// streams: udp is faster but loses packets"
    )

    _chunked: Chunked | None = None
    _uncut: Any = None
    """An MPEG transport stream, opened a second time."""
    _matrix = NEITHER

    def start(self) -> None:
        """Open the file or stream, so that mistakes show, and waiting ends, before frame 0."""
        self._threads = "://" not in self.path
        self._open()

    def stop(self) -> None:
        """Close the file or stream."""
        if hasattr(self, "_container"):
            self._container.close()
        if self._uncut is not None:
            self._uncut.close()
            self._uncut = None
        if self._chunked is not None:
            self._chunked.close()
            self._chunked = None

    def frames(self) -> Iterator[Stamped[Image]]:
        """Yield (height, width, 3) or, for gray, (height, width) uint8; call `start()` first."""
        timeline = Timeline(self._step())
        count = 0
        while True:
            before = count
            for frame in self._intact():
                if self.rate is None:
                    elapsed = timeline.place(
                        self._nanoseconds(frame.pts), self._nanoseconds(frame.duration or None)
                    )
                else:
                    elapsed = at_rate(count, self.rate)
                count += 1
                yield Stamped(self._image(frame), elapsed=elapsed, wait=self.paced)
            if count == before:
                raise HoloflowError(f"no frame could be decoded in the video {self._shown}")
            if not self.loop:
                return
            timeline.play_anew()
            self._open()

    @property
    def _shown(self) -> str:
        """The path for messages, without a password."""
        return re.sub(r"(?<=://)[^/@]+@", "…@", self.path)

    def _step(self) -> int:
        """Return the average time between frames in ns."""
        return round(SECOND / (self._stream.average_rate or self._stream.guessed_rate or 30))

    def _nanoseconds(self, ticks: int | None) -> int | None:
        return None if ticks is None else int(ticks * self._stream.time_base * SECOND)

    def _open(self) -> None:
        """Open the path, or open it again."""
        self.stop()
        av = optional("av", "video")
        options: dict[str, str] = {}
        if self.path.startswith("rtsp"):
            options = {"rtsp_transport": self.transport}
        if self.path.startswith(("http://", "https://")):
            self._chunked = chunked(self.path, self._shown, self.timeout)
        try:
            self._container = av.open(
                self._chunked or self.path,
                options=options,
                timeout=self.timeout if "://" in self.path else None,
                metadata_errors="replace",
            )
            if is_transport(self._container) and "://" not in self.path:
                self._uncut = av.open(
                    self.path, options={"fflags": "noparse"}, metadata_errors="replace"
                )
        except av.FFmpegError as error:
            raise self._broken_off() or self._unreadable(av, error) from None
        self._stream = self._chosen()
        decoder = self._stream.codec_context
        decoder.copy_opaque = True
        if decoder.name == "mjpeg":  # it reports most damage, but only if an error is to end it
            decoder.options = {"err_detect": "explode"}
        if self._threads:
            self._stream.thread_type = "AUTO"

    def _chosen(self) -> Any:
        """Return the stream to read."""
        attached = optional("av.stream", "video").Disposition.attached_pic
        default = optional("av.stream", "video").Disposition.default
        streams = [
            stream
            for stream in self._container.streams.video
            if not stream.disposition & attached or stream.index == self.stream
        ]
        if streams and not any(stream.codec_context for stream in streams):
            raise HoloflowError(f"the format of the video is unknown: {self._shown}")
        streams = [stream for stream in streams if stream.codec_context is not None]
        there = ", ".join(
            f"{stream.index} ({stream.codec_context.name}, {stream.width} x {stream.height})"
            for stream in streams
        )
        if not streams:
            raise HoloflowError(f"there is no video in {self._shown}")
        if self.stream is not None:
            for stream in streams:
                if stream.index == self.stream:
                    return stream
            raise HoloflowError(f"stream {self.stream} is not video, but {there}: {self._shown}")
        best = max(
            streams,
            key=lambda stream: (
                bool(stream.disposition & default), stream.width * stream.height, -stream.index
            ),
        )  # fmt: skip
        if len(streams) > 1:
            self.context.log.warning(
                "of the video streams %s, %d is read; choose one by `stream`: %s",
                there, best.index, self._shown,
            )  # fmt: skip
        return best

    def _unreadable(self, av: Any, error: Any) -> HoloflowError:
        if isinstance(error, av.error.ExitError):  # FFmpeg's error for an interrupted wait
            return HoloflowError(f"no data arrived for {self.timeout:g} s from {self._shown}")
        if "://" in self.path and error.errno == errno.EIO:
            return HoloflowError(f"the connection broke off: {self._shown}")
        return HoloflowError(f"cannot read the video: {error.strerror}: {self._shown}")

    def _intact(self) -> Iterator[Any]:
        """Yield the correct frames up to the end, and count those that are missing."""
        intact = Intact()
        extent = Extent(self._step())
        try:
            yield from self._counted(intact, self._decoded(intact, extent))
        except _UncertainError:
            # Threads decode several frames at once, and do not report which of them failed.
            self._threads = False
            self._open()
            extent = Extent(self._step())
            yield from self._counted(intact, self._decoded(intact, extent))
        missing = extent.missing(self._container, self._stream)
        if intact.lost > 1:
            self.context.log.warning(
                "%d frames could not be decoded, or depend on such frames, in %s",
                intact.lost, self._shown,
            )  # fmt: skip
        if missing:
            if missing.frames:
                self.context.count_drop("device", missing.frames)
            self.context.log.warning("the file ends early: %s: %s", missing.text, self._shown)

    def _counted(self, intact: Intact, frames: Iterator[Any]) -> Iterator[Any]:
        """Pass `frames` on; count and log what `intact` loses meanwhile."""
        counted = intact.lost
        for frame in frames:
            if frame is not None:
                yield frame
            if intact.lost > counted:
                if not counted:
                    self.context.log.warning(
                        "a frame cannot be decoded; left out up to the next key frame: %s",
                        self._shown,
                    )
                self.context.count_drop("device", intact.lost - counted)
                counted = intact.lost

    def _decoded(self, intact: Intact, extent: Extent) -> Iterator[Any]:
        """Yield the correct frames from `intact.key` on, and None after each packet.

        Raises:
            _UncertainError: It is unknown which frame is wrong.
        """
        intact.begin_again()
        number = -1
        for packet, hurt in self._judged(self._packets(extent)):
            number += 1
            if number < intact.key:
                continue
            if hurt:
                intact.lose(number)
            elif packet.size:  # a packet without data would end the decoder
                packet.opaque = (number,)  # a new object, as PyAV identifies it by its address
                intact.send(number, packet.pts)
                yield from self._made(packet, number, intact)
            yield None
        yield from self._made(None, number, intact)
        if self._threads and intact.awaited:
            raise _UncertainError
        yield from intact.end()
        yield None

    def _judged(self, packets: Iterator[Any]) -> Iterator[tuple[Any, bool]]:
        """Yield each packet, and whether a part of its data is missing."""
        if self._uncut is not None:
            return hurt_of_file(packets, self._own(self._uncut))
        if is_transport(self._container):
            return hurt_of_stream(packets)
        return ((packet, packet.is_corrupt) for packet in packets)

    def _own(self, uncut: Any) -> Iterator[Any]:
        """Yield the packets of the stream from another container of the same file."""
        av = optional("av", "video")
        try:
            yield from (
                packet for packet in uncut.demux() if packet.stream_index == self._stream.index
            )
        except av.FFmpegError:
            return  # reported where the frames are read

    def _packets(self, extent: Extent) -> Iterator[Any]:
        """Yield the packets of the stream, and let `extent` see those of all streams."""
        av = optional("av", "video")
        try:
            for packet in self._container.demux():
                if packet.dts is None and not packet.size:
                    continue  # PyAV's mark of the end
                own = packet.stream_index == self._stream.index
                extent.see(packet, own=own)
                if own:
                    yield packet
        except av.error.InvalidDataError as error:
            self.context.log.warning("the video breaks off (%s): %s", error.strerror, self._shown)
        except av.FFmpegError as error:
            raise self._broken_off() or self._unreadable(av, error) from None
        broken_off = self._broken_off()
        if broken_off is not None:
            raise broken_off

    def _broken_off(self) -> HoloflowError | None:
        """Return why a chunked stream ended before its end; None if it did not."""
        return None if self._chunked is None else self._chunked.error

    def _made(self, packet: Any, number: int, intact: Intact) -> Iterator[Any]:
        """Yield the correct frames that `packet` leads to; for None, all that are left."""
        av = optional("av", "video")
        try:
            frames = self._stream.codec_context.decode(packet)
        except av.FFmpegError:
            if self._threads:
                raise _UncertainError from None
            if packet is not None:
                intact.lose(number)
            return
        for frame in frames:
            (own,) = frame.opaque or (number,)
            key = frame.key_frame and frame.pict_type not in _MADE_OF_OTHERS
            yield from intact.take(Picture(own, frame.pts, key, frame.is_corrupt, frame))

    def _image(self, frame: Any) -> Image:
        plane = frame.reformat(format=_FORMATS[self.colour]).planes[0]
        rows = np.frombuffer(plane, np.uint8).reshape(frame.height, plane.line_size)
        if self.colour == "gray":
            pixels = rows[:, : frame.width]
        else:
            pixels = rows[:, : 3 * frame.width].reshape(frame.height, frame.width, 3)
        if frame.key_frame:  # the matrix changes only with key frames
            self._turn(_matrix(frame))
        pixels = upright(pixels, self._matrix)
        data: Array = self.allocate(pixels.shape, np.uint8)
        np.copyto(data, pixels)
        return Image(data, self.colour)

    def _turn(self, matrix: tuple[int, int, int, int]) -> None:
        """Orient frames by `matrix` from now on."""
        if matrix != self._matrix and not is_quarter(matrix):
            self.context.log.warning(
                "frames must be turned by less than a quarter turn, which is not supported: %s",
                self._shown,
            )
        self._matrix = matrix


class _UncertainError(Exception):
    """It is unknown which frame is wrong."""


def _matrix(frame: Any) -> tuple[int, int, int, int]:
    """Return the part of the display matrix that turns and mirrors."""
    data = frame.side_data.get(optional("av.sidedata.sidedata", "video").Type.DISPLAYMATRIX)
    if data is None:
        return NEITHER
    a, b, _, c, d, *_ = np.frombuffer(data, np.int32).tolist()
    return a, b, c, d
