"""Holoscan's own operators in a running app, connected to holoflow's queues.

A feeder takes messages from a queue and emits them to the operator's input; a collector receives
from its output and puts messages into the queues behind it. Holoscan alone carries flows between
two such operators. The header travels as Holoscan's metadata, which its operators pass on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from holoflow.app.graph import Endpoint, Node
from holoflow.core.errors import describe
from holoflow.core.message import Header
from holoflow.engine.build import Program
from holoflow.engine.control import Control, Failure
from holoflow.engine.holoscan_stage import StageOp, State, core, holoscan
from holoflow.engine.queue import Message, Queue
from holoflow.engine.remote import RemoteOutput
from holoflow.engine.stage import Output, Stage, clock
from holoflow.holoscan.classes import make
from holoflow.holoscan.data import (
    KEY,
    from_tensors,
    get_geometry,
    get_header,
    put_header,
    to_tensors,
)
from holoflow.plan.plan import PlannedFlow
from holoflow.stats.causes import Cause
from holoflow.stats.operator_stats import OperatorMeter
from holoflow.stats.spans import PathStep, TraceContext, extend

_TRACKS = KEY + "tracks"


class HoloscanOperators:
    """All of Holoscan's own operators of an app, with their feeders and collectors."""

    def __init__(
        self, application: Any, program: Program, nodes: Sequence[Node],
        on_tick: Callable[[], None], frames: int | None,
    ) -> None:  # fmt: skip
        """Add the operators of `nodes` to `application` and wire them."""
        self._application = application
        self._program = program
        self._control = program.control
        self._on_tick = on_tick
        self._collectors: list[HoloscanOutput] = []
        self._feeders: dict[str, list[Feeder]] = {node.name: [] for node in nodes}
        """By the operator that each feeds."""
        # With headers at several inputs, the first one received leads.
        application.metadata_policy = core.MetadataPolicy.REJECT
        self.operators = {node.name: self._make(node, frames) for node in nodes}
        fed = {flow.target.operator for flow in program.plan.flows}
        self._sources = [o for name, o in self.operators.items() if name not in fed]
        # An output without consumer is collected too: Holoscan would wait for its receiver.
        outputs_of: dict[Endpoint, list[Output]] = {
            endpoint: [] for node in nodes for endpoint in _outputs(node)
        }
        direct: set[Endpoint] = set()
        for flow in program.plan.flows:
            source = self.operators.get(flow.source.operator)
            target = self.operators.get(flow.target.operator)
            if source is not None and target is not None:
                application.add_flow(source, target, {(flow.source.port, flow.target.port)})
                direct.add(flow.source)
            elif target is not None:
                self._feed(flow, target)
            elif source is not None and flow in program.queues:
                outputs_of[flow.source].append(program.queues[flow])
        for remote_outputs in program.remote_outputs:
            if remote_outputs.flow.source.operator in self.operators:
                outputs_of[remote_outputs.flow.source].append(remote_outputs)
        for endpoint, outputs in outputs_of.items():
            if outputs or endpoint not in direct:
                self._collect(endpoint, outputs)
        program.control.listen(self._on_change)

    def _make(self, node: Node, frames: int | None) -> Any:
        holoscan_operator = node.holoscan_operator
        assert holoscan_operator is not None  # noqa: S101 - for the type checker
        meter = self._program.holoscan_operators.setdefault(node.name, OperatorMeter(node.name))
        meter.counts_calls = is_python(holoscan_operator.cls)
        meter.counts_sent = False  # unless a stage of holoflow follows it
        feeders = self._feeders[node.name]
        cls = guarded(holoscan_operator.cls, node, self._program.control, meter, feeders)
        extra = []
        if frames is not None and not any(
            flow.target.operator == node.name for flow in self._program.plan.flows
        ):
            extra.append(holoscan.conditions.CountCondition(self._application, frames))
        operator = make(
            self._application,
            cls,
            node.name.replace(".", "/"),
            holoscan_operator.arguments,
            holoscan_operator.conditions,
            extra,
        )
        self._application.add_operator(operator)
        return operator

    def _feed(self, flow: PlannedFlow, target: Any) -> None:
        stage = Feeder(self._program.queues[flow], self._program)
        self._feeders[flow.target.operator].append(stage)
        self._program.control.listen(stage.wake)
        feeder = FeederOp(self._application, stage, self._on_tick, State.WAIT)
        self._application.add_flow(feeder, target, {("out", flow.target.port)})

    def _collect(self, source: Endpoint, outputs: list[Output]) -> None:
        collector = HoloscanOutput(source, outputs, self._program)
        self._collectors.append(collector)
        operator = CollectorOp(self._application, collector, self._on_tick, State.WAIT)
        ports = {(source.port, "in")}
        self._application.add_flow(self.operators[source.operator], operator, ports)

    def _on_change(self) -> None:
        """Stop the sources among them when the run is to end."""
        if self._control.draining:
            for operator in self._sources:
                operator.stop_execution()

    def let_go(self) -> None:
        """Drop the program; Holoscan may keep the rest forever."""
        for feeders in self._feeders.values():
            feeders.clear()  # the operators' classes hold the lists
        del self._program, self._collectors

    def end(self) -> None:
        """Tell the stages behind that nothing more will come."""
        for collector in self._collectors:
            collector.close()


