"""Holoscan's own operators in a running app, connected to holoflow's queues.

Each is observed. Of an operator in Python, `compute` is wrapped; one in C++ gets a condition,
which Holoscan asks before each of its calls and tells after it.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterator
from typing import Any

from holoflow.app.graph import START_OP, Endpoint
from holoflow.core.errors import describe
from holoflow.core.ports import base, position
from holoflow.engine.build import Program
from holoflow.engine.control import Control, Failure
from holoflow.engine.holoscan_calls import HoloscanCall, HoloscanCalls, found
from holoflow.engine.holoscan_ports import CollectorOp, Feeder, FeederOp, HoloscanOutput
from holoflow.engine.holoscan_stage import StageOp, State, core, holoscan
from holoflow.engine.stage import Output, Stage, clock
from holoflow.holoscan.classes import Objects, is_created, is_enabled, make
from holoflow.holoscan.data import get_header, put_header
from holoflow.plan.plan import PlannedFlow

_CountCondition = holoscan.conditions.CountCondition


class HoloscanOperators:
    """All of Holoscan's own operators of an app, with their feeders and collectors."""

    def __init__(
        self, application: Any, program: Program, on_tick: Callable[[], None], frames: int | None
    ) -> None:
        """Add the operators of `program` to `application` and wire them."""
        self._application = application
        self._program = program
        self._control = program.control
        self._on_tick = on_tick
        self._frames = frames
        self._ports: dict[Stage, StageOp] = {}
        """Holoscan's view of each feeder and collector."""
        self._lock = threading.Lock()
        """Held while its operators are looked at, which must not be when they are gone."""
        self._over = False
        self._observed = calls = program.holoscan_operators
        # With headers at several inputs, the first one received leads.
        application.metadata_policy = core.MetadataPolicy.REJECT
        self._objects = Objects(application)
        self._serve()
        self.operators = {name: self._make(one) for name, one in calls.items()}
        # An output without consumer is collected too: Holoscan would wait for its receiver.
        outputs_of: dict[Endpoint, list[Output]] = {
            Endpoint(name, port): []
            for name, operator in self.operators.items()
            for port in operator.spec.outputs
            if is_enabled(calls[name].operator.cls, calls[name].operator.arguments, port)
        }
        direct: set[Endpoint] = set()
        # Of several flows to a port, Holoscan hands over the messages in the order of the flows.
        for flow in sorted(program.plan.flows, key=lambda flow: position(flow.target.port)):
            source, target = flow.source.operator, flow.target.operator
            if flow in program.direct:
                ports = {(flow.source.port, base(flow.target.port))}
                application.add_flow(self.operators[source], self.operators[target], ports)
                direct.add(flow.source)
                calls[source].meter.counts_sent = False
                continue
            if target in calls and flow in program.queues:
                self._feed(flow)
            if source in calls and flow in program.queues:
                outputs_of[flow.source].append(program.queues[flow])
        for output in program.remote_outputs:
            if output.flow.source.operator in calls:
                outputs_of[output.flow.source].append(output)
        for endpoint, outputs in outputs_of.items():
            if outputs or endpoint not in direct:
                self._collect(endpoint, outputs)
        self._before = {name for one in calls.values() for name in one.node.after}
        """Operators after which others are called."""
        for one in calls.values():
            inputs = {port: i for i, port in enumerate(one.operator.inputs)}
            one.feeders.sort(key=lambda feeder: inputs.get(feeder.port, 0))
            self._order(one)
        program.control.listen(self._on_change)

    def _serve(self) -> None:
        """Register the app's services, before operators ask for them, and add its loggers."""
        app = self._program.plan.app
        for name, given in app.services.items():
            service = self._objects.of(given)
            if isinstance(service, core.ResourceBase):  # it has its name
                self._application.register_service(service)
            else:
                self._application.register_service(service, name)
                self._application.register_service(service)  # for who asks for its class alone
        for given in app.loggers.values():
            self._application.add_data_logger(self._objects.of(given))

    def _make(self, calls: HoloscanCalls) -> Any:
        node, given = calls.node, calls.operator
        extra = []
        if self._frames is not None and _begins(calls):
            extra.append(_CountCondition(self._application, self._frames))
        cls = given.cls
        if calls.python:
            cls = observed(cls, calls, self._control)
        else:
            extra.append(CallCondition(self._application, calls, name="holoflow observes"))
        try:
            operator = make(
                self._application,
                cls,
                node.name.replace(".", "/"),
                given.arguments,
                given.conditions,
                extra,
                self._objects,
            )
        except Exception as error:
            self._control.fail(Failure(node.name, "start", describe(error), error))
            raise
        if not calls.python:
            extra[-1].operator = operator
        if is_created(cls):
            operator.func = naming(operator.func, calls, self._control)
        self._application.add_operator(operator)
        return operator

    def _order(self, calls: HoloscanCalls) -> None:
        """Add the execution flows and the dynamic flows of an operator."""
        operator = self.operators[calls.name]
        for name in calls.node.after:
            before = self._application.start_op() if name == START_OP else self.operators[name]
            self._application.add_flow(before, operator)
        if calls.operator.dynamic_flows is not None:
            self._application.set_dynamic_flows(operator, calls.operator.dynamic_flows)

    def _feed(self, flow: PlannedFlow) -> None:
        stage = Feeder(self._program.queues[flow], self._program)
        self._program.control.listen(stage.wake)
        self._ports[stage] = feeder = FeederOp(self._application, stage, self._on_tick, State.WAIT)
        target = self.operators[flow.target.operator]
        self._application.add_flow(feeder, target, {("out", base(flow.target.port))})

    def _collect(self, source: Endpoint, outputs: list[Output]) -> None:
        collector = HoloscanOutput(source, outputs, self._program)
        self._ports[collector] = operator = CollectorOp(
            self._application, collector, self._on_tick, State.WAIT
        )
        ports = {(source.port, "in")}
        self._application.add_flow(self.operators[source.operator], operator, ports)

    def _on_change(self) -> None:
        """Stop what nothing feeds when the run is to end."""
        if self._control.draining:
            for name, calls in self._observed.items():
                if calls.source or calls.node.after:
                    self.operators[name].stop_execution()

    def poll(self) -> None:
        """End the operators that make no more calls, and those that nobody listens to."""
        with self._lock:
            changed = not self._over
            while changed:
                changed = False
                for calls in self._observed.values():
                    changed |= self._look_at(calls)

    def _look_at(self, calls: HoloscanCalls) -> bool:
        """Whether an operator has ended, or an output of it, since this was last asked."""
        operator = self.operators[calls.name]
        if not calls.ended:
            unheard = calls.unheard() and calls.name not in self._before
            if unheard or (self._triggered(calls) and calls.exhausted()):
                operator.stop_execution()
            if not self._has_stopped(operator, calls):
                return False
            calls.end()
            for feeder in calls.feeders:
                self._retire(feeder)
            return True
        drained = [o for o in calls.outputs.values() if not o.finished and o.drained()]
        for output in drained:
            output.finish()
            self._retire(output)
        return bool(drained)

    def _retire(self, stage: Stage) -> None:
        self._ports[stage].retire()

    def _triggered(self, calls: HoloscanCalls) -> bool:
        """Whether a message at an input is what each call of an operator needs."""
        inputs = self.operators[calls.name].spec.inputs
        free = {
            name
            for name, port in inputs.items()
            if core.ConditionType.NONE in [kind for kind, _ in port.conditions]
        }
        return any(feeder.port not in free for feeder in calls.feeders)

    def _has_stopped(self, operator: Any, calls: HoloscanCalls) -> bool:
        """Whether a condition of `operator` says that it makes no more calls."""
        waiting = operator.async_condition  # None when Holoscan has ended
        calls.stopped |= waiting is not None and waiting.event_state == State.EVENT_NEVER
        if calls.stopped:
            return True
        given = calls.operator.conditions
        limits = [c.arguments.get("count", 1) for c in given if c.cls is _CountCondition]
        if _begins(calls) and self._frames is not None:
            limits.append(self._frames)
        return bool(limits) and calls.executions >= min(limits)

    def broken(self, error: BaseException) -> None:
        """Note that Holoscan has ended with `error`: a call in C++ has failed, if it was one.

        Holoscan does not say whose, so it is told only where one alone can have been in a call.
        """
        in_cpp = [calls for calls in self._observed.values() if not calls.python]
        working = [calls for calls in in_cpp if calls.may_work()]
        if self._control.failure is None and len(working) == 1:
            working[0].broken(error)

    def let_go(self) -> None:
        """Drop the program; Holoscan may keep the rest forever."""
        for calls in self._observed.values():
            calls.let_go()  # the operators' classes hold them
        self._ports.clear()
        del self._program

    def end(self) -> None:
        """Count what was never received, and tell the stages behind that nothing more comes."""
        self.poll()  # Holoscan may have ended before the others were
        with self._lock:
            self._over = True
        for calls in self._observed.values():
            for feeder in calls.feeders:
                feeder.close()
            for collector in calls.outputs.values():
                collector.finish()


