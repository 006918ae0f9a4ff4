"""Stages at work, on the workers of their process."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Callable, Sequence

from holoflow.predict.flows import PathTable, SimulatedMessage, SimulatedQueue, Ways
from holoflow.predict.joins import AnyOf, Join, SimulatedArrival, SimulatedCall, SimulatedSynced
from holoflow.predict.model import SourcePace, StageModel
from holoflow.predict.resources import Events, Job, Pool, Sampler, Share

SLICE = 1e-3
"""Seconds for which a worker stays with a stage while that has work, as in the engine."""
FETCHED = 4
"""Frames that a live source holds until they are fetched, as in the engine."""


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

    def look(self, stage: SimulatedStage) -> None:
        """Have a stage looked at: something that it may wait for has happened."""
        if stage.asleep and stage.can_work():
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
            if not stage.can_work():
                stage.asleep = True
                continue
            self._free -= 1
            stage.began = self._events.now
            stage.work()

    def done(self, stage: SimulatedStage) -> None:
        """Go on with the stage, or with another one."""
        ready = stage.can_work()
        if ready and self._events.now - stage.began < SLICE:
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
        outputs: Sequence[SimulatedQueue], ways: PathTable, seed: int,
    ) -> None:  # fmt: skip
        """Work as `model` says."""
        self.model = model
        self.workers = workers
        self.asleep = True
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
        self._unsent: deque[tuple[list[SimulatedQueue], float, Ways]] = deque()
        """What the last call gave besides its first messages: each waits for room."""
        for queue in self.outputs:
            queue.producer_looks = self.look

    def look(self) -> None:
        """Look whether there is something to do."""
        self.workers.look(self)

    def has_room(self) -> bool:
        """Whether a call may begin."""
        for queue in self.outputs:  # noqa: SIM110 - asked all the time
            if not queue.has_room():
                return False
        return True

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
        self, stamp: float | None, ways: Ways, extra: float, first: int = 0,
        others: Sequence[SimulatedCall] = (),
    ) -> None:  # fmt: skip
        """Call the operators from the `first` on; what the last one gives is sent at the end.

        A `stamp` of None: the first operator is a source, whose frame is captured when its call
        ends. `extra` are seconds for what the links of the inputs take, and `others` the rest of
        a batch.
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
            if stamp is None and index == first:
                source = before + took
            if index < last and not self._passes[index]():
                break
        rounds = self._rounds() if reached == last else []
        first_round = rounds[0] if rounds else []
        send = sum(q.model.carriage.send for q in first_round if q.model.carriage)

        def end(slowness: float) -> None:
            # For others, the frame is in hand since its source gave it.
            nominal = seconds + send
            captured = self.events.now - (nominal - source) * slowness if stamp is None else stamp
            came = ((0, captured),) if stamp is None else ways
            for index in range(first, reached + 1):
                name = model.work[index].operator
                self.calls[name] += 1
                came = self._ways.follow(came, name)
            if not self.outputs and reached == last:
                self._ways.close(came, self.events.now)
            for queue in first_round:
                queue.put(SimulatedMessage(captured, came))
            self._unsent.extend((queues, captured, came) for queues in rounds[1:])
            for other in others:
                self._end(other)

        self.run(seconds + send, core_seconds + send, end)

    def _end(self, call: SimulatedCall) -> None:
        """End the call of another frame of a batch; what it gives is sent after the first."""
        name = self.model.work[0].operator
        self.calls[name] += 1
        ways = self._ways.follow(call.ways, name)
        if not self.outputs:
            self._ways.close(ways, self.events.now)
        self._unsent.extend((queues, call.stamp, ways) for queues in self._rounds())

    def _rounds(self) -> list[list[SimulatedQueue]]:
        """Return who gets the first message of a call, the second, and so on."""
        counts = [queue.share() for queue in self.outputs]
        most = max(counts, default=0)
        return [
            [queue for queue, count in zip(self.outputs, counts, strict=True) if count > number]
            for number in range(most)
        ]

    def send_on(self) -> bool:
        """Send what the last call gave besides; whether there was something."""
        if not self._unsent:
            return False
        queues, stamp, ways = self._unsent.popleft()
        send = sum(q.model.carriage.send for q in queues if q.model.carriage)

        def end(_: float) -> None:
            for queue in queues:
                queue.put(SimulatedMessage(stamp, ways))

        self.run(send, send, end)
        return True

    @property
    def has_more(self) -> bool:
        """Whether something of the last call waits for room."""
        return bool(self._unsent)


class SimulatedOperatorStage(SimulatedStage):
    """A stage that works on what comes."""

    def connect(self, inputs: Sequence[SimulatedQueue]) -> None:
        """Take from `inputs`."""
        self._join: Join
        if self.model.trigger == "any":
            self._join = AnyOf(inputs)
        elif self.model.sync is None:
            self._join = SimulatedArrival(inputs)
        else:
            look = self.look
            self._join = SimulatedSynced(
                inputs, self.model.sync, self.model.optional, self.events, look
            )
        for queue in inputs:
            queue.consumer_looks = self.look

    def can_work(self) -> bool:
        """Whether there is a call, and room for what comes of it."""
        return self.has_room() and (self.has_more or self._join.ready())

    def work(self) -> None:
        """Do a call."""
        if self.send_on():
            return
        call = self._join.pop()
        others: list[SimulatedCall] = []
        while len(others) + 1 < self.model.batch and self._join.ready():
            others.append(self._join.pop())
        extra = sum(map(_receiving, (call, *others)))
        self.call(call.stamp, call.ways, extra, others=others)


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
        self.look()

    def _device(self, number: int) -> None:
        """Have the device give its frame of this number when it is due."""
        assert self.pace.rate is not None  # noqa: S101 - for the type checker

        def give() -> None:
            if self.ended:
                return
            if len(self._fetched) < FETCHED:
                self._fetched.append(self.events.now)
                self.look()
            else:
                self.lost += 1
            self._device(number + 1)

        self.events.after(number / self.pace.rate - self.events.now, give)

    def can_work(self) -> bool:
        """Whether a frame may begin."""
        if self.ended or not self.has_room():
            return self.has_more and self.has_room()
        if self.has_more or self.pace.rate is None:
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
            self.call(None, (), 0.0)
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
                self.events.after(due - self.events.now, self.look)

        self.run(took, took * self.model.work[0].cores, end)

    def _send(self, captured: float) -> None:
        """Send a frame that is there, through the rest of the chain."""
        name = self.model.work[0].operator
        self.calls[name] += 1
        ways = self._ways.follow(((0, captured),), name)
        if len(self.model.work) > 1:
            if self._passes[0]():
                self.call(captured, ways, 0.0, first=1)
                return
            rounds: list[list[SimulatedQueue]] = []
        else:
            rounds = self._rounds()
            if not self.outputs:
                self._ways.close(ways, self.events.now)
        self._unsent.extend((queues, captured, ways) for queues in rounds)
        self.run(self.model.overhead, self.model.overhead, lambda _: None)


def _receiving(call: SimulatedCall) -> float:
    """Return what the links take of the stage's time for the messages of a call."""
    return sum(queue.model.carriage.receive for queue in call.taken if queue.model.carriage)
