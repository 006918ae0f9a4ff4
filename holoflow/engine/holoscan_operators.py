"""Holoscan's own operators in a running app, connected to holoflow's queues."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from holoflow.app.graph import START_OP, Endpoint
from holoflow.core.errors import describe
from holoflow.core.ports import base, position
from holoflow.engine.build import Program
from holoflow.engine.control import Failure
from holoflow.engine.holoscan_calls import HoloscanCalls
from holoflow.engine.holoscan_observed import CallCondition, naming, observed
from holoflow.engine.holoscan_ports import CollectorOp, Feeder, FeederOp, HoloscanOutput
from holoflow.engine.holoscan_stage import StageOp, State, core, holoscan
from holoflow.engine.stage import Output, Stage
from holoflow.holoscan.classes import Objects, is_created, is_enabled, make
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
        sender = self.operators[source.operator]
        # Holoscan would lose what an output that waits for nobody sends too soon.
        _wait_for_room(sender.spec.outputs[source.port])
        self._application.add_flow(sender, operator, {(source.port, "in")})

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


def _wait_for_room(output: Any) -> None:
    """Let the operator of `output` be called only while what it sends can be collected."""
    if core.ConditionType.NONE in [kind for kind, _ in output.conditions]:
        output.condition(core.ConditionType.DOWNSTREAM_MESSAGE_AFFORDABLE, min_size=1)


def _begins(calls: HoloscanCalls) -> bool:
    """Whether frames begin at an operator, which limits how many there are."""
    return calls.source or START_OP in calls.node.after
