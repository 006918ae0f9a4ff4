"""How calls of Holoscan's own operators are seen.

Of an operator in Python, `compute` is wrapped; one in C++ gets a condition, which Holoscan asks
before each of its calls and tells after it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

from holoflow.core.errors import describe
from holoflow.engine.control import Control, Failure
from holoflow.engine.holoscan_calls import HoloscanCalls
from holoflow.engine.holoscan_messages import HoloscanCall, found
from holoflow.engine.holoscan_stage import core
from holoflow.engine.stage import clock
from holoflow.holoscan.data import get_header, put_header


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
