"""The clock model: what times mean, and what becomes of times that jump, stand or go back.

*Where times come from.* `Header.timestamp` is when a frame was captured, in nanoseconds. The
source says it: as a time (`Stamped.timestamp`) or as time since the stream began
(`Stamped.elapsed`). Of a source that says neither it is when the source gave the frame, by the
clock of the run, on every engine, lossless or not. Nobody changes the time of a frame because of
another frame's: what lies between two frames is kept, from the source to the file.

*The clock of the run* begins with the time of day, of a lossless run with 0, and goes on evenly
however the computer's clock is set meanwhile. The inline engine's is simulated: it goes on while
operators work and jumps over what would be waited for.

*Times of one stream* need not rise:

- Several frames may have one time.
- A step back of up to `DISORDER` is a frame out of order. It keeps its time.
- A larger one is a **reset**: a clock was set back, a sensor began anew, its counter ran over.
  What counts on (a join, the pace, a file) begins anew with it.
- A step forward, however large, is a pause. It is kept, but not slept through: see `Pace`.
"""

from __future__ import annotations

from dataclasses import dataclass

from holoflow.core.message import Header

SECOND = 1_000_000_000

DISORDER = 1 * SECOND
"""Nanoseconds that a frame out of order may be behind; what is further behind is a reset."""

LONGEST = 10 * SECOND
"""Nanoseconds that a frame is held without more ado, however the frames before it came."""

_UNUSUAL = 10
"""A step is unusual that is so many times the one before."""


@dataclass
class Timeline:
    """Elapsed times of the frames of a recording, from times that may begin anywhere.

    What lies between two frames stays as it is, frames out of order included. At a reset, and
    where the recording is played anew, times count on from the frame before. Where the clock is
    right again after that, as after a single frame with a time of hours ago, so are they.
    """

    step: int
    """Nanoseconds from one frame to the next where nothing else is known."""
    _origin: int | None = None
    _before: int | None = None
    """The origin before the last reset."""
    _newest: int = 0
    _next: int = 0

    def place(self, time: int | None, duration: int | None = None) -> int:
        """Return the nanoseconds from the first frame to one that the recording puts at `time`.

        A frame whose time is None follows when the one before, of `duration`, is over.
        """
        elapsed = self._next
        if time is not None:
            self._origin = self._origin_of(time)
            elapsed = time - self._origin
        self._newest = max(self._newest, elapsed)
        self._next = max(self._next, elapsed + max(duration or self.step, 1))
        return elapsed

    def _origin_of(self, time: int) -> int:
        """Return the time of the recording at which it began, as its clock says it at `time`."""
        origin, before = self._origin, self._before
        if origin is None or time - origin < self._newest - DISORDER:
            self._before = origin
            return time - self._next
        paused = time - origin > self._newest + LONGEST
        if paused and before is not None and -DISORDER <= time - before - self._newest <= LONGEST:
            self._before = None
            return before
        return origin

    def play_anew(self) -> None:
        """Count on from the frame before, whatever the time of the next one is."""
        self._origin = self._before = None


class Pace:
    """When the frames of a stream are due that is played at the pace of its own times.

    A frame after a pause that is longer than `LONGEST`, and unusual for the stream, is due at
    once, and so is the first after a reset: the pace goes on from there.
    """

    def __init__(self, *, hold: bool = True) -> None:
        """Begin at 0; without `hold`, for a clock that nobody waits for, no pause is left out."""
        self._hold = hold
        self._newest = 0
        self._ahead = 0
        """Nanoseconds by which times of the stream are ahead of the time that has passed."""
        self._usual = 60 * SECOND  # of the first step: nothing is known yet

    def due(self, elapsed: int) -> tuple[int, int]:
        """Return when the frame at `elapsed` is due, and the step before it that is left out.

        Both in nanoseconds; the step is 0 where none is left out, and negative at a reset.
        """
        step = elapsed - self._newest
        skipped = 0
        if step < -DISORDER or (self._hold and step > max(LONGEST, _UNUSUAL * self._usual)):
            skipped = step
            self._ahead += step
            self._newest = elapsed
        if step > 0:
            self._usual = step
            self._newest = elapsed
        return elapsed - self._ahead, skipped


class StreamClock:
    """What is known of the clock that stamps a stream: whether, and from where, it was set back."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._seen: object = None
        self._newest: int | None = None
        self._step = 0
        self.before = 0
        """Newest time before it was set back."""
        self._begin = 0

    def see(self, header: Header) -> bool:
        """Take note of the next frame; whether the clock was set back before it.

        Seeing it again, before the next one, changes nothing.
        """
        if header is self._seen:
            return False
        self._seen, time, newest = header, header.timestamp, self._newest
        if newest is not None and time < newest - DISORDER:
            self.before, self._begin, self._newest = newest, time, time
            return True
        if newest is None or time > newest:
            # Steps tell how far streams of one clock may be apart where it is set back. A pause
            # is none of them.
            self._step = max(self._step, min(time - (time if newest is None else newest), DISORDER))
            self._newest = time
        return False

    def went_on(self, time: int) -> int:
        """Return what `time` would be had the clock not been set back, at the latest."""
        return self.before + self._step + time - self._begin

    def is_back(self, time: int) -> bool:
        """Whether the clock is again where it was before it was set back."""
        return time >= self.before - DISORDER