def guarded(
    cls: type, node: Node, control: Control, meter: OperatorMeter, feeders: Sequence[Feeder]
) -> type:
    """Return `cls`, extended to name its failures and count its calls if it is in Python.

    It lets `feeders` begin once it has started.
    """
    if not is_python(cls):
        return cls
    compute: Callable[..., None] = cls.compute  # type: ignore[attr-defined]
    start_it: Callable[..., None] = cls.start  # type: ignore[attr-defined]

    def guarded_start(self: Any) -> None:
        try:
            start_it(self)
        except BaseException as error:
            control.fail(Failure(node.name, "start", describe(error), error))
            raise
        for feeder in feeders:
            feeder.open()

    def guarded_compute(self: Any, op_input: Any, op_output: Any, context: Any) -> None:
        meter.since = start = clock()
        try:
            compute(self, op_input, op_output, context)
        except BaseException as error:
            frame = f"call {meter.frames}"
            control.fail(Failure(node.name, frame, describe(error), error))
            raise
        finally:
            meter.since = 0
        end = clock()
        meter.frames += 1
        if control.tracked:
            meter.note(start, end, end)

    guards = {"start": guarded_start, "compute": guarded_compute}
    return type(cls.__name__, (cls,), {**guards, "__module__": cls.__module__})


def is_python(cls: type) -> bool:
    """Whether the operator is written in Python, so that its calls can be observed."""
    return hasattr(getattr(cls, "compute", None), "__code__")


def _class(program: Program, endpoint: Endpoint) -> type:
    return program.plan.app.operators[endpoint.operator].cls


class Feeder(Stage):
    """The end of a queue at one of Holoscan's own operators."""

    def __init__(self, queue: Queue, program: Program) -> None:
        """Take messages from `queue`."""
        super().__init__([], {}, program.control)
        self.name = f"{queue.flow.source} to {queue.flow.target}"
        self.queue = queue
        queue.consumer = self
        self.meter = program.holoscan_operators[queue.flow.target.operator]
        # The calls of a C++ operator cannot be observed; the messages fed to it are counted.
        first = next(f for f in program.queues if f.target.operator == queue.flow.target.operator)
        self._counting = first == queue.flow and not is_python(_class(program, queue.flow.target))
        self.meter.counts_calls |= self._counting
        # Holoscan ticks it before the operator has started, and what is emitted to one that fails
        # to start is lost. When a C++ operator has started cannot be observed.
        self._open = not is_python(_class(program, queue.flow.target))

    def open(self) -> None:
        """Let messages pass from now on."""
        self._open = True
        self.wake()

    def next(self) -> Message | None:
        """Return the next message; None if there is none, which puts the stage to sleep."""
        self.ticks += 1
        self.signalled = False
        if self.queue.inlet is not None:
            self.queue.inlet.poll()
        if self.control.aborted:
            self.finish("stopped")
        elif self.queue.items and self._open:
            if self._counting:
                self.meter.frames += 1
            message = self.queue.pop()
            self.queue.acknowledge()  # only Holoscan knows what becomes of it
            return message
        elif self.queue.ended():
            self.finish("end")
        else:
            self._sleep()
        return None

    @property
    def reading(self) -> bool:
        """Whether it waits for another process."""
        return self.queue.inlet is not None and not self.queue.closed

    def awaits_event(self) -> bool:
        """Whether something other than the stages of the run will wake it."""
        return not self._open or super().awaits_event()

    def _called_from_outside(self) -> bool:
        inlet = self.queue.inlet
        if inlet is None or self.queue.closed or not self._open:
            return False
        return not inlet.about_to_sleep()

    def pass_on(self, message: Message) -> tuple[TraceContext, PathStep, int]:
        """Return what the collector behind the operator needs to know about `message`."""
        return message.trace, self.queue.step, clock()

    def finish(self, cause: Cause) -> None:
        """Take no more messages."""
        self.finished = True
        self._release(self.queue, cause)


