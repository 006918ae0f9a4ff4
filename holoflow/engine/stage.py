"""A stage at work: what every stage does in a tick, whatever its first operator is."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any, TypeAlias

from holoflow.core.errors import describe
from holoflow.core.message import Header
from holoflow.engine.control import Control, Failure, Worker
from holoflow.engine.inputs import Call
from holoflow.engine.queue import Message, Queue
from holoflow.engine.remote import RemoteOutput
from holoflow.engine.runner import OperatorRunner
from holoflow.link.ends import Notifier
from holoflow.link.wire import WireError
from holoflow.stats.operator_stats import MOST_CALLS
from holoflow.stats.records import OpenCall
from holoflow.stats.spans import TraceContext, close, extend

SLICE = 1_000_000
"""Nanoseconds a stage may work in one tick while there is work: ticks cost tens of
microseconds in Holoscan, so that a slice amortises them; longer ones would delay others."""

SAMPLED = 17
"""Short ticks of which one is asked for its CPU time: that is a system call. A prime, so that it
does not fall in step with ticks without work."""

LONG = 100_000
"""Nanoseconds of a tick whose follower is asked for its CPU time anyway."""

PATIENCE = 2
"""Ticks without work before a stage goes to sleep: waking costs more than looking again."""

LOST = ("crash", "stopped")
"""Causes of drops at a flow whose consumer has not ended in good order."""

clock = time.monotonic_ns

Output: TypeAlias = Queue | RemoteOutput
"""What takes the messages of an output port."""


class Progress(Enum):
    """What came of a step or a tick."""

    WORKED = "worked"
    IDLE = "idle"
    DONE = "done"


class Stage:
    """A chain of operators that is scheduled as one.

    An engine calls `tick` until it is done; ticks of one stage never overlap. Between ticks a
    stage that found nothing to do may sleep until `wake` is called, by whoever puts into its
    inputs, takes from its outputs, by a timer, or by the end of the run.
    """

    def __init__(
        self,
        runners: Sequence[OperatorRunner],
        outputs: Mapping[str, Sequence[Output]],
        control: Control,
    ) -> None:
        """Run `runners` in a chain, the last of which feeds `outputs`."""
        self.name = "+".join(runner.name for runner in runners)
        self.runners = list(runners)
        self.outputs = {port: list(queues) for port, queues in outputs.items()}
        self.control = control
        self.finished = False
        self.failed = False
        self.ticks = 0
        self.schedule: Callable[[], None] | None = None
        """Set by the engine: have a sleeping stage scheduled again."""
        self.park: Callable[[], None] | None = None
        """Set by the engine: have the stage scheduled no more until it is roused."""
        self.signalled = True
        self.sleeping = False
        self.held = 0
        """Nanoseconds in which it could not begin for want of room behind it."""
        self.paced = 0
        """Nanoseconds in which a frame was held back until its time."""
        self.cpu = 0
        self.cpu_of = 0
        """CPU nanoseconds of some ticks, and how long these took."""
        self.fused = [f"{runner.name} fused" for runner in runners]
        """Names of the flow into each operator of the chain; the first is none."""
        self._thread = 0
        self._worker = Worker("")
        """The thread that has ticked it last: it changes seldom."""
        self._long = False
        """Whether the last tick with work was a long one."""
        self._held_since: int | None = None
        self._gives: list[tuple[str, int]] = []
        self._patience = 0
        self._alarm: int | None = None
        self._lock = threading.Lock()
        self._queues = [queue for queues in self.outputs.values() for queue in queues]
        for queue in self._queues:
            queue.producer = self
        self._remote_outputs = [queue for queue in self._queues if isinstance(queue, RemoteOutput)]
        self.marked = [queue for queue in self._queues if queue.marks]
        """Outputs that tell how many frames of their origin are through."""
        self.linked = bool(self._remote_outputs)
        """Whether it has a neighbour in another process."""
        self.linger = 0
        """Nanoseconds after its last work that it keeps looking for more, if it has one."""
        self.notifier: Notifier | None = None
        """Where it waits in place of being scheduled no more, if it has a thread for itself."""
        self._waiting = False
        self._worked = 0
        """When it last did."""
        self.since = 0
        """When the step that goes on now began (ns); 0 between ticks."""

    @property
    def reading(self) -> bool:
        """Whether it waits for a device or another process, and so cannot be said to be stalled."""
        # Even where there is room by now: whoever made it may not have said so yet.
        return bool(self._remote_outputs) and self._held_since is not None

    @property
    def resting(self) -> bool:
        """Whether it does nothing until it is woken."""
        return not (self.signalled or self.since) and (self.sleeping or self._waiting)

    def asleep(self) -> bool:
        """Whether nothing but another stage, here or in another process, makes it go on."""
        if not self.resting:
            return False
        return self._held_since is None or not self.has_room()

    # -- sleeping and waking ---------------------------------------------------------------

    def wake(self) -> None:
        """Have the stage looked at again. From any thread, at little cost while it is awake."""
        self.signalled = True
        if self.sleeping:
            self._schedule()
        elif self._waiting and self.notifier is not None:
            self.notifier.ring()

    def _schedule(self) -> None:
        with self._lock:
            if self.sleeping:
                self.sleeping = False
                if self.schedule is not None:
                    self.schedule()

    def _sleep(self) -> None:
        with self._lock:
            self.sleeping = True
            if self.park is not None:
                self.park()
        # Whoever signalled before it could see the stage asleep is answered here.
        if self.signalled or self._called_from_outside():
            self._schedule()

    def _wait(self, notifier: Notifier) -> None:
        """Sleep in the thread that ticks it."""
        self._waiting = True
        if not (self.signalled or self._called_from_outside()):
            notifier.wait()
        self._waiting = False

    def _called_from_outside(self) -> bool:
        """Have other processes wake the stage from now on; whether one of them already would."""
        if self._held_since is None:
            return False
        held = [
            remote_outputs
            for remote_outputs in self._remote_outputs
            if not remote_outputs.has_room()
        ]
        # Where there is room by now, nobody else is going to say so.
        return self.has_room() or any(
            remote_outputs.about_to_sleep(self.notifier) for remote_outputs in held
        )

    # -- working ---------------------------------------------------------------------------

    def tick(self) -> Progress:
        """Work for a slice of time at most; with a thread for itself, until asleep or done."""
        progress = self._work()
        # The thread is kept: the engine would take a while to come back, maybe in another one,
        # on another core, with cold caches.
        while self.notifier is not None and not (progress is Progress.DONE or self.sleeping):
            progress = self._work()
        return progress

    def _work(self) -> Progress:
        self.ticks += 1
        self.signalled = False
        if self._alarm is not None and self.control.now() >= self._alarm:
            self._alarm = None
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
            for remote_outputs in self._remote_outputs:
                remote_outputs.flush()
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
            self._worked = now
            return progress
        self._patience += 1
        if self._patience <= PATIENCE or self.signalled:
            return progress
        if self.linked and clock() - self._worked < self.linger:
            os.sched_yield()  # others may need the processor
        elif self.notifier is not None and self.awaits_event():
            self._wait(self.notifier)
        else:
            self._sleep()
        return progress

    def _relieve(self) -> None:
        """Fold what has piled up, where the run's observer does not keep up."""
        for runner in self.runners:
            if len(runner.meter.calls) > MOST_CALLS:
                runner.meter.fold()

    def wake_at(self, due: int) -> None:
        """Have the stage woken at `due`, a time of the run's clock in nanoseconds."""
        # One alarm at a time; who is woken before it is due asks again.
        if self._alarm is None or due < self._alarm:
            self._alarm = due
            self.control.wake_at(due, self.wake)

    def awaits_event(self) -> bool:
        """Whether something outside of the run's stages will wake it: a device, a timer."""
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
        """Do one piece of work; what only passes messages on to Holoscan has none."""
        return Progress.IDLE

    def unheard(self) -> bool:
        """Whether all who took what it sends have ended."""
        for queue in self._queues:
            if queue.abandoned is None:
                return False
        return bool(self._queues)

    def deserted(self) -> bool:
        """Whether all who took what it sends, in other processes, are lost for good."""
        return bool(self._remote_outputs) and all(queue.abandoned in LOST for queue in self._queues)

    def has_room(self) -> bool:
        """Whether a frame may begin: every blocking flow out has room for its messages."""
        for queue in self._queues:  # noqa: SIM110 - asked for every frame
            if not queue.has_room():
                return False
        return True

    def _wait_for_room(self) -> Progress:
        """Note that there is work, or may be, but no room for what comes of it."""
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
        """Pass what the first operator gave through the rest of the chain and send it on.

        `trace` has the hop of the first operator, which ended `now`.
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
                trace = extend(trace, runner.stop, now, end)
                meter.calls.append(trace[0])
                if self.control.recorder is not None:
                    self._record(runner, header, now, now, end, takes)
                now = end
                if runner.ending:
                    self._ended_at(runner, trace, end)

    def _ended_at(self, runner: OperatorRunner, trace: TraceContext, end: int) -> None:
        """Count a frame for the budgets that end at `runner`, and close its ways at a sink."""
        for budget in runner.budgets:
            budget.add(trace, end)
        if runner.sink:
            close(trace)

    def _deliver(
        self, runner: OperatorRunner, result: Any, header: Header, trace: TraceContext
    ) -> None:
        """Put what the last operator gave into the queues behind its ports."""
        try:
            sends = runner.results.sends(result)
        except TypeError as error:
            self._gave_wrong(runner, header, trace, error)
            return
        for port, payload in sends:
            runner.meter.sent += 1
            queues = self.outputs.get(port)
            if queues:
                message = Message(payload, header, trace)
                if self.control.recorder is not None:
                    message.number = self.control.recorder.number()
                    self._gives.extend((queue.name, message.number) for queue in queues)
                try:
                    for queue in queues:
                        queue.put(message)
                except WireError as error:
                    self.operator_failed(runner, header, error)
                    return

    def mark(self, frames: int) -> None:
        """Tell joins that of the first `frames` frames of the origin nothing more will be sent."""
        for output in self.marked:
            output.mark(frames)

    # -- records ---------------------------------------------------------------------------

    def _record(
        self, runner: OperatorRunner, header: Header, arrived: int, start: int, end: int,
        takes: tuple[tuple[str, int], ...],
    ) -> None:  # fmt: skip
        """Keep a call; what it sends is added to its record as it is sent."""
        recorder = self.control.recorder
        assert recorder is not None  # noqa: S101 - for the type checker
        call = OpenCall(
            runner.name, threading.get_ident(), header.source, header.sequence, arrived, start, end,
            takes,
        )  # fmt: skip
        self._gives = call.gives
        recorder.add(call)

    def _number_fused(self, index: int) -> tuple[tuple[str, int], ...]:
        """Give a number to the message that passes to the operator at `index` of the chain."""
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
        """Count as failed a call of `runner` that had ended, but gave what it may not."""
        if trace and runner is not self.runners[0]:
            runner.ages.add(clock() - trace[0][4])
        self._uncount(runner)
        self.operator_failed(runner, header, error)

    def _uncount(self, runner: OperatorRunner) -> None:
        """Take back that a call of `runner` has ended well: what it gave is wrong."""
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
        """End the run because of `error`; what has passed this stage is drained."""
        self.failed = True
        self.control.fail(Failure(runner.name, frame, describe(error), error))

    def give_up(self, runner: OperatorRunner, calls: Sequence[Call], done: int) -> None:  # noqa: ARG002
        """Do without the stage: its operator `runner` does not return, and may never do.

        From another thread than that which is in it. `calls` are what it has taken, and `done`
        how many frames its source has given since they were last counted.
        """
        runner.meter.failed += len(calls) or 1
        self.failed = True
        self._finish()

    def _finish(self) -> None:
        """Let go of the inputs and end the outputs."""
        self.finished = True
        self._found_room()
        cause = "stopped" if self.failed or self.control.aborted else "end"
        self._release_inputs(cause)
        for queue in self._queues:
            queue.close()

    def _release_inputs(self, cause: str) -> None:
        """Drop what waits at the inputs."""

    def _release(self, queue: Queue, cause: str) -> None:
        """Take nothing more from `queue`; in another process its messages wait for the next one."""
        if queue.inlet is not None and self.control.comes_back():
            if not queue.closed:
                queue.inlet.suspend()
            queue.closed = True
        else:
            queue.abandon(cause)

    def end(self, patience: float) -> None:
        """Let go of what lives between ticks, for `patience` seconds at most; the run is over."""

    def stalled_by(self) -> str:
        """Say what the stage waits for."""
        full = [q for q in self._queues if not q.has_room()]
        names = ", ".join(f"{q.flow.target}{q.place}" for q in full)
        return f"room in the queue of {names}" if full else ""
