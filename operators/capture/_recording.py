"""How much of a recording exists, and which of its frames are decoded correctly."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from holoflow.core.array import Array
from holoflow.core.times import SECOND

_MICROSECOND = Fraction(1, 1_000_000)
_ALLOWANCE = Fraction(1, 10)
"""Seconds, besides two frames, that a file may be shorter than stated: durations are not exact."""


class Missing(NamedTuple):
    """What a file announces but does not contain."""

    frames: int
    """Number of frames that are missing entirely; 0 if unknown."""
    text: str
    """How much there is, such as `33 of 60 frames`."""


class Extent:
    """Measures what has been read of a recording."""

    def __init__(self, step: int) -> None:
        """Start with nothing read; `step` is the average time between frames in ns."""
        self._packets = self._whole = 0
        self._end = Fraction(0)
        self._step = Fraction(step, SECOND)
        self._spacing = _Spacing(self._step)

    def see(self, packet: Any, *, own: bool) -> None:
        """Add a packet of any stream; `own` says that it is of the stream that is decoded."""
        time = packet.dts if packet.pts is None else packet.pts
        if own:
            self._packets += 1
            self._whole += not packet.is_corrupt
            self._spacing.see(packet.pts, packet.time_base)
        if time is not None:
            self._end = max(self._end, (time + (packet.duration or 0)) * packet.time_base)

    def missing(self, container: Any, stream: Any) -> Missing | None:
        """Return what is missing at the end of the file; None if nothing is known to be.

        Args:
            container: The opened file.
            stream: The stream that is decoded.
        """
        if "mov" in container.format.name.split(","):
            # Such a file lists its packets; its durations include what an edit list leaves out.
            return self._of(len(stream.index_entries))
        announced = (container.duration or 0) * _MICROSECOND
        # Durations of streams that begin late include the time before in some files only.
        reached = self._end - min(container.start_time or 0, 0) * _MICROSECOND
        if announced - reached <= _ALLOWANCE + 2 * self._step:
            return None
        return (
            self._of(stream.frames)
            or self._of(self._spacing.frames(_stated(stream, announced)))
            or Missing(0, f"{float(reached):.3g} of {float(announced):.3g} s")
        )

    def _of(self, total: int) -> Missing | None:
        """Return what is missing of `total` frames; None if nothing is."""
        if self._whole >= total:
            return None
        return Missing(total - self._packets, f"{self._whole} of {total} frames")


class _Spacing:
    """Whether frames have the times of a constant rate from 0 on, without gaps."""

    _REORDERED = 16
    """Frames that may be decoded before one that is shown earlier."""

    def __init__(self, step: Fraction) -> None:
        self._step = step
        self._even = True
        self._next = 0
        """Number of the first frame that has not been seen."""
        self._ahead: set[int] = set()
        """Numbers of frames after it."""

    def see(self, time: int | None, tick: Fraction) -> None:
        """Add a frame, shown at `time`, in `tick` of a second."""
        if time is None or not self._even:
            self._even = False
            return
        number = round(time * tick / self._step)
        new = number >= self._next and number not in self._ahead
        self._ahead.add(number)
        while self._next in self._ahead:
            self._ahead.remove(self._next)
            self._next += 1
        off = abs(time * tick - number * self._step) > tick
        self._even = new and not off and len(self._ahead) <= self._REORDERED

    def frames(self, seconds: Fraction) -> int:
        """Return how many frames there are in `seconds`; 0 if that is unknown."""
        frames = round(seconds / self._step)
        whole = abs(seconds / self._step - frames) < Fraction(1, 4)
        return frames if self._even and whole else 0


def _stated(stream: Any, announced: Fraction) -> Fraction:
    """Return the seconds that a stream in Matroska lasts by itself; 0 if it does not state it."""
    text = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", stream.metadata.get("DURATION", ""))
    if text is None:
        return Fraction(0)
    hours, minutes, seconds = map(Fraction, text.groups())
    stated = 3600 * hours + 60 * minutes + seconds
    # One that was copied from another file may be that file's.
    return stated if stated <= announced + _ALLOWANCE else Fraction(0)


class Picture(NamedTuple):
    """What a decoder has made of a packet."""

    number: int
    """Number of the packet in the order of decoding."""
    time: int | None
    """When it is shown."""
    key: bool
    """Whether it was decoded from its packet alone."""
    corrupt: bool
    """Whether the decoder knows that some of its pixels are wrong."""
    frame: Any


class Intact:
    """Picks the frames whose pixels are correct from those that a decoder returns.

    A frame may depend on any frame decoded before it, back to a key frame. A loss therefore spoils
    all frames decoded after it up to the next key frame, although the decoder returns them without
    an error. A frame may be shown before one that it depends on, so it is held until that one has
    been decoded.

    Decoding can be repeated from `key` on: each frame is yielded and counted only once.
    """

    def __init__(self) -> None:
        self.key = 0
        """Number of the last key frame that was yielded or counted."""
        self.lost = 0
        """Number of frames that were not yielded."""
        self._done: set[int] = set()
        """Numbers, from `key` on, of frames that were yielded or counted."""
        self.begin_again()

    def begin_again(self) -> None:
        """Expect the packet numbered `key` next."""
        self._awaited: dict[int, int | None] = {}
        """When the frames of packets that have not been returned yet are shown, by number."""
        self._held: deque[Picture] = deque()
        self._spoiled: tuple[int, int] | None = None
        """Numbers of the first and the last loss since the last key frame."""

    @property
    def awaited(self) -> bool:
        """Whether there are packets that have not led to a frame."""
        return bool(self._awaited)

    def send(self, number: int, time: int | None) -> None:
        """Note that packet `number` goes to the decoder; its frame is shown at `time`."""
        self._awaited[number] = time

    def lose(self, number: int) -> None:
        """Note that there is no correct frame for packet `number`."""
        self._awaited.pop(number, None)
        first, last = self._spoiled or (number, number)
        self._spoiled = min(first, number), max(last, number)
        self.lost += self._finish(number)

    def take(self, picture: Picture) -> Iterator[Any]:
        """Add a decoded frame, in the order of showing, and yield frames that are correct."""
        self._awaited.pop(picture.number, None)
        if picture.corrupt:
            self.lose(picture.number)
        else:
            self._held.append(picture)
        while self._held and not self._waits(self._held[0]):
            yield from self._give(self._held.popleft())

    def end(self) -> Iterator[Any]:
        """Yield the correct ones of the frames that are still held."""
        while self._held:
            yield from self._give(self._held.popleft())
        self._pass_over(list(self._awaited))

    def _waits(self, picture: Picture) -> bool:
        """Whether a frame that `picture` may depend on has not been decoded yet."""
        return picture.time is not None and any(
            number < picture.number and time is not None and time > picture.time
            for number, time in self._awaited.items()
        )

    def _give(self, picture: Picture) -> Iterator[Any]:
        number, time = picture.number, picture.time
        if time is not None:
            self._pass_over([
                other for other, shown in self._awaited.items()
                if shown is not None and shown <= time
            ])  # fmt: skip
        if self._spoiled and picture.key and number > self._spoiled[1]:
            self._spoiled = None
        right = self._spoiled is None or number < self._spoiled[0]
        new = self._finish(number)
        if right and picture.key:
            self.key = number
            self._done = {done for done in self._done if done >= number}
        if right and new:
            yield picture.frame
        self.lost += new and not right

    def _pass_over(self, numbers: list[int]) -> None:
        """Expect no frames for `numbers`, as some packets lead to none, nor do spoiled ones."""
        for number in numbers:
            del self._awaited[number]
            if self._spoiled and number > self._spoiled[0]:
                self.lost += self._finish(number)

    def _finish(self, number: int) -> bool:
        """Return whether `number` is yielded or counted for the first time."""
        new = number >= self.key and number not in self._done
        self._done.add(number)
        return new


NEITHER = (1, 0, 0, 1)
"""The matrix of a picture that is neither turned nor mirrored."""


def is_quarter(matrix: tuple[int, int, int, int]) -> bool:
    """Whether `matrix` consists only of quarter turns and mirroring."""
    a, b, c, d = matrix
    return bool(a and d and not b and not c) or bool(b and c and not a and not d)


def upright(pixels: Array, matrix: tuple[int, int, int, int]) -> Array:
    """Return a view of `pixels` oriented by a display matrix.

    Args:
        pixels: (height, width) or (height, width, channels).
        matrix: (a, b, c, d), of which only the signs count: the pixel at (x, y) is shown at
            (ax + cy, bx + dy), moved into the picture. `pixels` are returned unchanged unless it
            consists only of quarter turns and mirroring.
    """
    if not is_quarter(matrix):
        return pixels
    a, b, c, d = (int(np.sign(part)) for part in matrix)
    if a:
        return pixels[::d, ::a]
    return np.swapaxes(pixels, 0, 1)[::b, ::c]