class FeederOp(StageOp):
    """Holoscan's view of a feeder: an operator with one output."""

    def setup(self, spec: Any) -> None:
        """Declare the output."""
        spec.output("out")

    def compute(self, _op_input: Any, op_output: Any, _context: Any) -> None:
        """Emit the next message; Holoscan calls only while its receiver has room."""
        self.on_tick()
        feeder: Any = self.stage
        message = feeder.next()
        if message is not None:
            put_header(self.metadata, message.header, (message.payload,))
            if message.trace:
                self.metadata.set(_TRACKS, feeder.pass_on(message))
            op_output.emit(to_tensors(message.payload), "out")
        elif feeder.finished:
            self._set(State.EVENT_NEVER)


class HoloscanOutput(Stage):
    """The start of the queues behind an output of one of Holoscan's own operators."""

    def __init__(self, source: Endpoint, outputs: list[Output], program: Program) -> None:
        """Put what comes out of `source` into `outputs`, if there are any."""
        super().__init__([], {"out": outputs}, program.control)
        self.name = f"{source} out"
        self._types = [_payload_type(program, output) for output in outputs]
        self._sequence = 0
        self.meter = program.holoscan_operators[source.operator]
        self.meter.counts_sent = True
        # The calls of a C++ operator without inputs cannot be observed: what it sends is
        # counted.
        self._counting = not self.meter.counts_calls
        self.meter.counts_calls = True

    def collect(self, tensors: Any, metadata: Any) -> None:
        """Put what was received into the queues, then sleep until they have room."""
        self.ticks += 1
        self._found_room()
        self.meter.sent += 1
        if self._counting:
            self.meter.frames += 1
        header = get_header(metadata)
        trace = self._track(metadata.get(_TRACKS, None))
        if header is None:
            header = Header(self._sequence, self.control.captured(), self.meter.name)
        self._sequence += 1
        geometry = get_geometry(metadata)
        for queue, kind in zip(self._queues, self._types, strict=True):
            queue.put(Message(from_tensors(tensors, kind, geometry), header, trace))
        self.signalled = False
        if not self.has_room():
            self._wait_for_room()
            self._sleep()

    def _track(self, fed: tuple[TraceContext, PathStep, int] | None) -> TraceContext:
        """Return the trace of an output; it continues the trace of what was `fed`, if any."""
        if not self.control.tracked:
            return ()
        now = clock()
        if fed is None:
            return self.control.paths.begin(self.meter.name, now, now)
        trace, step, start = fed
        return extend(trace, step, start, now)

    def close(self) -> None:
        """Put no more messages."""
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
        collector.collect(op_input.receive("in"), self.metadata)


def _outputs(node: Node) -> list[Endpoint]:
    """Return all outputs of one of Holoscan's own operators."""
    return [
        Endpoint(node.name, port)
        for port in (node.holoscan_operator.outputs if node.holoscan_operator else ())
    ]


def _payload_type(program: Program, output: Output) -> Any:
    """Return the type of the input that a flow ends at; None in another process, which checks."""
    target = output.flow.target
    if isinstance(output, RemoteOutput):
        return None
    return program.runners[target.operator].ports.type_of(target.port)
