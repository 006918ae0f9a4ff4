"""Where holoflow's queues meet the ports of Holoscan's own operators.

A feeder takes messages from a queue and emits them to the operator's input; a collector receives
from its output and puts messages into the queues behind it. The header travels as Holoscan's
metadata, which its operators pass on; between two of them also all else that they say there.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, replace
from typing import Any

from holoflow.app.graph import Endpoint
from holoflow.core.message import Header
from holoflow.core.ports import base
from holoflow.engine.build import Program
from holoflow.engine.holoscan_messages import Fed, HoloscanCall, found
from holoflow.engine.holoscan_stage import StageOp, State
from holoflow.engine.queue import Message, Queue
from holoflow.engine.remote import RemoteOutput
from holoflow.engine.stage import Output, Stage, clock
from holoflow.holoscan.data import (
    FED,
    from_tensors,
    get_geometry,
    get_header,
    lasting,
    put_header,
    to_tensors,
    without_header,
)
from holoflow.stats.causes import Cause


@dataclass(frozen=True)
class Passed:
    """What one of Holoscan's own operators sends to another, unchanged."""

    data: Any
    metadata: Any
    """Its Holoscan metadata."""
    emitter: str = ""
    """As what type it is emitted; empty: its own."""
    acquired: int = -1
    """When it was acquired by the operator's account (ns of its own clock); -1: it does not say."""


class Feeder(Stage):
    """The end of a queue at one of Holoscan's own operators."""

    def __init__(self, queue: Queue, program: Program) -> None:
        """Take messages from `queue`."""
        super().__init__([], {}, program.control)
        self.name = f"{queue.flow.source} to {queue.flow.target}"
        self.queue = queue
        queue.consumer = self
        self.port = base(queue.flow.target.port)
        self.key = f"{FED}{self.name}"
        """That of the message that was emitted, in Holoscan's metadata."""
        self.fed: deque[Fed] = deque()
        """What was emitted and not received yet."""
        self._calls = program.holoscan_operators[queue.flow.target.operator]
        self._calls.feeders.append(self)
        self._taking = threading.Lock()
        """Held while a message is in none of both, the queue and what is `fed`."""

    def next(self) -> Fed | None:
        """Return the next message; None if there is none, which puts the stage to sleep."""
        self.ticks += 1
        self.signalled = False
        if self.queue.inlet is not None:
            self.queue.inlet.poll()
        # Holoscan ticks it before a Python operator has started, and what is emitted to one that
        # fails to start is lost. When a C++ operator has started cannot be observed.
        open_ = self._calls.started or not self._calls.python
        if self.control.aborted:
            self.finish("stopped")
        elif self.finished:
            return None
        elif self.queue.items and open_:
            return self._take()
        elif self.queue.ended():
            self.finish("end")
        else:
            if self.queue.marks:
                self._calls.mark()
            self._sleep()
        return None

    def passed(self) -> int:
        """Return for how many frames of its origin, from the first, nothing more will be emitted.

        What was emitted and not received counts as still to come.
        """
        with self._taking:
            return self.fed[0].message.header.sequence if self.fed else self.queue.passed()

    def _take(self) -> Fed | None:
        with self._taking:
            return self._pop()

    def _pop(self) -> Fed | None:
        try:
            message = self.queue.pop()
        except IndexError:  # another thread has ended it
            return None
        message.ticket = None  # only Holoscan knows when its frame is over
        now = clock()
        if any(budget.drops(message.trace, now) for budget in self._calls.deadlines):
            self.queue.count_dropped("late", message)
            self.acknowledge()
            self.signalled = True  # the next one may be in time
            return None
        fed = Fed(self, message, now)
        self.fed.append(fed)
        return fed

    def up_to(self, fed: Fed) -> list[Fed]:
        """Remove and return what was emitted up to `fed`: all of it has been received."""
        taken: list[Fed] = []
        while self.fed and fed in self.fed:
            taken.append(self.fed.popleft())
        return taken

    def acknowledge(self) -> None:
        """Record which messages are done, so that it is known if the process dies."""
        if self.control.durable:
            self.queue.acknowledge(len(self.fed))

    @property
    def reading(self) -> bool:
        """Whether it waits for another process."""
        return self.queue.inlet is not None and not self.queue.closed

    def awaits_event(self) -> bool:
        """Whether something other than the stages of the run will wake it."""
        starting = self._calls.python and not self._calls.started
        return starting or super().awaits_event()

    def _called_from_outside(self) -> bool:
        inlet = self.queue.inlet
        if inlet is None or self.queue.closed:
            return False
        return not inlet.about_to_sleep()

    def finish(self, cause: Cause) -> None:
        """Take no more messages."""
        if not self.finished:
            self.finished = True
            self._release(self.queue, cause)

    def close(self) -> None:
        """Count what was emitted but never received; Holoscan has ended."""
        stopped = self.control.aborted or self.control.failure is not None
        while self.fed:
            self.queue.count_dropped("stopped" if stopped else "end", self.fed.popleft().message)
        self.acknowledge()


