"""The kinds of simulated stages: those that begin with a source, and all others."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

from holoflow.engine.admission import Admission
from holoflow.engine.copies import PendingCall
from holoflow.engine.inputs import Call
from holoflow.engine.joins import make_inputs
from holoflow.engine.queue import Message, Queue, widened
from holoflow.engine.source_reader import SourceReader
from holoflow.predict.flows import SimulatedOutput
from holoflow.predict.model import SourcePace
from holoflow.predict.resources import Job
from holoflow.predict.stage import NANO, SimulatedStage, traces_of


class SimulatedOperatorStage(SimulatedStage):
    """A stage that processes messages."""

    def connect(self, inputs: Sequence[Queue], receive: Mapping[Queue, float]) -> None:
        """Take messages from `inputs`; `receive` has the seconds that a message of each takes."""
        self._receive = receive
        self._jobs: deque[PendingCall] = deque()
        """Calls that copies make, in order."""
        model = self.model
        for queue in inputs:
            queue.consumer = self
            returns = queue.producer is self
            queue.capacity = widened(queue.capacity, returns=returns, batch=model.batch)
        self._inputs = make_inputs(
            model.work[0].operator, inputs, trigger=model.trigger, sync=model.sync,
            optional=model.optional, number=memoryview(bytearray(8)).cast("q"),
            now=lambda: round(self.events.now / NANO), wake_at=self.wake_at,
        )  # fmt: skip

    def can_work(self) -> bool:
        """Whether there is a call to do, and room for its result."""
        if self.finished or not self.has_room():
            return False
        unheard = self.unheard()
        if self._unsent and not unheard:
            return True
        if self._open is not None and unheard:
            self.finish()
            return False
        if not self._unsent and self._open is not None:
            self._open = None
            self.mark()
        if not self._unsent and self._jobs and self._jobs[0].done:
            return True
        if not self._unsent and len(self._jobs) < self.model.copies and self._inputs.ready():
            return True
        if self._jobs and not unheard:
            self.mark()
        elif self._unsent or self._inputs.ended():
            self.finish()
        else:
            self.mark()
        return False

    def finish(self) -> None:
        """Close its outputs, and drop what waits at its inputs."""
        self._inputs.release("end")
        for queue in self._inputs.queues:
            queue.abandon("end")
        super().finish()

    def passed(self) -> int:
        """Return for how many frames of its origin no further call will come."""
        return self._jobs[0].call.header.sequence if self._jobs else self._inputs.passed()

    def _begin(self, call: Call) -> None:
        """Have a copy make `call`, which takes no worker."""
        pending = PendingCall(call)
        self._jobs.append(pending)
        took = self._samplers[0]()

        def end() -> None:
            self.busy += took
            pending.done = True
            self.wake()

        Job(self.events, took, self.model.work[0].cores, self.workers.pools, end)
        extra = self.model.overhead + sum(self._receive[queue] for queue, _ in call.parts)
        self.run(extra, extra, lambda _: None)

    def work(self) -> None:
        """Do a call."""
        if self.send_on():
            return
        if self._jobs and self._jobs[0].done:
            self._end(self._jobs.popleft().call)
            self.mark()
            self.workers.done(self)
            return
        call = self._inputs.pop()
        if self.model.copies > 1:
            self._begin(call)
            return
        others: list[Call] = []
        while len(others) + 1 < self.model.batch and self._inputs.ready():
            others.append(self._inputs.pop())
        extra = sum(self._receive[queue] for one in (call, *others) for queue, _ in one.parts)
        ticket = call.parts[0][1].ticket
        self.call(call.header, traces_of(call), extra, others=others, ticket=ticket)


class SimulatedSourceStage(SimulatedStage):
    """A stage that begins with a source."""

    def begin(self, pace: SourcePace) -> None:
        """Start to produce frames at `pace`."""
        self.pace = pace
        self.ended = False
        self.lost = 0
        """Number of frames that its device lost."""
        self.given = 0
        self._got = pace.live
        """Whether there is a frame that waits for its time."""
        self._fetched: deque[float] = deque()
        if pace.live:
            self._device(1)
        self.wake()

    def count(self, share: tuple[int, int]) -> None:
        """Count frames under way; at first, and at least, there may be as many as `share` says."""
        assert self.model.in_flight is not None  # noqa: S101 - for the type checker
        # Not at once: a frame may be over in the middle of anything.
        self.admission = Admission(
            lambda: self.events.after(0.0, self.wake),
            self.model.in_flight,
            lambda: round(self.events.now / NANO),
        )
        self.admission.expect(*share)

    @property
    def over(self) -> bool:
        """Whether it produces no more frames."""
        return self.ended or self.given == self.pace.frames or self.unheard()

    def passed(self) -> int:
        """Return the number of frames that it has sent."""
        return self.given

    def _device(self, number: int) -> None:
        """Let the device produce its frame with this number when it is due."""
        assert self.pace.rate is not None  # noqa: S101 - for the type checker

        def give() -> None:
            if self.over:
                return
            if len(self._fetched) < SourceReader.ROOM:
                self._fetched.append(self.events.now)
                self.wake()
            else:
                self.lost += 1
            self._device(number + 1)

        self.events.after(number / self.pace.rate - self.events.now, give)

    def can_work(self) -> bool:
        """Whether a frame may begin."""
        if self.ended and not self._unsent and not self.finished:
            self.finish()
        if self.finished or not self.has_room():
            return False
        if self.over and not self._unsent:  # noticed when a frame is requested
            self.finish()
            return False
        if self._unsent or self.pace.rate is None:
            return True
        if self.pace.live:
            return bool(self._fetched)
        return not self._got or self.events.now >= self.given / self.pace.rate - 1e-12

    def work(self) -> None:
        """Get a frame, or send it."""
        if self.send_on():
            return
        if self.pace.rate is None:
            self.given += 1
            self.call(self.given - 1, (), 0.0, ticket=self.enter())
        elif self.pace.live:
            self.given += 1
            captured = self._fetched.popleft()
            self._send(captured)
        elif not self._got:
            self._get()
        else:
            self._got = False
            due = self.given / self.pace.rate
            self.given += 1
            self._send(min(due, self.events.now))

    def _get(self) -> None:
        """Get a frame, and wait until it is due."""
        assert self.pace.rate is not None  # noqa: S101 - for the type checker
        took = self._samplers[0]()

        def end(_: float) -> None:
            self._got = True
            assert self.pace.rate is not None  # noqa: S101 - for the type checker
            due = self.given / self.pace.rate
            if due > self.events.now:
                self.events.after(due - self.events.now, self.wake)

        self.run(took, took * self.model.work[0].cores, end)

    def _send(self, captured: float) -> None:
        """Send an existing frame through the rest of the chain."""
        name = self.model.work[0].operator
        self.calls[name] += 1
        traces = self._paths.follow(((0, captured),), name)
        header = self._header(self.given - 1, captured)
        ticket = self.enter()
        if len(self.model.work) > 1:
            if self._passes[0]():
                self.call(header, traces, 0.0, first=1, ticket=ticket)
                return
            rounds: list[list[SimulatedOutput]] = []
        else:
            rounds = self._rounds()
            if not self.outputs:
                self._paths.close(traces, self.events.now)
        message = Message(traces, header, (), 0, ticket)
        self._unsent.extend((outputs, message) for outputs in rounds)
        self.run(self.model.overhead, self.model.overhead, lambda _: self.mark())
