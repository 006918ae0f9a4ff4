"""Stages: what every stage does in a tick, whatever its first operator is."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any, TypeAlias

from holoflow.core.errors import describe
from holoflow.core.message import Header
from holoflow.engine.admission import Admission, Ticket
from holoflow.engine.control import Control, Failure, Worker
from holoflow.engine.copies import PendingCall
from holoflow.engine.inputs import Call
from holoflow.engine.queue import Message, Queue
from holoflow.engine.remote import RemoteOutput
from holoflow.engine.runner import OperatorRunner
from holoflow.engine.sleeper import Sleeper
from holoflow.link.wire import WireError
from holoflow.stats.causes import Cause
from holoflow.stats.operator_stats import MOST_CALLS
from holoflow.stats.records import OpenCall
from holoflow.stats.spans import TraceContext, close, extend

SLICE = 1_000_000
"""Most nanoseconds that a stage works in one tick: a tick costs tens of microseconds in Holoscan,
which a slice amortises; longer slices would delay other stages."""

SAMPLED = 17
"""One in this many short ticks is asked for its CPU time, which takes a system call. A prime, so
that it does not fall into step with ticks without work."""

LONG = 100_000
"""Nanoseconds of a tick after which the next is asked for its CPU time anyway."""

PATIENCE = 2
"""Ticks without work before a stage goes to sleep: waking costs more than polling again."""

LOST = ("crash", "stopped")
"""Causes of drops at a flow whose consumer has not ended regularly."""

clock = time.monotonic_ns

Output: TypeAlias = Queue | RemoteOutput
"""What takes the messages of an output port."""


class Progress(Enum):
    """What came of a step or a tick."""

    WORKED = "worked"
    IDLE = "idle"
    DONE = "done"


class Stage(Sleeper):
    """A chain of operators that is scheduled as one.

    An engine calls `tick` until the stage is done; ticks of one stage never overlap. Between ticks
    a stage without work may sleep until `wake` is called: by a producer of its inputs, a consumer
    of its outputs, a timer, or the end of the run.
    """

    def __init__(
        self,
        runners: Sequence[OperatorRunner],
        outputs: Mapping[str, Sequence[Output]],
        control: Control,
    ) -> None:
        """Run `runners` in a chain, the last of which feeds `outputs`."""
        super().__init__()
        self.name = "+".join(runner.name for runner in runners)
        self.runners = list(runners)
        self.outputs = {port: list(queues) for port, queues in outputs.items()}
        self.control = control
        self.finished = False
        self.failed = False
        self.ticks = 0
        self.held = 0
        """Nanoseconds for which it could not begin because there was no room behind it."""
        self.paced = 0
        """Nanoseconds for which frames were held until their time."""
        self.cpu = 0
        self.cpu_of = 0
        """CPU nanoseconds of some ticks, and how long these ticks took."""
        self.fused = [f"{runner.name} fused" for runner in runners]
        """Names of the flow into each operator of the chain; the first is not used."""
        self._thread = 0
        self._worker = Worker("")
        """The thread that ticked it last; it seldom changes."""
        self._long = False
        """Whether the last tick with work was long."""
        self._held_since: int | None = None
        self._gives: list[tuple[str, int]] = []
        self._patience = 0
        self._alarm: int | None = None
        self._ticket: Ticket | None = None
        """That of the frame of which something is being sent, if frames under way are counted."""
        self.changes: dict[tuple[str, str], Callable[[], None]] = {}
        """Changes of its operators' parameters, to be made between two frames: the newest of each,
        by operator and parameter."""
        self.admission: Admission | None = None
        """Which frames may begin, of a source whose frames wait somewhere."""
        self._queues = [queue for queues in self.outputs.values() for queue in queues]
        for queue in self._queues:
            queue.producer = self
        self._remote_outputs = [queue for queue in self._queues if isinstance(queue, RemoteOutput)]
        self.marked = [queue for queue in self._queues if queue.marks]
        """Outputs that carry a watermark: how many frames of their origin are done."""
        self.linked = bool(self._remote_outputs)
        """Whether it sends to or receives from another process."""
        self.linger = 0
        """Nanoseconds after its last work for which it keeps polling, if `linked`."""
        self.worked = 0
        """When it last worked (ns)."""
        self.since = 0
        """When the current step began (ns); 0 between ticks."""

    @property
    def reading(self) -> bool:
        """Whether it waits for a device or another process, and so cannot be said to be stalled."""
        # Even if there is room by now: the process that made it may not have signalled yet.
        return bool(self._remote_outputs) and self._held_since is not None

    @property
    def oldest(self) -> PendingCall | None:
        """A call that goes on in another thread, the oldest of several; None: there is none."""
        return None

    @property
    def at_work(self) -> bool:
        """Whether a call goes on."""
        return bool(self.since)

    def asleep(self) -> bool:
        """Whether only another stage, here or in another process, can make it continue."""
        if not self.resting:
            return False
        return self._held_since is None or not self.has_room()

    def _called_from_outside(self) -> bool:
        """Have other processes wake the stage from now on; true if one would do so already."""
        if self._held_since is None:
            return False
        held = [output for output in self._remote_outputs if not output.has_room()]
        # If there is room by now, no other process will signal it again.
        return self.has_room() or any(output.about_to_sleep(self.notifier) for output in held)

    # -- working ---------------------------------------------------------------------------

    def tick(self) -> Progress:
        """Work for at most one slice of time; with a thread of its own, until asleep or done."""
        progress = self._work()
        # The thread is kept: the engine would take a while to return, maybe in another thread
        # on another core with cold caches.
        while self.notifier is not None and not (progress is Progress.DONE or self.sleeping):
            progress = self._work()
        return progress

    def _work(self) -> Progress:
        self.ticks += 1
        self.signalled = False
        if self._alarm is not None and self.control.now() >= self._alarm:
            self._alarm = None
        if self.changes:
            self.change()
        begin = now = clock()
        sampled = self.control.tracked and (self._long or self.ticks % SAMPLED == 0)
        cpu = time.thread_time_ns() if sampled else 0
        progress = Progress.IDLE
        while True:
            self.since = now
            step = self._guarded_step()
            if step is not Progress.WORKED:
                break
            progress = step
            now = clock()
            if now - begin >= SLICE:
                self.signalled = True
                break
        self.since = 0
        if step is Progress.IDLE:
            for output in self._remote_outputs:
                output.flush()
        if progress is Progress.WORKED and self.control.tracked:
            thread = threading.get_ident()
            if thread != self._thread:
                self._thread, self._worker = thread, self.control.worker()
            self._worker.busy += now - begin
            self._long = now - begin > LONG
            if sampled:
                self.cpu += time.thread_time_ns() - cpu
                self.cpu_of += now - begin
                self._relieve()
        if step is Progress.DONE:
            self._finish()
            return step
        if progress is Progress.WORKED:
            self._patience = 0
            self.worked = now
            return progress
        self._patience += 1
        if self._patience <= PATIENCE or self.signalled:
            return progress
        if self.linked and clock() - self.worked < self.linger:
            os.sched_yield()  # others may need the processor
        elif self.notifier is not None and self.awaits_event():
            self._wait(self.notifier)
        else:
            self._sleep()
        return progress

    def change(self) -> None:
        """Change parameters of its operators, if no frame is at them."""
        while self.changes:
            self.changes.popitem()[1]()

    def _relieve(self) -> None:
        """Fold what has accumulated, if the run's observer does not keep up."""
        for runner in self.runners:
            if len(runner.meter.calls) > MOST_CALLS:
                runner.meter.fold()

    def wake_at(self, due: int) -> None:
        """Wake the stage at `due`, a time of the run's clock in nanoseconds."""
        # One alarm at a time; a stage that is woken before its time asks again.
        if self._alarm is None or due < self._alarm:
            self._alarm = due
            self.control.wake_at(due, self.wake)

    def awaits_event(self) -> bool:
        """Whether something other than the stages of the run will wake it: a device, a timer."""
        return self.reading or self._alarm is not None

    def begin(self) -> None:
        """Get ready for the first tick; the operators have been started."""

    def _guarded_step(self) -> Progress:
        if self.failed or self.finished or self.control.aborted:
            return Progress.DONE
        try:
            return self._step()
        except BaseException as error:
            self.fail(self.runners[0], "", error)
            return Progress.DONE

    def _step(self) -> Progress:
        """Do one piece of work; a stage that only passes messages to Holoscan has none."""
        return Progress.IDLE

    def unheard(self) -> bool:
        """Whether all consumers of its outputs have ended."""
        for queue in self._queues:
            if queue.abandoned is None:
                return False
        return bool(self._queues)

    def deserted(self) -> bool:
        """Whether all consumers of its outputs are in other processes and lost for good."""
        return bool(self._remote_outputs) and all(queue.abandoned in LOST for queue in self._queues)

    def has_room(self) -> bool:
        """Whether a frame may begin: every blocking output has room for its messages."""
        for queue in self._queues:  # noqa: SIM110 - asked for every frame
            if not queue.has_room():
                return False
        return True

    def _wait_for_room(self) -> Progress:
        """Note that there is work, or may be, but no room for its results."""
        if self._held_since is None:
            self._held_since = clock()
        return Progress.IDLE

    def _found_room(self) -> None:
        """Note that there is room again."""
        if self._held_since is not None:
            now = clock()
            self.held += now - self._held_since
            self._held_since = None
            if self.runners and self.control.tracked:
                self.runners[0].meter.rooms.append(now)

    def run_tail(self, result: Any, header: Header, trace: TraceContext, now: int) -> None:
        """Pass the result of the first operator through the rest of the chain and send it on.

        Args:
            result: What the first operator returned.
            header: The header of the frame.
            trace: The trace of the frame, with the span of the first operator.
            now: When the first operator ended (ns).
        """
        runners = self.runners
        last = len(runners) - 1
        index = 0
        while True:
            runner = runners[index]
            results = runner.results
            try:
                if runner.ports.stamped:
                    result, header = results.unstamped(result, header, self.control.begin)
                whole = results.whole
                if type(result) is not whole.last and not whole.gives(result):
                    return
            except Exception as error:
                self._gave_wrong(runner, header, trace, error)
                return
            if result is None:
                return  # a sink's
            if index == last:
                self._deliver(runner, result, header, trace)
                return
            runner.meter.sent += 1
            index += 1
            runner = runners[index]
            takes = self._number_fused(index)
            try:
                if runner.ports.header is not None:
                    result = runner.call(result, **{runner.ports.header: header})  # type: ignore[misc]
                else:
                    result = runner.call(result)  # type: ignore[misc]
            except BaseException as error:
                if trace:
                    runner.ages.add(clock() - trace[0][4])
                self.operator_failed(runner, header, error)
                return
            meter = runner.meter
            meter.frames += 1
            if trace:
                end = clock()
                trace = extend(trace, runner.step, now, end)
                meter.calls.append(trace[0])
                if self.control.recorder is not None:
                    self._record(runner, header, now, now, end, takes)
                now = end
                if runner.ending:
                    self._ended_at(runner, trace, end)

    def _ended_at(self, runner: OperatorRunner, trace: TraceContext, end: int) -> None:
        """Count a frame for the budgets that end at `runner`, and close its trace at a sink."""
        for budget in runner.budgets:
            budget.add(trace, end)
        if runner.sink:
            close(trace)

    def _deliver(
        self, runner: OperatorRunner, result: Any, header: Header, trace: TraceContext
    ) -> None:
        """Put the result of the last operator into the queues behind its ports."""
        try:
            sends = runner.results.sends(result)
        except TypeError as error:
            self._gave_wrong(runner, header, trace, error)
            return
        for port, payload in sends:
            runner.meter.sent += 1
            queues = self.outputs.get(port)
            if queues:
                number = 0
                if self.control.recorder is not None:
                    number = self.control.recorder.number()
                try:
                    # One for each queue: whoever takes it lets go of the ticket in his own time.
                    for queue in queues:
                        ticket = self._ticket if queue.counted else None
                        queue.put(Message(payload, header, trace, number, ticket))
                        if number:
                            self._gives += queue.given(number)
                except WireError as error:
                    self.operator_failed(runner, header, error)
                    return

    def mark(self, frames: int) -> None:
        """Tell joins that nothing more will be sent for the first `frames` frames of the origin."""
        for output in self.marked:
            output.mark(frames)

    # -- records ---------------------------------------------------------------------------

    def _record(
        self, runner: OperatorRunner, header: Header, arrived: int, start: int, end: int,
        takes: tuple[tuple[str, int], ...],
    ) -> None:  # fmt: skip
        """Record a call; messages are added to its record as they are sent."""
        recorder = self.control.recorder
        assert recorder is not None  # noqa: S101 - for the type checker
        call = OpenCall(
            runner.name, threading.get_ident(), header.source, header.sequence, arrived, start, end,
            takes,
        )  # fmt: skip
        self._gives = call.gives
        recorder.add(call)

    def _number_fused(self, index: int) -> tuple[tuple[str, int], ...]:
        """Assign a number to the message that passes to the operator at `index` of the chain."""
        recorder = self.control.recorder
        if recorder is None:
            return ()
        message = (self.fused[index], recorder.number())
        self._gives.append(message)
        return (message,)

    # -- ending ----------------------------------------------------------------------------

    def _gave_wrong(
        self, runner: OperatorRunner, header: Header, trace: TraceContext, error: Exception
    ) -> None:
        """Count a call of `runner` as failed that has returned something invalid."""
        if trace and runner is not self.runners[0]:
            runner.ages.add(clock() - trace[0][4])
        self._uncount(runner)
        self.operator_failed(runner, header, error)

    def _uncount(self, runner: OperatorRunner) -> None:
        """Uncount the success of a call of `runner` that has returned something invalid."""
        runner.meter.frames -= 1

    def operator_failed(self, runner: OperatorRunner, header: Header, error: BaseException) -> None:
        """Skip the frame or stop the run, as the operator's `on_error` says."""
        runner.meter.failed += 1
        frame = f"frame {header.sequence} of {header.source}"
        if runner.on_error == "skip" and isinstance(error, Exception):
            runner.meter.skipped += 1
            runner.log.warning(
                "skipped %s (timestamp %d ns): %s", frame, header.timestamp, describe(error)
            )
        else:
            self.fail(runner, frame, error)

    def fail(self, runner: OperatorRunner, frame: str, error: BaseException) -> None:
        """Fail the run because of `error`; what has passed this stage is drained."""
        self.failed = True
        self.control.fail(Failure(runner.name, frame, describe(error), error))

    def give_up(self, runner: OperatorRunner, calls: Sequence[Call], done: int) -> None:  # noqa: ARG002
        """Give up the stage because its operator `runner` does not return, and may never do so.

        Called from another thread than the one that is in the operator.

        Args:
            runner: The operator that does not return.
            calls: The calls that the stage has taken.
            done: Number of frames that its source has given since they were last counted.
        """
        runner.meter.failed += len(calls) or 1
        self.failed = True
        self._finish()

    def _finish(self) -> None:
        """Release the inputs and end the outputs."""
        self.finished = True
        self._found_room()
        self._release_inputs("stopped" if self.failed or self.control.aborted else "end")
        for queue in self._queues:
            queue.close()

    def _release_inputs(self, cause: Cause) -> None:
        """Drop what waits at the inputs."""

    def _release(self, queue: Queue, cause: Cause) -> None:
        """Take nothing more from `queue`; messages from other processes wait for a restart."""
        if queue.inlet is not None and self.control.comes_back():
            if not queue.closed:
                queue.inlet.suspend()
            queue.closed = True
        else:
            queue.abandon(cause)

    def end(self, patience: float) -> None:
        """Release what outlives a tick, waiting at most `patience` seconds; the run is over."""

    def stalled_by(self) -> str:
        """Return what the stage waits for, as text for users."""
        full = [q for q in self._queues if not q.has_room()]
        names = ", ".join(f"{q.flow.target}{q.place}" for q in full)
        return f"room in the queue of {names}" if full else ""
