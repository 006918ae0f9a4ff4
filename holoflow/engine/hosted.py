"""holoflow operators in a Holoscan application written by hand."""

from __future__ import annotations

import time
from typing import Any

from holoflow.core.errors import HoloflowError
from holoflow.core.message import Header, Stamped
from holoflow.core.operator import Operator, OperatorContext
from holoflow.core.passed_geometry import pass_geometry
from holoflow.core.times import SECOND, Pace
from holoflow.engine.results import Results
from holoflow.holoscan import runtime
from holoflow.holoscan.data import from_tensors, get_geometry, get_header, put_header, to_tensors

_END = object()


def host(fragment: Any, operator: Operator, args: tuple[Any, ...], name: str) -> Any:
    """Return `operator` as a Holoscan operator; see `holoflow.hosted`."""
    core = runtime.load().core
    ports = operator.ports()
    if ports.trigger == "any":
        raise HoloflowError(
            f"operator {name!r} is called for each message of any input, which is for apps in YAML"
        )
    results = Results(name, ports)
    pass_geometry(operator)

    class HostedOp(core.Operator):  # type: ignore[name-defined, misc]
        """Runs one holoflow operator."""

        def setup(self, spec: Any) -> None:
            for port, declared in ports.inputs.items():
                # Holoscan's own way to connect several flows to one port
                size = core.IOSpec.ANY_SIZE if declared.element else core.IOSpec.SIZE_ONE
                spec.input(port, size=size)
            for port in ports.outputs:
                spec.output(port)

        def start(self) -> None:
            operator.context = OperatorContext(name=name)
            operator.start()
            self.sequence = 0
            self.began = operator.context.now()
            self.pace = Pace()
            self.frames = iter(operator.frames()) if ports.source else None  # type: ignore[attr-defined]

        def stop(self) -> None:
            operator.stop()

        def compute(self, op_input: Any, op_output: Any, _context: Any) -> None:
            if self.frames is not None:
                result = next(self.frames, _END)
                if result is _END:
                    self.stop_execution()
                    return
                header = Header(self.sequence, operator.context.now(), name)
                if isinstance(result, Stamped) and result.wait and result.elapsed is not None:
                    due = self.began + self.pace.due(result.elapsed)[0]
                    time.sleep(max(due - operator.context.now(), 0) / SECOND)
                self.send(result, header, op_output)
                return
            arguments = {
                port: from_tensors(
                    op_input.receive(port), declared.type, get_geometry(self.metadata)
                )
                if declared.element is None
                else [from_tensors(one, declared.element.type) for one in op_input.receive(port)]
                for port, declared in ports.inputs.items()
            }
            header = self.header()
            if ports.header is not None:
                arguments[ports.header] = header
            result = operator.process(**arguments)  # type: ignore[attr-defined]
            for item in results.each(result) if ports.generator else (result,):
                self.send(item, header, op_output)

        def header(self) -> Header:
            own = Header(self.sequence, operator.context.now(), name)
            return get_header(self.metadata) or own

        def send(self, result: Any, header: Header, op_output: Any) -> None:
            self.sequence += 1
            try:
                if ports.stamped:
                    result, header = results.unstamped(result, header, self.began)
                if not results.whole.gives(result) or result is None:
                    return
                sends = results.sends(result)
            except TypeError as error:
                raise HoloflowError(f"operator {name!r}: {error}") from error
            put_header(self.metadata, header, [payload for _, payload in sends])
            for port, payload in sends:
                op_output.emit(to_tensors(payload), port)

    hosted = HostedOp(fragment, *args, name=name)
    # With headers at several inputs, the first leads.
    hosted.metadata_policy = core.MetadataPolicy.REJECT
    return hosted


def hosted(fragment: Any, operator: Operator, *args: Any, name: str) -> Any:
    """Return `operator` as a Holoscan operator, to be wired with `add_flow`.

    Call it within `compose`: `hosted(self, ThresholdOp(level=0.2), name="threshold")`. The ports
    are those of `process`: inputs have the names of its parameters, outputs the keys of what it
    returns, or `out`. An input takes tensors (a single one becomes an Image if the parameter is
    one) or the payload itself; an output sends arrays as tensors and anything else as it is. The
    header travels as Holoscan's metadata. Frames of a source are held until their time by sleeping
    in its `compute`.

    Args:
        fragment: The application or fragment that is being composed.
        operator: The operator to run.
        args: Conditions and resources of Holoscan.
        name: Name of the operator in the application.

    Raises:
        HoloflowError: Holoscan is not installed, or the operator is called for each message of
            any input.
    """
    return host(fragment, operator, args, name)
