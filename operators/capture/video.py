"""Frames of a video file or stream."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import numpy as np

from holoflow.errors import HoloflowError
from holoflow.extras import optional
from holoflow.message import Stamped
from holoflow.operator import Operator, param
from holoflow.operators.capture._timeline import SECOND, Timeline, at_rate
from holoflow.paths import InputPath
from holoflow.payload import Array, Image
from holoflow.quantity import Duration, Frequency

_FORMATS = {"rgb": "rgb24", "bgr": "bgr24", "gray": "gray"}


class VideoOp(Operator):
    """Read the frames of a video: any file or stream that FFmpeg reads.

    Frames come with the times of the recording, or evenly spaced where `rate` is given, and are
    held back until their time unless `paced` is false. A clip that is looped goes on in time.
    Clips that were filmed with the camera turned come upright, as players show them.

    A frame that cannot be decoded whole is left out, counted as dropped by the device and
    logged. A network stream is waited for: for at most `timeout` at a time.

    Example:
        camera:
          type: capture.video
          with: {path: clip.mp4, rate: 30hz}
    """

    heavy: ClassVar[bool] = True

    path: InputPath = param(doc="file, or URL: rtsp://, http://, udp:// …")
    rate: Frequency | None = param(
        None, gt=0, doc="frames a second, instead of the recording's own times"
    )
    paced: bool = param(
        True, doc="hold each frame until its time; false: as fast as the app takes them"
    )
    loop: bool = param(False, doc="begin again at the end, for ever")
    colour: Literal["rgb", "bgr", "gray"] = param("rgb", doc="order of the channels; uint8")
    timeout: Duration = param("10s", gt=0, doc="longest wait for a network stream")
    transport: Literal["tcp", "udp"] = param(
        "tcp", doc="how rtsp:// streams travel: udp is quicker and loses packets"
    )

    def start(self) -> None:
        """Open the file or stream, so that a mistake shows, and waiting ends, before frame 0."""
        self._container = self._open()

    def stop(self) -> None:
        """Close the file or stream."""
        if hasattr(self, "_container"):
            self._container.close()

    def frames(self) -> Iterator[Stamped[Image]]:
        """Yield (height, width, 3) or, for gray, (height, width) uint8; call `start()` first."""
        stream = self._container.streams.video[0]
        timeline = Timeline(round(SECOND / (stream.average_rate or stream.guessed_rate or 30)))
        count = 0
        while True:
            before = count
            for frame in self._decoded():
                if self.rate is None:
                    elapsed = timeline.place(_nanoseconds(frame, frame.pts), _duration(frame))
                else:
                    elapsed = at_rate(count, self.rate)
                count += 1
                yield Stamped(self._image(frame), elapsed=elapsed, wait=self.paced)
            if count == before:
                raise HoloflowError(f"no frame could be decoded in the video {self._shown}")
            if not self.loop:
                return
            self._container.close()
            self._container = self._open()

    @property
    def _shown(self) -> str:
        """The path as messages show it: without a password."""
        return re.sub(r"(?<=://)[^/@]+@", "…@", self.path)

    def _open(self) -> Any:
        av = optional("av", "video")
        network = "://" in self.path
        try:
            container = av.open(
                self.path,
                options={"rtsp_transport": self.transport} if self.path.startswith("rtsp") else {},
                timeout=self.timeout if network else None,
            )
        except av.FFmpegError as error:
            raise self._unreadable(av, error) from None
        if not container.streams.video:
            container.close()
            raise HoloflowError(f"there is no video in {self._shown}")
        if not network:
            # Several frames decoded at once are fastest, but hold back one for each core; of
            # these, at the end of the file, FFmpeg does not say which could not be decoded.
            container.streams.video[0].thread_type = "AUTO"
        return container

    def _unreadable(self, av: Any, error: Any) -> HoloflowError:
        if isinstance(error, av.error.ExitError):  # what FFmpeg calls an interrupted wait
            return HoloflowError(f"nothing came for {self.timeout:g} s from {self._shown}")
        return HoloflowError(f"cannot read the video: {error.strerror}: {self._shown}")

    def _packets(self) -> Iterator[Any]:
        """Yield the packets of the open container; the last one flushes the decoder."""
        av = optional("av", "video")
        try:
            yield from self._container.demux(self._container.streams.video[0])
        except av.error.InvalidDataError as error:
            self.context.log.warning("the video breaks off (%s): %s", error.strerror, self._shown)
            yield None
        except av.FFmpegError as error:
            raise self._unreadable(av, error) from None

    def _decoded(self) -> Iterator[Any]:
        """Yield the whole frames of the open container up to its end, and book the others."""
        av = optional("av", "video")
        stream = self._container.streams.video[0]
        lost = 0
        for packet in self._packets():
            try:
                frames = stream.decode(packet)
            except av.error.InvalidDataError:
                frames, broken = [], 1
            else:
                broken = sum(frame.is_corrupt for frame in frames)
            if broken:
                self.context.count_drop("device", broken)
                if not lost:
                    self.context.log.warning("a frame cannot be decoded in %s", self._shown)
                lost += broken
            yield from (frame for frame in frames if not frame.is_corrupt)
        if lost > 1:
            self.context.log.warning("%d frames could not be decoded in %s", lost, self._shown)

    def _image(self, frame: Any) -> Image:
        plane = frame.reformat(format=_FORMATS[self.colour]).planes[0]
        rows = np.frombuffer(plane, np.uint8).reshape(frame.height, plane.line_size)
        if self.colour == "gray":
            pixels = rows[:, : frame.width]
        else:
            pixels = rows[:, : 3 * frame.width].reshape(frame.height, frame.width, 3)
        pixels = np.rot90(pixels, frame.rotation // 90)
        data: Array = self.allocate(pixels.shape, np.uint8)
        np.copyto(data, pixels)
        return Image(data, self.colour)


def _nanoseconds(frame: Any, ticks: int | None) -> int | None:
    if ticks is None or frame.time_base is None:
        return None
    return int(ticks * frame.time_base * SECOND)


def _duration(frame: Any) -> int | None:
    return _nanoseconds(frame, frame.duration or None)