def _begins(calls: HoloscanCalls) -> bool:
    """Whether frames begin at an operator, which limits how many there are."""
    return calls.source or START_OP in calls.node.after


class CallCondition(core.Condition):  # type: ignore[misc]
    """Lets an operator in C++ run whenever it may, and notes its calls."""

    def __init__(self, fragment: Any, calls: HoloscanCalls, name: str) -> None:
        """Note calls in `calls`."""
        self.calls: HoloscanCalls | None = calls
        self.operator: Any = None
        super().__init__(fragment, name=name)

    def setup(self, _spec: Any) -> None:
        """Declare nothing."""

    def check(self, now: int) -> tuple[Any, int]:
        """Note the time: the operator may be called now."""
        if self.calls is not None:
            self.calls.checked = clock()
        return core.SchedulingStatusType.READY, now

    def update_state(self, _now: int) -> None:
        """Do nothing: the state never changes."""

    def on_execute(self, _now: int) -> None:
        """Note that the operator was called."""
        end, calls, operator = clock(), self.calls, self.operator
        if calls is None or operator is None:
            return
        if operator.is_metadata_enabled:
            taken = list(found(operator.metadata, calls.feeders))
        else:
            taken = [feeder.fed[0] for feeder in calls.feeders if feeder.fed]
        calls.executed(taken, end)


