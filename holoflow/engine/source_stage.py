"""A stage that begins with a source: it runs as fast as the source and the consumers allow."""

from __future__ import annotations

import gc
import inspect
import itertools
import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from types import GeneratorType
from typing import Any

from holoflow.core.errors import describe
from holoflow.core.message import Header, Stamped
from holoflow.core.text import duration
from holoflow.core.times import LONGEST, SECOND, Pace
from holoflow.engine.admission import Admission
from holoflow.engine.chain import Chain
from holoflow.engine.control import Control, Failure
from holoflow.engine.inputs import Call
from holoflow.engine.runner import OperatorRunner
from holoflow.engine.source_reader import END, NOTHING, Drawn, SourceReader, draw
from holoflow.engine.stage import SLICE, Output, Progress, Stage, clock
from holoflow.stats.counters import CounterBlock
from holoflow.stats.spans import TraceContext, close

MAX_BURST = 1024
"""Most frames of a fused chain between two updates of the statistics."""
LEAVE = 1.0
"""Seconds that a live source has to return from `frames()` after its end."""
ENDS_WITH_ITS_INPUT = (
    map, filter, enumerate, zip, itertools.accumulate, itertools.compress, itertools.dropwhile,
    itertools.filterfalse, itertools.pairwise, itertools.starmap, itertools.takewhile,
)  # fmt: skip
"""Iterators that end when one of the iterators they draw from ends."""


