"""Simulated stages, and the workers of a process that run them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Callable, Sequence

from holoflow.core.message import Header
from holoflow.engine.admission import Admission, Ticket
from holoflow.engine.inputs import Call
from holoflow.engine.queue import Message
from holoflow.engine.stage import SLICE
from holoflow.predict.flows import PathTable, SimulatedOutput, Traces
from holoflow.predict.model import StageModel
from holoflow.predict.resources import Events, Job, Pool, Sampler, Share
from holoflow.stats.spans import MOST_PATHS

NANO = 1e-9


class Workers:
    """The workers of a process, which run ready stages in turn."""

    def __init__(
        self, name: str, count: int, pools: Sequence[Pool], events: Events, wake: float
    ) -> None:
        """Make `count` workers on the cores of `pools`.

        A stage that sleeps takes `wake` seconds to be ready.
        """
        self.name = name
        self.count = count
        self.pools = pools
        self.busy = 0.0
        self._free = count
        self._events = events
        self._wake = wake
        self._queue: deque[SimulatedStage] = deque()

    def wake(self, stage: SimulatedStage) -> None:
        """Make a stage check for work: something that it may wait for has happened."""
        stage.signalled = True
        if stage.asleep:
            stage.asleep = False
            if self._wake > 0:
                self._events.after(self._wake, lambda: self._enqueue(stage))
            else:
                self._enqueue(stage)

    def _enqueue(self, stage: SimulatedStage) -> None:
        self._queue.append(stage)
        self._dispatch()

    def _dispatch(self) -> None:
        while self._free and self._queue:
            stage = self._queue.popleft()
            self._free -= 1  # first: the check may drop a message, which wakes another stage
            if not stage.finds_work():
                stage.asleep = True
                self._free += 1
                continue
            stage.began = self._events.now
            stage.work()

    def done(self, stage: SimulatedStage) -> None:
        """Continue with the stage, or with another one."""
        ready = stage.finds_work()
        if ready and self._events.now - stage.began < SLICE * NANO:
            stage.work()
            return
        self._free += 1
        if ready:
            self._queue.append(stage)
        else:
            stage.asleep = True
        self._dispatch()


class SimulatedStage(ABC):
    """A chain of operators that one worker runs at a time."""

    def __init__(
        self, model: StageModel, workers: Workers, events: Events,
        outputs: Sequence[SimulatedOutput], paths: PathTable, seed: int,
    ) -> None:  # fmt: skip
        """Simulate `model`.

        Args:
            model: The operators and their times.
            workers: The workers of its process.
            events: Simulated time.
            outputs: The flows from its last operator.
            paths: Where the times of frames are collected.
            seed: Seed of the order of working times.
        """
        self.model = model
        self.workers = workers
        self.asleep = True
        self.signalled = False
        self.finished = False
        self.began = 0.0
        """When a worker last started it."""
        self.busy = 0.0
        self.calls: Counter[str] = Counter()
        """By operator."""
        self.events = events
        self.outputs = list(outputs)
        self._paths = paths
        self._samplers = [
            Sampler(work.times, f"{seed} {work.operator}", work.factor) for work in model.work
        ]
        self._passes = [Share(work.passes) for work in model.work]
        self._unsent: deque[tuple[list[SimulatedOutput], Message]] = deque()
        """Further messages of the last call, each of which waits for room."""
        self._open: int | None = None
        """Frame of the last call of a generator, until there is room to ask it for more."""
        self._marked = [output.end for output in outputs if output.end.marks]
        self.admission: Admission | None = None
        """Which frames may begin, of a source whose frames are counted."""
        for output in outputs:
            output.end.producer = self

    def wake(self) -> None:
        """Make the stage check for work: something that it may wait for has happened."""
        self.workers.wake(self)

    def wake_at(self, due: int) -> None:
        """Make the stage check for work at the time `due` (ns)."""
        self.events.after(max(due * NANO - self.events.now, 0.0), self.wake)

    def finds_work(self) -> bool:
        """Whether there is something to do, also after changes that the check itself has caused."""
        while True:
            self.signalled = False
            if self.can_work():
                return True
            if not self.signalled:
                return False

    def has_room(self) -> bool:
        """Whether a call may begin."""
        for output in self.outputs:
            if not output.end.has_room():
                if self.admission is not None:
                    self.admission.admits(full=True)
                return False
        return self.admission is None or self.admission.admits()

    def enter(self) -> Ticket | None:
        """Begin a frame of a source; return its ticket if frames are counted."""
        return None if self.admission is None else self.admission.enter()

    def unheard(self) -> bool:
        """Whether all consumers of its outputs have ended."""
        ends = [output.end for output in self.outputs]
        return bool(ends) and all(end.abandoned is not None for end in ends)

    def finish(self) -> None:
        """Close its outputs."""
        self.finished = True
        self._unsent.clear()
        for output in self.outputs:
            output.end.close()

    @abstractmethod
    def passed(self) -> int:
        """Return for how many frames of its origin no further call will come."""

    def mark(self) -> None:
        """Report to joins behind it for how many frames nothing more will be sent."""
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
        """Do one piece of work, and then call `Workers.done`."""

    def run(self, seconds: float, core_seconds: float, then: Callable[[float], None]) -> None:
        """Work for so many seconds, of which `core_seconds` on a core.

        `then` is called with the factor by which it has taken longer.
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
        self, header: Header | int, traces: Traces, extra: float, first: int = 0,
        others: Sequence[Call] = (), ticket: Ticket | None = None,
    ) -> None:  # fmt: skip
        """Call the operators from position `first` on, and send the result of the last one.

        Args:
            header: Header of the message; a number if the first operator is a source, whose frame
                with this number is captured when its call ends.
            traces: Paths of the message.
            extra: Seconds that the links of the inputs take.
            first: Position of the first operator to call.
            others: The other calls of a batch.
            ticket: That of the frame.
        """
        model = self.model
        before = extra + model.overhead
        seconds = core_seconds = before
        source = 0.0
        reached = 0
        last = len(model.work) - 1
        for index in range(first, last + 1):
            took = self._samplers[index]()
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
            came, head = traces, header
            if isinstance(head, int):
                # The frame exists since its source returned it.
                captured = self.events.now - (seconds + send - source) * slowness
                came, head = ((0, captured),), self._header(head, captured)
            for index in range(first, reached + 1):
                name = model.work[index].operator
                self.calls[name] += 1
                came = self._paths.follow(came, name)
            if not self.outputs and reached == last:
                self._paths.close(came, self.events.now)
            message = Message(came, head, (), 0, ticket)
            _put(message, first_round)
            self._unsent.extend((outputs, message) for outputs in rounds[1:])
            if model.generator:
                self._open = head.sequence
            for other in others:
                self._end(other)
            self.mark()

        self.run(seconds + send, core_seconds + send, end)

    def _header(self, number: int, captured: float) -> Header:
        return Header(number, round(captured / NANO), self.model.work[0].operator)

    def _end(self, call: Call) -> None:
        """End the call for another frame of a batch; its result is sent after the first one."""
        name = self.model.work[0].operator
        self.calls[name] += 1
        traces = self._paths.follow(traces_of(call), name)
        if not self.outputs:
            self._paths.close(traces, self.events.now)
        message = Message(traces, call.header, (), 0, call.parts[0][1].ticket)
        self._unsent.extend((outputs, message) for outputs in self._rounds())

    def _rounds(self) -> list[list[SimulatedOutput]]:
        """Return the outputs for the first message of a call, for the second, and so on."""
        counts = [output.share() for output in self.outputs]
        most = max(counts, default=0)
        return [
            [output for output, count in zip(self.outputs, counts, strict=True) if count > number]
            for number in range(most)
        ]

    def send_on(self) -> bool:
        """Send the next message that the last call has left; return whether there was one."""
        if not self._unsent:
            return False
        outputs, message = self._unsent.popleft()
        send = sum(output.seconds for output in outputs)

        def end(_: float) -> None:
            _put(message, outputs)
            self.mark()

        self.run(send, send, end)
        return True


def _put(message: Message, outputs: Sequence[SimulatedOutput]) -> None:
    for output in outputs:
        output.end.put(message if output.end.counted else message.apart())


def traces_of(call: Call) -> Traces:
    """Return the traces of a call: those of its messages, except for back edges."""
    traces: Traces = ()
    for queue, message in call.parts:
        if not queue.flow.back_edge:
            traces += message.payload
    return traces[:MOST_PATHS]
