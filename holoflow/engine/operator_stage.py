"""A stage that begins with an operator: it processes what arrives at its inputs."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from holoflow.core.errors import describe
from holoflow.core.operator import Batching
from holoflow.engine.control import Control
from holoflow.engine.copies import Copies, Copy, PendingCall
from holoflow.engine.inputs import Call, Inputs, Part
from holoflow.engine.queue import Queue, widened
from holoflow.engine.results import check_batch
from holoflow.engine.runner import OperatorRunner
from holoflow.engine.stage import Output, Progress, Stage, clock
from holoflow.link.ends import Inlet
from holoflow.stats.causes import Cause
from holoflow.stats.counters import ARRIVED, CLOSED, SENT
from holoflow.stats.spans import TraceContext, close, extend


class OperatorStage(Stage):
    """Takes calls from its inputs, one at a time or in batches."""

    def __init__(
        self, runners: Sequence[OperatorRunner], inputs: Inputs,
        outputs: Mapping[str, Sequence[Output]], control: Control,
    ) -> None:  # fmt: skip
        """Run `runners` on the calls that `inputs` give."""
        super().__init__(runners, outputs, control)
        self.inputs = inputs
        self._unfinished: tuple[Iterator[Any], Call] | None = None
        self.batching: Batching | None = None
        """How its operator takes batches, if it does; known once the operator has started."""
        self._joins = False
        """Whether a call may need several messages, or wait for others."""
        self._batch: list[Call] = []
        self._apart = False
        """Whether the rest of the batch is processed one at a time because the batch failed."""
        self._results: deque[tuple[Call, int, int, Any]] = deque()
        """Results of the last batch, each with its call, start and end (ns), yet to be sent."""
        self._called: Call | None = None
        """The call whose result is being sent on."""
        self._batch_due: int | None = None
        self._copies: Copies | None = None
        """What makes its calls, if several are made at once."""
        self._linked: list[tuple[Queue, Inlet]] = []
        """The inputs that other processes feed."""
        for queue in inputs.queues:
            queue.consumer = self
            queue.capacity = widened(queue.capacity, returns=queue.producer is self)

    def begin(self) -> None:
        """Read the batch settings of the started operator, and make room for its batches."""
        self._linked = [(q, q.inlet) for q in self.inputs.queues if q.inlet is not None]
        self.linked = self.linked or bool(self._linked)
        self.batching = self.runners[0].operator.batching()
        self._joins = len(self.inputs.queues) > 1 or self.batching is not None
        if self.batching is not None:
            for queue in self.inputs.queues:
                queue.capacity = widened(queue.capacity, returns=False, batch=self.batching.size)

    @property
    def may_spread(self) -> bool:
        """Whether several calls may be made at once."""
        # With several inputs it could not be said, after a crash, which messages were held.
        unclear = self.control.durable and len(self.inputs.queues) > 1
        return self.batching is None and not unclear

    def spread(self, copies: Sequence[Copy]) -> None:
        """Have all calls made by `copies` from now on, one by each at once."""
        self._copies = Copies(self.name, copies, self._make)

    @property
    def oldest(self) -> PendingCall | None:
        """The call that was begun first of those that copies make, and has not ended."""
        running = [] if self._copies is None else list(self._copies.jobs)
        return next((job for job in running if job.start and not job.done), None)

    @property
    def at_work(self) -> bool:
        """Whether a call goes on, here or in a copy."""
        return super().at_work or bool(self._copies and self._copies.jobs)

    def awaits_event(self) -> bool:
        """Whether something else than stages will wake it: a copy that has ended, or a timer."""
        return bool(self._copies and self._copies.jobs) or super().awaits_event()

    @property
    def reading(self) -> bool:
        """Whether it waits for another process."""
        return any(not queue.closed for queue, _ in self._linked) or super().reading

    def asleep(self) -> bool:
        """Whether, besides, no message that it would take is on its way to it."""
        return super().asleep() and (
            not self.has_room() or not any(_wakes(queue) for queue, _ in self._linked)
        )

    def _called_from_outside(self) -> bool:
        come = False
        for queue, inlet in self._linked:
            if not queue.closed and len(queue.items) < queue.capacity:
                come |= not inlet.about_to_sleep(self.notifier)
        # Without room nothing is taken, and waking would only poll what is there forever.
        come = come and self._held_since is None
        return super()._called_from_outside() or come

    def _step(self) -> Progress:
        if not self.has_room():
            return self._wait_for_room()
        self._found_room()
        if self.deserted():
            return Progress.DONE
        for _, inlet in self._linked:
            inlet.poll()
        if self._unfinished is not None:
            return Progress.DONE if self.unheard() else self._resume()
        if self._results:
            self._ended(*self._results.popleft())
            self._acknowledge()
            return Progress.WORKED
        if self.batching is not None:
            return self._gather(self.batching)
        if self._copies is not None:
            return self._step_copies(self._copies)
        if self.inputs.ready():
            call = self._take()
            if call is not None:
                self._call(call)
            self._acknowledge()
            return Progress.WORKED
        if self.inputs.ended():
            return Progress.DONE
        self._mark()
        return Progress.IDLE

    @property
    def copied_apart(self) -> bool:
        """Whether it has copies that are processes."""
        return self._copies is not None and self._copies.apart

    def change(self) -> None:
        """Change parameters of its operators, if no frame is at them."""
        if self._unfinished is None and not (self._copies is not None and self._copies.jobs):
            super().change()

    def _step_copies(self, copies: Copies) -> Progress:
        """Send the result that is next in order, or have another call made."""
        job = copies.take()
        if job is not None:
            self.cpu += job.cpu
            self.cpu_of += job.end - job.start
            if job.error is None:
                self._ended(job.call, job.start, job.end, job.result)
            else:
                self._failed(job.call)
                self.operator_failed(self.runners[0], job.call.header, job.error)
        elif len(copies.jobs) < copies.count and not self.changes and self.inputs.ready():
            call = self._take()
            if call is not None:
                copies.begin(call)
        else:
            self._mark()
            return Progress.DONE if not copies.jobs and self.inputs.ended() else Progress.IDLE
        self._acknowledge()
        return Progress.WORKED

    def _make(self, job: PendingCall, copy: Copy) -> None:
        """Make the call of `job`, in a thread of its own, and have its result sent on."""
        cpu = copy.cpu()
        job.start = clock()
        try:
            job.result = copy.call_with(job.call.arguments, job.call.header)
        except BaseException as error:
            job.error = error
        job.end = clock()
        job.cpu = copy.cpu() - cpu
        self.control.worker().busy += job.end - job.start
        job.done = True
        self.wake()

    def _acknowledge(self) -> None:
        """Record what is held, so that it is known if the process dies, and what is done."""
        if self._copies is not None and self.control.durable:
            self.inputs.queues[0].acknowledge(len(self._copies.jobs))
        elif self.control.durable and not (self._unfinished or self._batch or self._results):
            self.inputs.acknowledge()
        self._mark()

    def _mark(self) -> None:
        """Tell joins behind for how many frames nothing more will be sent."""
        if not self.marked:
            return
        if self._unfinished is not None:
            self.mark(self._unfinished[1].header.sequence)
        elif self._results:
            self.mark(self._results[0][0].header.sequence)
        elif self._batch:
            self.mark(self._batch[0].header.sequence)
        elif self._copies is not None and self._copies.jobs:
            self.mark(self._copies.jobs[0].call.header.sequence)
        else:
            self.mark(self.inputs.passed())

    def _take(self) -> Call | None:
        """Take the next call; None if its frame is too late for a budget, and was dropped."""
        call = self.inputs.pop()
        for budget in self.runners[0].deadlines:
            if any(budget.drops(message.trace, clock()) for _, message in call.parts):
                self._failed(call, "late")
                return None
        return call

    def _call(self, call: Call) -> None:
        runner = self.runners[0]
        start = clock()
        try:
            result = runner.call_with(call.arguments, call.header)
            if runner.ports.generator:
                # A generator works when it is asked for results.
                self._unfinished = (runner.results.each(result), call)
                if self.control.tracked:
                    self._waited(call.parts, start)
                return
        except BaseException as error:
            self._failed(call)
            self.operator_failed(runner, call.header, error)
            return
        end = clock()
        self._ended(call, start, end, result)

    def _ended(self, call: Call, start: int, end: int, result: Any) -> None:
        self.runners[0].meter.frames += 1
        self._send(result, call, self._track(call, start, end), end)
        call.release()

    def _failed(self, call: Call, cause: Cause = "error") -> None:
        """Count the messages of a call as dropped by `cause`."""
        self.inputs.failed(call, cause)
        call.release()

    def _send(self, result: Any, call: Call, trace: TraceContext, end: int) -> None:
        """Pass on a result of `call`."""
        self._called = call
        self._ticket = call.parts[0][1].ticket
        self.run_tail(result, call.header, trace, end)
        self._called = self._ticket = None

    def _track(self, call: Call, start: int, end: int) -> TraceContext:
        """Count a call, or a result of it, and return the trace of what comes of it."""
        control = self.control
        if not control.tracked:
            return ()
        runner = self.runners[0]
        queue, leader = call.parts[0]
        before = leader.trace
        if self._joins:
            trace = self._join(call.parts, start, end)
            complete = max(message.trace[0][3] for _, message in call.parts)
            runner.meter.completes.append(call.complete or complete)
            span_ = extend(before[:1], queue.step, start, end)[0]
        else:
            trace = extend(before, queue.step, start, end)
            span_ = trace[0]
        runner.meter.calls.append(span_)
        if control.recorder is not None:
            takes = tuple((queue.name, message.number) for queue, message in call.parts)
            self._record(runner, call.header, before[0][3], start, end, takes)
        if runner.ending:
            self._ended_at(runner, trace, end)
        return trace

    def _join(self, parts: list[Part], start: int, end: int) -> TraceContext:
        """Join the traces of several messages, that of the message that arrived last first.

        A trace that arrives by a back edge ends here.
        """
        if not self.runners[0].ports.generator:
            self._waited(parts, start)
        ordered = sorted(parts, key=lambda part: part[1].trace[0][3], reverse=True)
        trace: TraceContext = ()
        for queue, message in ordered:
            if queue.step.back_edge:
                close(extend(message.trace, queue.step, start, start))
            else:
                trace += extend(message.trace, queue.step, start, end)
        # The result is a frame of the leading message: its age counts from there.
        captured = parts[0][1].trace[0][4]
        trace = tuple([(*span[:4], captured) for span in trace])
        return self.control.paths.limit(trace)

    def _waited(self, parts: list[Part], start: int) -> None:
        """Record how long messages have waited for a call that begins at `start` (ns)."""
        for queue, message in parts:
            queue.waits.add(start - message.trace[0][3])

    def _uncount(self, runner: OperatorRunner) -> None:
        if runner is self.runners[0]:
            if self._unfinished is not None:
                return  # its call has not ended
            assert self._called is not None  # noqa: S101 - for the type checker
            self._failed(self._called)
        super()._uncount(runner)

    def _resume(self) -> Progress:
        """Ask a generator for its next result."""
        assert self._unfinished is not None  # noqa: S101 - for the type checker
        results, call = self._unfinished
        runner = self.runners[0]
        start = clock()
        try:
            result = next(results)
        except StopIteration:
            self._unfinished = None
            call.release()
            runner.meter.frames += 1
            self._acknowledge()
            return Progress.WORKED
        except BaseException as error:
            self._unfinished = None
            self._failed(call)
            self._acknowledge()
            self.operator_failed(runner, call.header, error)
            return Progress.WORKED
        end = clock()
        self._send(result, call, self._track(call, start, end), end)
        return Progress.WORKED

    def _gather(self, batching: Batching) -> Progress:
        """Fill a batch; process it when it is full, overdue or the last."""
        if self._apart:
            alone = [self._batch.pop(0)]
            self._apart = bool(self._batch)
            self._call_batch(alone)
            return Progress.WORKED
        while len(self._batch) < batching.size and self.inputs.ready():
            call = self._take()
            if call is None:
                continue
            self._batch.append(call)
            if self._batch_due is None:
                self._batch_due = self.control.now() + round(batching.wait * 1e9)
        ended = self.inputs.ended()
        if not self._batch:
            self._mark()
            return Progress.DONE if ended else Progress.IDLE
        assert self._batch_due is not None  # noqa: S101 - for the type checker
        late = self.control.now() >= self._batch_due
        if len(self._batch) < batching.size and not ended and not late:
            self.wake_at(self._batch_due)
            return Progress.IDLE
        batch, self._batch, self._batch_due = self._batch, [], None
        closed = clock()
        for call in batch:
            call.complete = closed
        self._call_batch(batch)
        return Progress.WORKED

    def _call_batch(self, batch: list[Call]) -> None:
        """Process `batch`; if it fails, have its messages processed one at a time."""
        runner = self.runners[0]
        start = clock()
        try:
            results = runner.operator.process_batch(
                [runner.keywords(call.arguments, call.header) for call in batch]
            )
            check_batch(results, len(batch))
        except BaseException as error:
            if len(batch) > 1 and isinstance(error, Exception):
                # It is not known which message is at fault, or whether they only are together.
                runner.operator.context.warn_once(
                    "a batch of %d failed (%s): whenever that happens, its messages are processed "
                    "again, one at a time", len(batch), describe(error),
                )  # fmt: skip
                self._batch, self._apart = batch, True
                return
            for call in batch:
                self._failed(call)
                self.operator_failed(runner, call.header, error)
            self._acknowledge()
            return
        end = clock()
        runner.meter.overlap += (end - start) * (len(batch) - 1)
        for call, result in zip(batch, results, strict=True):
            self._results.append((call, start, end, result))

    def give_up(self, runner: OperatorRunner, calls: Sequence[Call], done: int) -> None:
        """Give up the stage; count what its first operator holds as dropped by `error`."""
        self._unfinished = None
        if runner is self.runners[0]:
            for call in calls:
                self._failed(call)
            if self._copies is not None:
                rest = [job for job in self._copies.jobs if job.call not in calls]
                self._copies.jobs = deque(rest)
        super().give_up(runner, calls, done)

    def _release_inputs(self, cause: Cause) -> None:
        if self._unfinished is not None:
            _, call = self._unfinished
            self._unfinished = None
            self._failed(call, cause)
        self.inputs.release(cause)
        for queue in self.inputs.queues:
            self._release(queue, cause)
        for call in self._batch:
            self._failed(call, cause)
        for call, *_ in self._results:
            self._failed(call, cause)
        for job in self._copies.jobs if self._copies is not None else ():
            self._failed(job.call, cause)
        if self._copies is not None:
            self._copies.jobs.clear()
        self._batch = []
        self._apart = False
        self._results.clear()
        self._acknowledge()

    def end(self, patience: float) -> None:
        """Wait until the copies have ended."""
        if self._copies is not None:
            self._copies.stop(patience)

    def stalled_by(self) -> str:
        """Return what the stage waits for, as text for users."""
        return super().stalled_by() or self.inputs.waits_for()


def _wakes(queue: Queue) -> bool:
    """Whether a message on its way to `queue` from another process will wake the stage."""
    block = queue.counters
    if queue.closed or queue.flow.latest:
        return False
    return bool(block[CLOSED]) or (
        block[SENT] > block[ARRIVED] and len(queue.items) < queue.capacity
    )