class SourceStage(Stage):
    """Draws frames from a source and passes them down the chain behind it."""

    def __init__(
        self, runners: Sequence[OperatorRunner], outputs: Mapping[str, Sequence[Output]],
        control: Control, limit: int | None, number: CounterBlock,
    ) -> None:  # fmt: skip
        """Run `runners`, the first of which is the source; end after `limit` frames.

        `number` holds the number of the next frame, in case the source is restarted.
        """
        super().__init__(runners, outputs, control)
        self.runner = runners[0]
        self._rate: float | None = getattr(self.runner.operator, "rate", None)
        """Frames per second that a device is asked for."""
        self.pauses = self.runner.results.whole.optional
        """Whether None means that there is no frame yet; else None is an invalid frame."""
        self.limit = limit
        self.sequence = number[0]
        self._number = number
        self._frames: Iterator[Any] = iter(())
        self.own_time = self.given_time = 0
        """Nanoseconds that its frames should take at the requested rate, and that they took."""
        self._placed: tuple[int, int] | None = None
        """The newest frame's position in both."""
        self._pace = Pace(hold=control.waits)
        self._held: tuple[Drawn, int] | None = None
        """A frame that is held until its time, and that time (ns); 0 if it is not held."""
        self._pace_reported = False
        """Whether it was reported that frames are not held for as long as their times say."""
        self._ending = threading.Event()
        control.endings.append(self._ending)
        self.runner.operator.context.ending = self._ending
        self._reader: SourceReader | None = None
        self.chain: Chain | None = None
        """The fast path, if it can be used."""
        plain = all(runner.plain for runner in runners) and control.recorder is None
        if len(runners) > 1 and not self.outputs and plain:
            self.chain = Chain(runners, control)
        self._burst = 1
        if any(queue.counted for queue in self._queues):
            self.admission = Admission(self.wake, self.runner.in_flight)

    def has_room(self) -> bool:
        """Whether a frame may begin: the queues have room, and not too many are under way."""
        return super().has_room() and (self.admission is None or self.admission.open())

    def begin(self) -> None:
        """Ask the started source for its frames."""
        self._frames = iter(self.runner.operator.frames())  # type: ignore[attr-defined]
        if self.runner.operator.live:
            newest = self.runner.operator.newest and not self.control.lossless
            self._reader = SourceReader(self, self._frames, newest=newest)
            self.chain = None
            self._reader.thread.start()
        # What an earlier process did not send of its last frame will never be sent.
        self.mark(self.sequence)

    @property
    def reading(self) -> bool:
        """Whether it waits for its device, or for room in another process."""
        return (self._reader is not None and self.has_room()) or super().reading

    def asleep(self) -> bool:
        """Whether, besides, it does not wait for a frame of its device."""
        return super().asleep() and (self._reader is None or not self.has_room())

    def _step(self) -> Progress:
        if self.control.draining or (self.limit is not None and self.sequence >= self.limit):
            return Progress.DONE
        full = not super().has_room()
        if self.admission is not None and not self.admission.admits(full=full):
            full = True
        if full:
            return self._wait_for_room()
        self._found_room()
        if self.unheard():
            return Progress.DONE
        if self.chain is not None:
            return self._step_burst()
        if self._held is None:
            try:
                drawn = self._next()
            except BaseException as error:
                self._source_failed(self.sequence, error)
                return Progress.WORKED
            if drawn.item is END:
                return Progress.DONE
            if drawn is NOTHING:
                return Progress.IDLE
            if drawn.item is None and self.pauses:
                return Progress.WORKED
            self._held = (drawn, self._due(drawn.item))
        drawn, due = self._held
        if due and self.control.now() < due:
            self.wake_at(due)
            return Progress.IDLE
        self._held = None
        sent = clock()
        got = drawn.got
        if due:
            self.paced += sent - got
            # It is as old as its time says, however late it was drawn.
            got = sent - max(self.control.now() - due, 0) if self.control.waits else sent
            self._place(due, sent)
        elif self._reader is None:
            got = sent
        elif self._rate:
            self._place(round(self.sequence * 1e9 / self._rate), sent)
        self._send(drawn, got, sent)
        return Progress.WORKED

    def _place(self, own: int, sent: int) -> None:
        """Note that a frame due at `own` by the requested rate is sent at `sent` (both ns)."""
        if self._placed is not None and own > self._placed[0]:
            # n frames have n - 1 intervals: the first counts twice.
            times = 1 if self.own_time else 2
            self.own_time += times * (own - self._placed[0])
            self.given_time += times * (sent - self._placed[1])
        self._placed = own, sent

    def _next(self) -> Drawn:
        """Return what the source gives next; its item is None if there is nothing yet."""
        if self._reader is not None:
            return self._reader.read()
        return draw(self._frames, self.control.captured)

    def _due(self, item: Any) -> int:
        """Return until when a frame is held, in ns of the run's clock; 0 for not at all."""
        if not (type(item) is Stamped and item.wait and item.elapsed is not None):
            return 0
        elapsed, skipped = self._pace.due(item.elapsed)
        due = self.control.begin + elapsed
        wait = due - self.control.now()
        if skipped:
            self._report_pace(
                f"by its time frame {self.sequence} of {self.runner.name} comes "
                f"{_span(skipped, self.sequence)} and is not waited for; the frames after it keep "
                f"their pace"
            )
        elif wait > LONGEST and self.control.waits:
            self._report_pace(
                f"frame {self.sequence} of {self.runner.name} is held for "
                f"{duration(wait / SECOND)}, until its time; with `paced: false` "
                "frames would not be held"
            )
        return due

    def _report_pace(self, text: str) -> None:
        """Report a deviation from the pace: the first as a warning, later ones as information."""
        self.runner.log.log(logging.INFO if self._pace_reported else logging.WARNING, "%s", text)
        self._pace_reported = True

    def _header(self, sequence: int, captured: int) -> Header:
        return Header(sequence, captured, self.runner.name)

    def _source_failed(self, sequence: int, error: BaseException) -> None:
        """Skip the frame on which the source has failed, if it can continue, or stop the run."""
        closed = isinstance(error, Exception) and _is_closed(self._frames)
        if closed and self.runner.on_error == "skip":
            self.runner.meter.failed += 1
            self.failed = True
            cause = (
                f"{describe(error)}; `on_error: skip` cannot continue here, because a generator, "
                f"like islice, ends with its first exception: let frames() return an iterator that "
                f"can continue, such as map(self.read, files)"
            )
            frame = f"frame {sequence} of {self.runner.name}"
            self.control.fail(Failure(self.runner.name, frame, cause, error))
        else:
            self.operator_failed(
                self.runner, self._header(sequence, self.control.captured()), error
            )

    def _send(self, drawn: Drawn, captured: int, sent: int) -> None:
        item, working = drawn.item, drawn.working
        header = self._header(self.sequence, drawn.captured)
        self.sequence += 1
        self._number[0] = self.sequence
        runner = self.runner
        runner.meter.frames += 1
        trace: TraceContext = ()
        if self.control.tracked:
            trace = self.control.paths.begin(runner.name, captured, sent)
            runner.meter.note(sent - working, sent, captured)
            if self._reader:
                runner.meter.overlap += working  # waiting for a device is not work
            if self.control.recorder is not None:
                self._record(runner, header, captured, sent - working, sent, ())
            if runner.sink:
                close(trace)
        if self.admission is not None:
            self._ticket = self.admission.enter()
        self.run_tail(item, header, trace, sent)
        self._ticket = None
        if self.marked:
            self.mark(self.sequence)

    def _step_burst(self) -> Progress:
        """Run a burst of frames down a chain that needs no headers and has no outputs."""
        assert self.chain is not None  # noqa: S101 - for the type checker
        size = self._burst
        if self.limit is not None:
            size = min(size, self.limit - self.sequence)
        begin = clock()
        count = self.chain.run(self._frames, size, self._burst_failed)
        self.sequence += count
        self._number[0] = self.sequence
        took = clock() - begin
        if took < SLICE // 2:
            self._burst = min(2 * self._burst, MAX_BURST)
        elif took > SLICE:
            self._burst = max(size * SLICE // took, 1)
        return Progress.DONE if self.chain.ended else Progress.WORKED

    def _burst_failed(self, runner: OperatorRunner, index: int, error: BaseException) -> bool:
        """Count the failure of `runner` on the burst's frame `index`; true if the run goes on."""
        if runner is self.runner:
            self._source_failed(self.sequence + index, error)
        else:
            header = self._header(self.sequence + index, self.control.captured())
            self.operator_failed(runner, header, error)
        return not self.failed

    def _uncount(self, runner: OperatorRunner) -> None:
        super()._uncount(runner)
        if runner is self.runner:
            self.sequence -= 1
            self._number[0] = self.sequence

    def give_up(self, runner: OperatorRunner, calls: Sequence[Call], done: int) -> None:
        """Give up the stage; count what it has done of a burst."""
        if self.chain is not None:
            self.sequence += done
            self.chain.give_up(runner, done)
        super().give_up(runner, calls, done)

    def _finish(self) -> None:
        self._stop_reading()
        super()._finish()

    def _stop_reading(self) -> None:
        self._ending.set()
        if self._reader is not None:
            self._reader.stop()

    def end(self, patience: float) -> None:
        """Wait until the device is no longer read, so that it can be closed."""
        self._stop_reading()
        if self._reader is not None:
            self._reader.thread.join(min(patience, LEAVE))
            if self._reader.thread.is_alive():
                self.runner.log.warning(
                    "%s has not returned from frames() %g s after its end and is left "
                    "behind; a source that waits with self.context.ending.wait(seconds) instead "
                    "of sleeping ends at once", self.runner.name, LEAVE,
                )  # fmt: skip

    def stalled_by(self) -> str:
        """Return what the stage waits for, as text for users."""
        if (full := super().stalled_by()) or self.has_room():
            return full or "its device"
        return "frames that are under way"


def _is_closed(frames: Any) -> bool:
    """Whether an iterator that has raised is a generator, or draws from one, that has ended."""
    if isinstance(frames, GeneratorType):
        return inspect.getgeneratorstate(frames) == inspect.GEN_CLOSED
    if isinstance(frames, itertools.islice):  # it drops the iterator it draws from when that raises
        return not gc.get_referents(frames)
    if not isinstance(frames, (*ENDS_WITH_ITS_INPUT, tuple)):
        return False
    return any(_is_closed(drawn) for drawn in gc.get_referents(frames))


def _span(step: int, sequence: int) -> str:
    """Say how far a frame is from the one before, or the first from the start of the stream."""
    where = "the one before it" if sequence else "the begin of the stream"
    return f"{duration(abs(step) / SECOND)} {'after' if step > 0 else 'before'} {where}"
