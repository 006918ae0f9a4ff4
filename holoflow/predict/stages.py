"""Stages at work, on the workers of their process."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence

from holoflow.core.message import Header
from holoflow.engine.inputs import Call
from holoflow.engine.joins import make_inputs
from holoflow.engine.queue import Message, Queue, widened
from holoflow.engine.source_stage import SourceReader
from holoflow.engine.stage import SLICE
from holoflow.predict.flows import PathTable, SimulatedOutput, Ways
from holoflow.predict.model import SourcePace, StageModel
from holoflow.predict.resources import Events, Job, Pool, Sampler, Share
from holoflow.stats.spans import MOST_PATHS

_NANO = 1e-9


class Workers:
    """The workers of a process, who take up stages in turn."""

    def __init__(
        self, name: str, count: int, pools: Sequence[Pool], events: Events, wake: float
    ) -> None:
        """Have `count` workers on the cores of `pools`; who sleeps takes `wake` seconds."""
        self.name = name
        self.count = count
        self.pools = pools
        self.busy = 0.0
        self._free = count
        self._events = events
        self._wake = wake
        self._queue: deque[SimulatedStage] = deque()

    def wake(self, stage: SimulatedStage) -> None:
        """Have a stage looked at: something that it may wait for has happened."""
        stage.signalled = True
        if stage.asleep:
            stage.asleep = False
            if self._wake > 0:
                self._events.after(self._wake, lambda: self._line_up(stage))
            else:
                self._line_up(stage)

    def _line_up(self, stage: SimulatedStage) -> None:
        self._queue.append(stage)
        self._hand_out()

    def _hand_out(self) -> None:
        while self._free and self._queue:
            stage = self._queue.popleft()
            self._free -= 1  # first: looking may drop what wakes another stage
            if not stage.finds_work():
                stage.asleep = True
                self._free += 1
                continue
            stage.began = self._events.now
            stage.work()

    def done(self, stage: SimulatedStage) -> None:
        """Go on with the stage, or with another one."""
        ready = stage.finds_work()
        if ready and self._events.now - stage.began < SLICE * _NANO:
            stage.work()
            return
        self._free += 1
        if ready:
            self._queue.append(stage)
        else:
            stage.asleep = True
        self._hand_out()


class SimulatedStage(ABC):
    """A chain of operators."""

    def __init__(
        self, model: StageModel, workers: Workers, events: Events,
        outputs: Sequence[SimulatedOutput], ways: PathTable, seed: int,
    ) -> None:  # fmt: skip
        """Work as `model` says."""
        self.model = model
        self.workers = workers
        self.asleep = True
        self.signalled = False
        self.finished = False
        self.began = 0.0
        """When a worker took it up."""
        self.busy = 0.0
        self.calls: Counter[str] = Counter()
        """By operator."""
        self.events = events
        self.outputs = list(outputs)
        self._ways = ways
        self._draws = [
            Sampler(work.times, f"{seed} {work.operator}", work.factor) for work in model.work
        ]
        self._passes = [Share(work.passes) for work in model.work]
        self._unsent: deque[tuple[list[SimulatedOutput], Message]] = deque()
        """What the last call gave besides its first messages: each waits for room."""
        self._open: int | None = None
        """Frame of the last call of a generator, until there is room to ask it for more."""
        self._marked = [output.end for output in outputs if output.end.marks]
        for output in outputs:
            output.end.producer = self

    def wake(self) -> None:
        """Have the stage looked at: something that it may wait for has happened."""
        self.workers.wake(self)

    def wake_at(self, due: int) -> None:
        """Have it looked at then (ns)."""
        self.events.after(max(due * _NANO - self.events.now, 0.0), self.wake)

    def finds_work(self) -> bool:
        """Whether there is something to do, also after what looking has changed."""
        while True:
            self.signalled = False
            if self.can_work():
                return True
            if not self.signalled:
                return False

    def has_room(self) -> bool:
        """Whether a call may begin."""
        for output in self.outputs:  # noqa: SIM110 - asked all the time
            if not output.end.has_room():
                return False
        return True

    def unheard(self) -> bool:
        """Whether all who took what it sends have ended."""
        ends = [output.end for output in self.outputs]
        return bool(ends) and all(end.abandoned is not None for end in ends)

    def finish(self) -> None:
        """End what it sends."""
        self.finished = True
        self._unsent.clear()
        for output in self.outputs:
            output.end.close()

    @abstractmethod
    def passed(self) -> int:
        """Return of how many frames of its origin no further call will come."""

    def mark(self) -> None:
        """Tell joins behind of how many frames nothing more will be sent."""
        if self._marked:
            if self._unsent:
                frames = self._unsent[0][1].header.sequence
            else:
                frames = self.passed() if self._open is None else self._open
            for end in self._marked:
                end.mark(frames)

    @abstractmethod
    def can_work(self) -> bool:
        """Whether there is something to do."""

    @abstractmethod
    def work(self) -> None:
        """Do one piece of work, and then tell the workers."""

    def run(self, seconds: float, core_seconds: float, then: Callable[[float], None]) -> None:
        """Be at work for so many seconds, part of them on a core.

        `then` is told how many times as long it has taken.
        """
        began = self.events.now

        def end() -> None:
            took = self.events.now - began
            self.busy += took
            self.workers.busy += took
            then(took / seconds if seconds > 0 else 1.0)
            self.workers.done(self)

        cores = core_seconds / seconds if seconds > 0 else 0.0
        Job(self.events, seconds, cores, self.workers.pools, end)

    def call(
        self, header: Header | int, ways: Ways, extra: float, first: int = 0,
        others: Sequence[Call] = (),
    ) -> None:  # fmt: skip
        """Call the operators from the `first` on; what the last one gives is sent at the end.

        A number in place of the `header`: the first operator is a source, whose frame of this
        number is captured when its call ends. `extra` are seconds for what the links of the
        inputs take, and `others` the rest of a batch.
        """
        model = self.model
        before = extra + model.overhead
        seconds = core_seconds = before
        source = 0.0
        reached = 0
        last = len(model.work) - 1
        for index in range(first, last + 1):
            took = self._draws[index]()
            seconds += took
            core_seconds += took * model.work[index].cores
            reached = index
            if isinstance(header, int) and index == first:
                source = before + took
            if index < last and not self._passes[index]():
                break
        rounds = self._rounds() if reached == last else []
        first_round = rounds[0] if rounds else []
        send = sum(output.seconds for output in first_round)

        def end(slowness: float) -> None:
            came, head = ways, header
            if isinstance(head, int):
                # For others, the frame is in hand since its source gave it.
                captured = self.events.now - (seconds + send - source) * slowness
                came, head = ((0, captured),), self._header(head, captured)
            for index in range(first, reached + 1):
                name = model.work[index].operator
                self.calls[name] += 1
                came = self._ways.follow(came, name)
            if not self.outputs and reached == last:
                self._ways.close(came, self.events.now)
            message = Message(came, head, ())
            for output in first_round:
                output.end.put(message)
            self._unsent.extend((outputs, message) for outputs in rounds[1:])
            if model.generator:
                self._open = head.sequence
            for other in others:
                self._end(other)
            self.mark()

        self.run(seconds + send, core_seconds + send, end)

    def _header(self, number: int, captured: float) -> Header:
        return Header(number, round(captured / _NANO), self.model.work[0].operator)

    def _end(self, call: Call) -> None:
        """End the call of another frame of a batch; what it gives is sent after the first."""
        name = self.model.work[0].operator
        self.calls[name] += 1
        ways = self._ways.follow(ways_of(call), name)
        if not self.outputs:
            self._ways.close(ways, self.events.now)
        message = Message(ways, call.header, ())
        self._unsent.extend((outputs, message) for outputs in self._rounds())

    def _rounds(self) -> list[list[SimulatedOutput]]:
        """Return who gets the first message of a call, the second, and so on."""
        counts = [output.share() for output in self.outputs]
        most = max(counts, default=0)
        return [
            [output for output, count in zip(self.outputs, counts, strict=True) if count > number]
            for number in range(most)
        ]

    def send_on(self) -> bool:
        """Send what the last call gave besides; whether there was something."""
        if not self._unsent:
            return False
        outputs, message = self._unsent.popleft()
        send = sum(output.seconds for output in outputs)

        def end(_: float) -> None:
            for output in outputs:
                output.end.put(message)
            self.mark()

        self.run(send, send, end)
        return True


class SimulatedOperatorStage(SimulatedStage):
    """A stage that works on what comes."""

    def connect(self, inputs: Sequence[Queue], receive: Mapping[Queue, float]) -> None:
        """Take from `inputs`; `receive` are the seconds that a message of each takes."""
        self._receive = receive
        model = self.model
        for queue in inputs:
            queue.consumer = self
            returns = queue.producer is self
            queue.capacity = widened(queue.capacity, returns=returns, batch=model.batch)
        self._inputs = make_inputs(
            model.work[0].operator, inputs, trigger=model.trigger, sync=model.sync,
            optional=model.optional, number=memoryview(bytearray(8)).cast("q"),
            now=lambda: round(self.events.now / _NANO), wake_at=self.wake_at,
        )  # fmt: skip

    def can_work(self) -> bool:
        """Whether there is a call, and room for what comes of it."""
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
        if not self._unsent and self._inputs.ready():
            return True
        if self._unsent or self._inputs.ended():
            self.finish()
        else:
            self.mark()
        return False

    def finish(self) -> None:
        """End what it sends, and drop what waits for it."""
        self._inputs.release("end")
        for queue in self._inputs.queues:
            queue.abandon("end")
        super().finish()

    def passed(self) -> int:
        """Return of how many frames of its origin no further call will come."""
        return self._inputs.passed()

    def work(self) -> None:
        """Do a call."""
        if self.send_on():
            return
        call = self._inputs.pop()
        others: list[Call] = []
        while len(others) + 1 < self.model.batch and self._inputs.ready():
            others.append(self._inputs.pop())
        extra = sum(self._receive[queue] for one in (call, *others) for queue, _ in one.parts)
        self.call(call.header, ways_of(call), extra, others=others)


class SimulatedSourceStage(SimulatedStage):
    """A stage that begins with a source."""

    def begin(self, pace: SourcePace) -> None:
        """Give the first frame."""
        self.pace = pace
        self.ended = False
        self.lost = 0
        """Frames that its device lost."""
        self.given = 0
        self._got = pace.live
        """Whether a frame is there that waits for its time."""
        self._fetched: deque[float] = deque()
        if pace.live:
            self._device(1)
        self.wake()

    @property
    def over(self) -> bool:
        """Whether it gives no more frames."""
        return self.ended or self.given == self.pace.frames or self.unheard()

    def passed(self) -> int:
        """Return the number of frames that it has sent."""
        return self.given

    def _device(self, number: int) -> None:
        """Have the device give its frame of this number when it is due."""
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
        if self.over and not self._unsent:  # which is seen when a frame is asked for
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
            self.call(self.given - 1, (), 0.0)
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
        took = self._draws[0]()

        def end(_: float) -> None:
            self._got = True
            assert self.pace.rate is not None  # noqa: S101 - for the type checker
            due = self.given / self.pace.rate
            if due > self.events.now:
                self.events.after(due - self.events.now, self.wake)

        self.run(took, took * self.model.work[0].cores, end)

    def _send(self, captured: float) -> None:
        """Send a frame that is there, through the rest of the chain."""
        name = self.model.work[0].operator
        self.calls[name] += 1
        ways = self._ways.follow(((0, captured),), name)
        header = self._header(self.given - 1, captured)
        if len(self.model.work) > 1:
            if self._passes[0]():
                self.call(header, ways, 0.0, first=1)
                return
            rounds: list[list[SimulatedOutput]] = []
        else:
            rounds = self._rounds()
            if not self.outputs:
                self._ways.close(ways, self.events.now)
        message = Message(ways, header, ())
        self._unsent.extend((outputs, message) for outputs in rounds)
        self.run(self.model.overhead, self.model.overhead, lambda _: self.mark())


def ways_of(call: Call) -> Ways:
    """Return the ways of a call: those of its messages, but for what a back edge brings."""
    ways: Ways = ()
    for queue, message in call.parts:
        if not queue.flow.back_edge:
            ways += message.payload
    return ways[:MOST_PATHS]
