"""The clock model: what times mean, and how times that jump, repeat or go back are handled.

*Where times come from.* `Header.timestamp` is when a frame was captured, in nanoseconds. The
source sets it, as a time (`Stamped.timestamp`) or as time since the start of the stream
(`Stamped.elapsed`). If it sets neither, it is the time at which the source yielded the frame, by
the clock of the run, on every engine, lossless or not. The time of a frame is never adjusted
because of another frame: intervals are preserved from the source to the file.

*The clock of the run* starts at the time of day, or at 0 in a lossless run, and advances evenly
even if the computer's clock is set meanwhile. The inline engine simulates it: it advances while
operators work and jumps over waiting.

*Times of one stream* need not increase:

- Several frames may have the same time.
- A step back of up to `DISORDER` is a frame out of order. It keeps its time.
- A larger one is a **reset**: a clock was set back, a sensor restarted, a counter wrapped around.
  Whatever depends on elapsed time (a join, the pace, a file) starts over.
- A step forward, however large, is a pause. It is kept, but not slept through: see `Pace`.
"""

from __future__ import annotations

from dataclasses import dataclass

from holoflow.core.message import Header

SECOND = 1_000_000_000

DISORDER = 1 * SECOND
"""Nanoseconds by which a frame out of order may be late; anything later is a reset."""

LONGEST = 10 * SECOND
"""Nanoseconds for which a frame is always held, whatever the steps before it."""

_UNUSUAL = 10
"""A step is unusual if it is this many times the one before."""


def at_rate(index: int, rate: float) -> int:
    """Nanoseconds from frame 0 to frame `index` at `rate` frames a second, without drift."""
    return round(index * SECOND / rate)


@dataclass
class Timeline:
    """Elapsed times of the frames of a recording whose own times may start anywhere.

    Intervals are preserved, also for frames out of order. At a reset, and when the recording is
    played again, times continue from the frame before. If the clock recovers, as after a single
    frame stamped hours ago, so do the elapsed times.
    """

    step: int
    """Nanoseconds from one frame to the next if nothing else is known."""
    _origin: int | None = None
    _before: int | None = None
    """The origin before the last reset."""
    _newest: int = 0
    _next: int = 0

    def place(self, time: int | None, duration: int | None = None) -> int:
        """Return the nanoseconds from the first frame to the next one.

        Args:
            time: The frame's time in the recording, in nanoseconds; None: it follows when the
                frame before is over.
            duration: The frame's duration in nanoseconds; None: `step`.
        """
        elapsed = self._next
        if time is not None:
            self._origin = self._origin_of(time)
            elapsed = time - self._origin
        self._newest = max(self._newest, elapsed)
        self._next = max(self._next, elapsed + max(duration or self.step, 1))
        return elapsed

    def _origin_of(self, time: int) -> int:
        """Return the recording's start time, by its clock at `time`."""
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
        """Continue from the frame before, whatever the time of the next one."""
        self._origin = self._before = None


class Pace:
    """When the frames of a stream played at its own pace are due.

    A frame after a pause longer than `LONGEST` and unusual for the stream is due at once, and so
    is the first after a reset; the pace continues from there.
    """

    def __init__(self, *, hold: bool = True) -> None:
        """Start at 0; without `hold`, for a simulated clock, no pause is skipped."""
        self._hold = hold
        self._newest = 0
        self._ahead = 0
        """Nanoseconds by which the stream's times are ahead of the time that has passed."""
        self._usual = 60 * SECOND  # before the first step: nothing is known yet

    def due(self, elapsed: int) -> tuple[int, int]:
        """Return when the frame at `elapsed` is due, and the step before it that is skipped.

        All in nanoseconds; the step is 0 if none is skipped, and negative at a reset.
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
    """Tracks the clock that stamps a stream: whether, and from what time, it was set back."""

    def __init__(self) -> None:
        self._seen: object = None
        self._newest: int | None = None
        self._step = 0
        self.before = 0
        """Newest time before it was set back."""
        self._begin = 0

    def see(self, header: Header) -> bool:
        """Record the next frame, and return whether the clock was set back before it.

        Recording the same frame again, before the next one, has no effect.
        """
        if header is self._seen:
            return False
        self._seen, time, newest = header, header.timestamp, self._newest
        if newest is not None and time < newest - DISORDER:
            self.before, self._begin, self._newest = newest, time, time
            return True
        if newest is None or time > newest:
            # Steps bound how far apart streams of one clock may be when it is set back. Pauses
            # do not count.
            self._step = max(self._step, min(time - (time if newest is None else newest), DISORDER))
            self._newest = time
        return False

    def went_on(self, time: int) -> int:
        """Return an upper bound for `time` had the clock not been set back."""
        return self.before + self._step + time - self._begin

    def is_back(self, time: int) -> bool:
        """Whether the clock has returned to where it was before it was set back."""
        return time >= self.before - DISORDER