def naming(
    function: Callable[..., Any], calls: HoloscanCalls, control: Control
) -> Callable[..., Any]:
    """Return `function`, which `create_op` has made an operator, extended to name its failures."""

    def fail(error: BaseException) -> None:
        frame = f"call {calls.executions}"
        control.fail(Failure(calls.name, frame, describe(error), error))

    def each(*args: Any, **keywords: Any) -> Iterator[Any]:
        try:
            yield from function(*args, **keywords)
        except Exception as error:
            fail(error)
            raise

    def call(*args: Any, **keywords: Any) -> Any:
        try:
            return function(*args, **keywords)
        except BaseException as error:
            fail(error)
            raise

    return each if inspect.isgeneratorfunction(function) else call


def observed(cls: type, calls: HoloscanCalls, control: Control) -> type:
    """Return `cls`, which is in Python, extended to note its calls and name its failures."""

    def guard(method: str, *, raises: bool) -> Callable[[Any], None]:
        given = getattr(cls, method)
        do: Callable[[Any], None] = given if hasattr(given, "__code__") else lambda _: None

        def guarded(self: Any) -> None:
            try:
                do(self)
            except BaseException as error:
                control.fail(Failure(calls.name, method, describe(error), error))
                if raises:
                    raise

        return guarded

    start_it = guard("start", raises=True)

    def observed_start(self: Any) -> None:
        start_it(self)
        calls.begin()

    compute: Callable[..., None] = cls.compute  # type: ignore[attr-defined]

    def observed_compute(self: Any, op_input: Any, op_output: Any, context: Any) -> None:
        calls.current = call = HoloscanCall()
        calls.meter.since = start = clock()
        try:
            compute(self, Received(op_input, call, calls), Sent(op_output, call, calls, self),
                    context)  # fmt: skip
        except BaseException as error:
            if not calls.failed(call, error):
                self.stop_execution()
        else:
            calls.succeeded(call, start, clock())
        finally:
            calls.meter.since = 0
            calls.current = None
            calls.mark()

    def observed_stop_execution(self: Any) -> None:
        calls.stopped = True
        cls.stop_execution(self)  # type: ignore[attr-defined]

    methods: dict[str, Any] = {
        "stop_execution": observed_stop_execution,
        "start": observed_start,
        "stop": guard("stop", raises=False),
        "compute": observed_compute,
        "__module__": cls.__module__,
    }
    if hasattr(cls.initialize, "__code__"):  # type: ignore[attr-defined]
        methods["initialize"] = guard("initialize", raises=True)
    return type(cls.__name__, (cls,), methods)


class Received:
    """The inputs of a call of an operator in Python, which notes what it receives."""

    def __init__(self, op_input: Any, call: HoloscanCall, calls: HoloscanCalls) -> None:
        """Note in `call` what is received from `op_input`."""
        self._input = op_input
        self._call = call
        self._calls = calls

    def receive(self, name: str, **options: Any) -> Any:
        """Receive from the port `name`."""
        result = self._input.receive(name, **options)
        self._calls.received(self._call, name, result)
        return result

    def __getattr__(self, name: str) -> Any:
        return getattr(self._input, name)


class Sent:
    """The outputs of a call of an operator in Python, which notes what it sends."""

    def __init__(
        self, op_output: Any, call: HoloscanCall, calls: HoloscanCalls, operator: Any
    ) -> None:
        """Note in `call` what `operator` emits to `op_output`."""
        self._output = op_output
        self._call = call
        self._calls = calls
        self._operator = operator

    def emit(self, data: Any, name: str, emitter_name: str = "", **options: Any) -> None:
        """Emit `data` at the port `name`."""
        header = self._calls.header(self._call)
        metadata = self._operator.metadata
        if self._operator.is_metadata_enabled and get_header(metadata) is None:
            put_header(metadata, header, ())
        self._output.emit(data, name, emitter_name=emitter_name, **options)
        self._calls.meter.sent += 1
        collector = self._calls.outputs.get(name)
        if collector is not None:  # else Holoscan alone carries what it sends
            collector.expect(self._call, emitter_name)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._output, name)