class FeederOp(StageOp):
    """Holoscan's view of a feeder: an operator with one output."""

    def setup(self, spec: Any) -> None:
        """Declare the output."""
        spec.output("out")

    def compute(self, _op_input: Any, op_output: Any, _context: Any) -> None:
        """Emit the next message; Holoscan calls only while its receiver has room."""
        self.on_tick()
        feeder: Any = self.stage
        fed = feeder.next()
        if fed is None:
            if feeder.finished:
                self._set(State.EVENT_NEVER)
            return
        message = fed.message
        options: dict[str, Any] = {}
        payload, message.payload = message.payload, None
        if isinstance(payload, Passed):
            put_header(self.metadata, message.header, ())
            self.metadata.update(payload.metadata)
            options = {"emitter_name": payload.emitter, "acq_timestamp": payload.acquired}
            payload = payload.data
        else:
            put_header(self.metadata, message.header, (payload,))
            payload = to_tensors(payload)
        self.metadata.set(feeder.key, fed)
        op_output.emit(payload, "out", **options)


class HoloscanOutput(Stage):
    """The start of the queues behind an output of one of Holoscan's own operators."""

    def __init__(self, source: Endpoint, outputs: list[Output], program: Program) -> None:
        """Put what comes out of `source` into `outputs`, if there are any."""
        super().__init__([], {"out": outputs}, program.control)
        self.name = f"{source} out"
        self._kinds = [_payload_type(program, output) for output in outputs]
        self._passes = [
            isinstance(output, Queue) and output.flow.target.operator in program.holoscan_operators
            for output in outputs
        ]
        """Whether each leads to another of Holoscan's own operators."""
        self._number = 0
        self._calls = program.holoscan_operators[source.operator]
        self._calls.outputs[source.port] = self
        self.expected: deque[tuple[HoloscanCall, str]] = deque()
        """Of an operator in Python: the calls whose messages come next, and as what type."""
        self._emitted = 0
        """Messages that were ever expected."""
        self._marks: deque[tuple[int, int]] = deque()
        """Watermarks to set, each once so many messages have been put."""
        self._marking = threading.Lock()

    def collect(self, data: Any, metadata: Any, acquired: int | None) -> None:
        """Put what was received into the queues, then sleep until they have room.

        Args:
            data: What was received.
            metadata: Its Holoscan metadata.
            acquired: Holoscan's acquisition timestamp of it (ns), if it has one.
        """
        self.ticks += 1
        self._found_room()
        calls, emitter = self._calls, ""
        if calls.python:
            call, emitter = self.expected[0]  # kept until it has been put
        else:
            taken = list(found(metadata, calls.feeders))
            call = calls.sent(taken, self._number, clock())
            calls.meter.sent += 1
        carried = get_header(metadata)
        header = call.header or carried
        if header is not None and carried is not None and carried.metadata != header.metadata:
            header = replace(header, metadata=carried.metadata)  # the operator has changed them
        if header is None:
            header = Header(self._number, self.control.captured(), calls.name)
        geometry = get_geometry(metadata)
        kept = without_header(metadata) if any(self._passes) else None
        recorder = self.control.recorder
        number = 0 if recorder is None else recorder.number()
        for queue, kind, passes in zip(self._queues, self._kinds, self._passes, strict=True):
            payload = (
                Passed(lasting(data), kept, emitter, -1 if acquired is None else acquired)
                if passes
                else from_tensors(data, kind, geometry)
            )
            queue.put(Message(payload, header, call.trace, number))
            if call.record is not None:
                call.record.gives += queue.given(number)
        self._number += 1
        if calls.python:
            self.expected.popleft()
            self._mark()
        self.signalled = False
        if not self.has_room():
            self._wait_for_room()
            self._sleep()

    def expect(self, call: HoloscanCall, emitter: str) -> None:
        """Note that `call` has emitted something, as the type `emitter` if that is not empty."""
        self.expected.append((call, emitter))
        self._emitted += 1

    def mark_behind(self, frames: int) -> None:
        """Mark that the first `frames` frames are done behind all that was emitted so far."""
        with self._marking:
            self._marks.append((self._emitted, frames))
        self._mark()

    def _mark(self) -> None:
        with self._marking:
            while self._marks and self._marks[0][0] <= self._number:
                self.mark(self._marks.popleft()[1])

    def drained(self) -> bool:
        """Whether all that its operator has sent was collected; not known of one in C++."""
        return self._calls.python and not self.expected

    def finish(self) -> None:
        """Put no more messages; what was not collected is lost, as Holoscan has ended."""
        if self.finished:
            return
        self.finished = True
        stopped = self.control.aborted or self.control.failure is not None
        for call, _ in self.expected:
            header = call.header or Header(0, 0, "")
            for queue in self._queues:
                if isinstance(queue, Queue):
                    queue.lose("stopped" if stopped else "end", Message(None, header, call.trace))
        self.expected.clear()
        for queue in self._queues:
            queue.close()


class CollectorOp(StageOp):
    """Holoscan's view of a collector: an operator with one input."""

    def setup(self, spec: Any) -> None:
        """Declare the input."""
        spec.input("in")

    def compute(self, op_input: Any, _op_output: Any, _context: Any) -> None:
        """Collect a message; Holoscan calls this only if there is one and the queues have room."""
        self.on_tick()
        collector: Any = self.stage
        data = op_input.receive("in")
        collector.collect(data, self.metadata, op_input.get_acquisition_timestamp("in"))


def _payload_type(program: Program, output: Output) -> Any:
    """Return the type of the input that a flow ends at; None in another process, which checks."""
    target = output.flow.target
    if isinstance(output, RemoteOutput) or target.operator in program.holoscan_operators:
        return None
    return program.runners[target.operator].ports.type_of(target.port)
