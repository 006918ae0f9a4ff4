"""How much of a recording exists, and which of its frames are decoded correctly."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from holoflow.core.array import Array

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

    def __init__(self) -> None:
        self._packets = self._whole = 0
        self._end = Fraction(0)

    def see(self, packet: Any, *, own: bool) -> None:
        """Add a packet of any stream; `own` says that it is of the stream that is decoded."""
        self._packets += own
        self._whole += own and not packet.is_corrupt
        time = packet.dts if packet.pts is None else packet.pts
        if time is not None:
            self._end = max(self._end, (time + (packet.duration or 0)) * packet.time_base)

    def missing(self, container: Any, stream: Any, step: int) -> Missing | None:
        """Return what is missing at the end of the file; None if nothing is known to be.

        Args:
            container: The opened file.
            stream: The stream that is decoded.
            step: Nanoseconds between frames.
        """
        if "mov" in container.format.name.split(","):
            # Such a file lists its packets; its durations include what an edit list leaves out.
            return self._of(len(stream.index_entries))
        announced = (container.duration or 0) * _MICROSECOND
        # Durations of streams that begin late include the time before in some files only.
        reached = self._end - min(container.start_time or 0, 0) * _MICROSECOND
        if announced - reached <= _ALLOWANCE + 2 * Fraction(step, 1_000_000_000):
            return None
        return self._of(stream.frames) or Missing(
            0, f"{float(reached):.3g} of {float(announced):.3g} s"
        )

    def _of(self, total: int) -> Missing | None:
        """Return what is missing of `total` frames; None if nothing is."""
        if self._whole >= total:
            return None
        return Missing(total - self._packets, f"{self._whole} of {total} frames")


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
