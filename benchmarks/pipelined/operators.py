"""The operators of the pipelines that are measured: sources, steps, and ends that take times.

All contenders call the same operators. A frame's latency counts from its header's timestamp: when
a paced frame was due, when a device had it, or when an unpaced source had made it.
"""

from __future__ import annotations

import itertools
import json
import time
from array import array
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, TypeVar

import numpy as np
import numpy.typing as npt

from holoflow import Arrays, Header, Image, Operator, Stamped, param
from holoflow.core.times import SECOND, at_rate
from holoflow.operators.capture.video import VideoOp
from holoflow.operators.io.video_writer import VideoWriterOp

T = TypeVar("T")
Floats = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]

POOL = 4
"""Pictures that a source gives in turn."""
TAPS = 64
"""Samples in a window."""


def paced(payloads: Iterable[T], hz: float) -> Iterator[Stamped[T]]:
    """Yield `payloads` at `hz` a second, each to be held until it is due."""
    for number, payload in enumerate(payloads):
        yield Stamped(payload, elapsed=at_rate(number, hz), wait=True)


def live(operator: Operator, payloads: Iterable[T], hz: float) -> Iterator[Stamped[T]]:
    """Yield `payloads` as a device has them; those that nobody fetches in time are overwritten."""
    begin = time.time_ns()
    number = -1
    for payload in payloads:
        number = max(number + 1, int((time.time_ns() - begin) * hz / SECOND))
        due = begin + at_rate(number, hz)
        wait = due - time.time_ns()
        if wait > 0 and operator.context.ending.wait(wait / SECOND):
            return
        yield Stamped(payload, timestamp=due)


# -- ends ------------------------------------------------------------------------------------


class Times:
    """When frames arrived, and after how long; written to `seen.json` at the end."""

    def __init__(self, skip: int) -> None:
        """Take the rate of all frames after the first `skip`."""
        self._skip = skip
        self._frames = self._begin = self._end = 0
        self._latencies = array("q")

    def saw(self, captured: int = 0) -> None:
        """Note a frame that was `captured` then (ns), if that is known."""
        self._end = time.time_ns()
        self._frames += 1
        if self._frames == self._skip:
            self._begin = self._end
        if captured and self._frames > self._skip:
            self._latencies.append(self._end - captured)

    def write(self, operator: Operator) -> None:
        """Write all to the output folder of `operator`."""
        result = {
            "frames": self._frames,
            "counted": self._frames - self._skip,
            "seconds": (self._end - self._begin) / SECOND,
            "latencies": self._latencies.tolist(),
        }
        (operator.context.output / "seen.json").write_text(json.dumps(result))


class SeenOp(Operator):
    """Count what arrives; without headers, so that holoflow may take its fast path."""

    skip: int = param(1, ge=1, doc="frames before the rate is taken")

    def start(self) -> None:
        """Begin."""
        self._times = Times(self.skip)

    def process(self, value: Any) -> None:  # noqa: ARG002
        """Count."""
        self._times.saw()

    def stop(self) -> None:
        """Write."""
        self._times.write(self)


class TimedOp(SeenOp):
    """Count what arrives and take its latency."""

    def process(  # type: ignore[override]
        self,
        value: Any,  # noqa: ARG002
        header: Header,
    ) -> None:
        """Count."""
        self._times.saw(header.timestamp)


class JoinedOp(TimedOp):
    """The end of two branches."""

    def process(  # type: ignore[override]
        self,
        value: Any,  # noqa: ARG002
        other: Any,  # noqa: ARG002
        header: Header,
    ) -> None:
        """Count."""
        self._times.saw(header.timestamp)


class WriterOp(VideoWriterOp):
    """Encode, and take times."""

    skip: int = param(1, ge=1, doc="frames before the rate is taken")

    def start(self) -> None:
        """Begin."""
        super().start()
        self._times = Times(self.skip)

    def process(self, image: Image, header: Header) -> None:
        """Encode one frame."""
        super().process(image, header)
        self._times.saw(header.timestamp)

    def stop(self) -> None:
        """Write."""
        super().stop()
        self._times.write(self)


# -- (a) a clip ------------------------------------------------------------------------------


class ClipOp(VideoOp):
    """The pictures of a clip, again and again, as fast as they are taken."""

    hz: float = param(0.0, ge=0, doc="frames a second; 0: as fast as they are taken")

    def frames(self) -> Iterator[Image]:  # type: ignore[override]
        """Yield pictures."""
        return (stamped.payload for stamped in super().frames())


class PacedClipOp(ClipOp):
    """The same at a pace."""

    def frames(self) -> Iterator[Stamped[Image]]:  # type: ignore[override]
        """Yield pictures."""
        return paced(super().frames(), self.hz)


class LiveClipOp(ClipOp):
    """The same from a device."""

    live: ClassVar[bool] = True

    def frames(self) -> Iterator[Stamped[Image]]:  # type: ignore[override]
        """Yield pictures."""
        return live(self, super().frames(), self.hz)


# -- (b) samples -----------------------------------------------------------------------------


class SampleOp(Operator):
    """Samples of a noisy sine, one a message, as fast as they are taken."""

    hz: float = param(0.0, ge=0, doc="samples a second; 0: as fast as they are taken")

    def frames(self) -> Iterator[float]:
        """Yield samples."""
        noise = np.random.default_rng(0).normal(0, 0.1, 4096)
        return itertools.cycle((np.sin(np.arange(4096) / 50) + noise).tolist())


class PacedSampleOp(SampleOp):
    """The same at a pace."""

    def frames(self) -> Iterator[Stamped[float]]:  # type: ignore[override]
        """Yield samples."""
        return paced(super().frames(), self.hz)


class LiveSampleOp(SampleOp):
    """The same from a device."""

    live: ClassVar[bool] = True

    def frames(self) -> Iterator[Stamped[float]]:  # type: ignore[override]
        """Yield samples."""
        return live(self, super().frames(), self.hz)


class FilterOp(Operator):
    """A Butterworth low pass of second order."""

    def start(self) -> None:
        """Begin with silence."""
        from scipy import signal  # slow to import, and nobody else needs it

        b, a = signal.butter(2, 0.1)
        self._b, self._a = b.tolist(), a.tolist()
        self._state = [0.0, 0.0]

    def process(self, sample: float) -> float:
        """Return the filtered sample."""
        b, a, z = self._b, self._a, self._state
        filtered = b[0] * sample + z[0]
        z[0] = b[1] * sample - a[1] * filtered + z[1]
        z[1] = b[2] * sample - a[2] * filtered
        return filtered


class WindowOp(Operator):
    """The last `TAPS` samples."""

    def start(self) -> None:
        """Begin with silence."""
        self._window = np.zeros(TAPS, np.float32)

    def process(self, sample: float) -> Floats:
        """Return the window, (TAPS,) float32, that ends with `sample`."""
        window = np.empty_like(self._window)
        window[:-1] = self._window[1:]
        window[-1] = sample
        self._window = window
        return window


class ModelOp(Operator):
    """A network of one hidden layer."""

    stateless: ClassVar[bool] = True

    def start(self) -> None:
        """Make the weights."""
        random = np.random.default_rng(1)
        self._hidden = random.normal(0, 0.1, (32, TAPS)).astype(np.float32)
        self._out = random.normal(0, 0.1, 32).astype(np.float32)

    def process(self, window: Floats) -> float:
        """Return the score of a window."""
        return float(self._out @ np.tanh(self._hidden @ window))


class ThresholdOp(Operator):
    """Whether a score is high."""

    stateless: ClassVar[bool] = True

    def process(self, score: float) -> bool:
        """Return whether it is."""
        return score > 0.5


# -- (c) four cameras ------------------------------------------------------------------------


class CameraOp(Operator):
    """Pictures of 160 x 128 pixels, made beforehand."""

    seed: int = param(0, doc="of the pictures")

    def frames(self) -> Iterator[Image]:
        """Yield pictures."""
        random = np.random.default_rng(self.seed)
        pool = [random.integers(0, 256, (128, 160, 3), np.uint8) for _ in range(POOL)]
        return (Image(pixels, "rgb") for pixels in itertools.cycle(pool))


class TogetherOp(Operator):
    """The pictures of all cameras as one batch."""

    stateless: ClassVar[bool] = True

    def process(self, images: list[Image]) -> Arrays:
        """Return (cameras, 3, height, width) float32."""
        batch = np.stack([image.data for image in images])
        return Arrays({"images": np.ascontiguousarray(batch.transpose(0, 3, 1, 2), np.float32)})


# -- (d) to (f) large pictures ---------------------------------------------------------------


class PictureOp(Operator):
    """Pictures made beforehand, (height, width, 3) uint8, each copied into memory of the link."""

    height: int = param(2160, doc="rows")
    width: int = param(3840, doc="columns")
    copied: bool = param(False, doc="whether each is a new picture, as from a device")
    hz: float = param(0.0, ge=0, doc="pictures a second; 0: as fast as they are taken")

    def frames(self) -> Iterator[Pixels]:
        """Yield pictures."""
        random = np.random.default_rng(0)
        shape = (self.height, self.width, 3)
        pool = [random.integers(0, 256, shape, np.uint8) for _ in range(POOL)]
        return (self._given(pixels) for pixels in itertools.cycle(pool))

    def _given(self, pixels: Pixels) -> Pixels:
        if not self.copied:
            return pixels
        given: Pixels = self.allocate(pixels.shape, np.uint8)
        np.copyto(given, pixels)
        return given


class LivePictureOp(PictureOp):
    """The same from a device."""

    live: ClassVar[bool] = True

    def frames(self) -> Iterator[Stamped[Pixels]]:  # type: ignore[override]
        """Yield pictures."""
        return live(self, super().frames(), self.hz)


class HalveOp(Operator):
    """Every other row and column."""

    stateless: ClassVar[bool] = True

    def process(self, pixels: Pixels) -> Pixels:
        """Return a copy."""
        return np.ascontiguousarray(pixels[::2, ::2])


class GreenOp(Operator):
    """The green channel."""

    stateless: ClassVar[bool] = True

    def process(self, pixels: Pixels) -> Pixels:
        """Return a copy."""
        return np.ascontiguousarray(pixels[..., 1])


class InvertOp(Operator):
    """The negative."""

    stateless: ClassVar[bool] = True

    def process(self, pixels: Pixels) -> Pixels:
        """Return a new picture."""
        return 255 - pixels


class BrightOp(Operator):
    """Which pixels are bright."""

    stateless: ClassVar[bool] = True

    def process(self, pixels: Pixels) -> npt.NDArray[np.bool_]:
        """Return a mask."""
        return pixels > 128


class CountOp(Operator):
    """How many are."""

    stateless: ClassVar[bool] = True

    def process(self, mask: npt.NDArray[np.bool_]) -> int:
        """Return their number."""
        return int(np.count_nonzero(mask))


class SlowOp(Operator):
    """Take 20 ms, as a device would, which has one frame at a time."""

    def process(self, pixels: Pixels) -> Pixels:
        """Return what comes, later."""
        time.sleep(0.02)
        return pixels
