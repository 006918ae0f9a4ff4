"""The calls of Holoscan's own operators: what each took, sent and cost.

The messages that a feeder has emitted are kept until their operator has received them. Of an
operator in Python that is seen at its inputs; of one in C++ at Holoscan's metadata, which hold
what its call has received until the next one. So every call has its messages, and what was
emitted but never received is known at the end.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from holoflow.app.graph import Node
from holoflow.core.errors import describe
from holoflow.core.message import Header
from holoflow.engine.control import Control, Failure
from holoflow.engine.holoscan_messages import KEPT, DirectFlow, Fed, HoloscanCall, leading
from holoflow.holoscan.classes import is_python
from holoflow.stats.budget import BudgetMeter
from holoflow.stats.operator_stats import OperatorMeter
from holoflow.stats.records import OpenCall
from holoflow.stats.spans import PathStep, TraceContext, close, extend

if TYPE_CHECKING:
    from holoflow.engine.holoscan_ports import Feeder, HoloscanOutput


class HoloscanCalls:
    """The calls of one operator, and what of it the run observes."""

    def __init__(
        self, node: Node, control: Control, budgets: Sequence[BudgetMeter],
        late: Sequence[BudgetMeter], *, source: bool, sink: bool,
    ) -> None:  # fmt: skip
        """Observe the operator of `node`.

        Args:
            node: The operator.
            control: State of the run.
            budgets: Budgets that end at it.
            late: Budgets for which it takes no frames that are too late.
            source: Whether nothing feeds it: its frames are those that it sends.
            sink: Whether nothing takes what it sends.
        """
        assert node.holoscan_operator is not None  # noqa: S101 - for the type checker
        self.name = node.name
        self.node = node
        self.operator = node.holoscan_operator
        self.python = is_python(self.operator.cls)
        self.meter = OperatorMeter(node.name)
        self.budgets, self.deadlines = tuple(budgets), tuple(late)
        self.feeders: list[Feeder] = []
        self.outputs: dict[str, HoloscanOutput] = {}
        """By port."""
        self.direct: list[DirectFlow] = []
        """Flows from other C++ operators, which Holoscan alone carries."""
        self.behind: list[DirectFlow] = []
        """Such flows to others."""
        self.started = False
        self.stopped = False
        """Whether somebody has stopped it."""
        self.ended = False
        """Whether it makes no more calls."""
        self.executions = 0
        """Calls that have ended, whatever came of them."""
        self.current: HoloscanCall | None = None
        """The call of an operator in Python that goes on."""
        self.checked = 0
        """When a C++ operator was last found ready (ns)."""
        self.worked = 0
        """When its last call ended (ns)."""
        self.source = source
        self._sink = sink
        self._control = control
        self._recent: deque[HoloscanCall] = deque(maxlen=KEPT)
        self._numbered = 0
        """Number of the calls of a C++ source that have been kept."""
        self._lock = threading.Lock()
        self._log = logging.getLogger(f"holoflow.operator.{node.name}")

    def begin(self) -> None:
        """Let messages pass: the operator has started."""
        self.started = True
        for feeder in self.feeders:
            feeder.wake()

    def let_go(self) -> None:
        """Drop everything but the counts."""
        self.feeders.clear()
        self.outputs.clear()
        self.direct.clear()
        self.behind.clear()

    def since(self) -> int:
        """Return when the call began that goes on (ns); 0 if none is known to."""
        return self.meter.since

    def doing(self) -> str:
        """Return what the call that goes on is for: its frame, if that is known by now."""
        call = self.current
        taken = leading(self.feeders, call.taken) if call is not None else []
        header = (taken[0].message.header if taken else call.header) if call is not None else None
        if header is None:
            return f"call {self.executions}"
        return f"frame {header.sequence} of {header.source}"

    # -- operators in Python -----------------------------------------------------------------

    def received(self, call: HoloscanCall, port: str, result: Any) -> None:
        """Note that `call` has received `result` at `port`."""
        feeders = [f for f in self.feeders if f.port == port]
        if result is None or not feeders:
            return
        count = len(result) if isinstance(result, tuple) else 1
        for feeder in feeders:
            share = count if len(feeders) == 1 else 1
            for _ in range(min(share, len(feeder.fed))):
                call.taken.append(feeder.fed[0])  # first, so that it is always in one of both
                feeder.fed.popleft()

    def mark(self) -> None:
        """Tell joins behind for how many frames nothing more will be sent."""
        marked = [output for output in self.outputs.values() if output.marked]
        if not (marked and self.python):
            return
        if self.feeders:
            frames = self.feeders[0].passed()
            if self.current is not None and self.current.taken:
                leader = leading(self.feeders, self.current.taken)[0]
                frames = min(frames, leader.message.header.sequence)
        else:
            frames = self.meter.frames
        for output in marked:
            output.mark_behind(frames)

    def header(self, call: HoloscanCall) -> Header:
        """Return the header of what `call` sends: that of its leading message, or a new one."""
        if call.header is None:
            taken = leading(self.feeders, call.taken)
            number = self.meter.frames
            call.header = (
                taken[0].message.header
                if taken
                else Header(number, self._control.captured(), self.name)
            )
        return call.header

    def succeeded(self, call: HoloscanCall, start: int, end: int) -> None:
        """Count `call`, which lasted from `start` to `end` (ns)."""
        self.executions += 1
        self.worked = end
        if self.source and call.header is None:  # it has sent nothing
            self.meter.work(start, end)
            return
        self.header(call)
        self.meter.frames += 1
        self._complete(call, start, end)
        self._acknowledge(call)

    def failed(self, call: HoloscanCall, error: BaseException) -> bool:
        """Count `call` as failed by `error`; whether the operator goes on."""
        self.executions += 1
        header = self.header(call)
        frame = f"frame {header.sequence} of {header.source}"
        for fed in call.taken:
            fed.feeder.queue.count_dropped("error", fed.message)
        self._acknowledge(call)
        self.meter.failed += 1
        if self.node.on_error == "skip" and isinstance(error, Exception):
            self.meter.skipped += 1
            text = "skipped %s (timestamp %d ns): %s"
            self._log.warning(text, frame, header.timestamp, describe(error))
            return True
        self._control.fail(Failure(self.name, frame, describe(error), error))
        return False

    # -- operators in C++ --------------------------------------------------------------------

    def executed(self, taken: Sequence[Fed], end: int) -> None:
        """Count a call that has ended at `end` (ns) and has received `taken`."""
        self.executions += 1
        self.worked = end
        if not self.source:
            self.meter.frames = self.executions
            for flow in self.direct:
                flow.count(self.executions)
        elif self.outputs:
            return  # a call that sends nothing is no frame
        with self._lock:
            self._call(taken, self.executions - 1, end)

    def sent(self, taken: Sequence[Fed], number: int, end: int) -> HoloscanCall:
        """Return the call that has received `taken`, and sent what was collected at `end` (ns).

        Args:
            taken: What it has received.
            number: How much was collected before from the same output.
            end: Now.
        """
        if self.source:
            self.meter.frames = max(self.meter.frames, number + 1)
        with self._lock:
            return self._call(taken, number, end)

    def may_work(self) -> bool:
        """Whether an operator in C++ may be in a call: it was found ready since its last one."""
        fed = any(feeder.fed for feeder in self.feeders) or not self.feeders
        return fed and self.checked > self.worked

    def broken(self, error: BaseException) -> None:
        """Count the call of an operator in C++ that has not ended as failed by `error`."""
        call = HoloscanCall()
        for feeder in self.feeders:
            call.taken += feeder.up_to(feeder.fed[0]) if feeder.fed else []
        self.failed(call, error)

    def _call(self, taken: Sequence[Fed], number: int, end: int) -> HoloscanCall:
        """Return a call; make it if nobody has yet: it is seen at its end and at each output."""
        if not self.feeders:
            return self._numbered_call(number, end)
        taken = leading(self.feeders, taken)
        if taken and taken[0].call is not None:
            return taken[0].call
        call = HoloscanCall(taken[0].message.header if taken else None)
        for fed in taken:
            call.taken += fed.feeder.up_to(fed)
            fed.call = call
        passed = self._passed(call.header)
        start = max([self.checked, *(fed.at for fed in taken)]) or end
        self._complete(call, start, end, passed)
        self._acknowledge(call)
        return call

    def _numbered_call(self, number: int, end: int) -> HoloscanCall:
        """Return the call with `number` of an operator that no feeder feeds."""
        while self._numbered <= number:
            passed = self._passed(None)
            header = passed[0][1].header if passed else None
            if not self.direct:
                header = Header(self._numbered, self._control.captured(), self.name)
            call = HoloscanCall(header)
            self._complete(call, self.checked or end, end, passed)
            self._recent.append(call)
            self._numbered += 1
        return self._recent[max(number - self._numbered, -len(self._recent))]

    def _passed(self, header: Header | None) -> list[tuple[DirectFlow, HoloscanCall]]:
        """Return the calls of other C++ operators that have sent what a call has received."""
        passed = [(flow, flow.take(header)) for flow in self.direct]
        return [(flow, call) for flow, call in passed if call is not None]

    # -- both --------------------------------------------------------------------------------

    def _complete(
        self, call: HoloscanCall, start: int, end: int,
        passed: Sequence[tuple[DirectFlow, HoloscanCall]] = (),
    ) -> None:  # fmt: skip
        """Give `call` its trace and its record; `passed` are the calls before it in Holoscan."""
        if not self._control.tracked:
            return
        parts = [(f.feeder.queue.step, f.message.trace) for f in call.taken]
        parts += [(flow.step, before.trace) for flow, before in passed]
        parts = [part for part in parts if part[1]]
        if parts:
            self._join(call, parts, start, end)
        elif call.taken or self.direct or self.feeders:
            self.meter.work(start, end)  # of what, nobody knows
        else:
            self.meter.note(start, end, end)
            call.trace = self._control.paths.begin(self.name, end, end)
        self._record(call, start, end, passed)
        for flow in self.behind:
            flow.put(call)
        if call.trace and parts:
            for budget in self.budgets:
                budget.add(call.trace, end)
            if self._sink:
                close(call.trace)

    def _join(
        self, call: HoloscanCall, parts: list[tuple[PathStep, TraceContext]],
        start: int, end: int,
    ) -> None:  # fmt: skip
        """Give `call` the trace that comes of the messages in `parts`, the leading one first."""
        captured = parts[0][1][0][4]
        ordered = sorted(parts, key=lambda part: part[1][0][3], reverse=True)
        trace: TraceContext = ()
        for step, before in ordered:
            if step.back_edge:
                close(extend(before, step, start, start))
            else:
                trace += extend(before, step, start, end)
        if len(parts) > 1:
            trace = self._control.paths.limit(tuple([(*s[:4], captured) for s in trace]))
            for fed in call.taken:
                if fed.message.trace:
                    fed.feeder.queue.waits.add(start - fed.message.trace[0][3])
        call.trace = trace
        if len(self.feeders) + len(self.direct) > 1:  # of all its calls, or of none
            self.meter.completes.append(max(part[1][0][3] for part in parts))
        self.meter.calls.append(extend(parts[0][1][:1], parts[0][0], start, end)[0])

    def _record(
        self, call: HoloscanCall, start: int, end: int,
        passed: Sequence[tuple[DirectFlow, HoloscanCall]],
    ) -> None:  # fmt: skip
        """Record `call`, with an arrow to it from each of those in front of it."""
        worker = self._control.worker()
        worker.busy += end - start
        recorder = self._control.recorder
        if recorder is None or call.header is None:
            return
        arrived = call.trace[0][0][3] if call.trace and call.trace[0][0] else end
        takes = tuple((f.feeder.queue.name, f.message.number) for f in call.taken)
        for flow, before in passed:
            message = (flow.name, recorder.number())
            takes += (message,)
            if before.record is not None:
                before.record.gives.append(message)
        call.record = OpenCall(
            self.name, threading.get_ident(), call.header.source, call.header.sequence, arrived,
            start, end, takes,
        )  # fmt: skip
        recorder.add(call.record)

    def _acknowledge(self, call: HoloscanCall) -> None:
        for feeder in {id(fed.feeder): fed.feeder for fed in call.taken}.values():
            feeder.acknowledge()

    def end(self) -> None:
        """Take nothing more, as the operator makes no more calls."""
        self.ended = True
        stopped = self._control.aborted or self._control.failure is not None
        for feeder in self.feeders:
            feeder.finish("stopped" if stopped else "end")
            feeder.wake()

    def exhausted(self) -> bool:
        """Whether nothing can come to it any more, and it works on nothing.

        That cannot be said of an operator in C++.
        """
        # A call takes what was emitted after it has begun, so in this order none is missed.
        over = all(feeder.finished and not feeder.fed for feeder in self.feeders)
        return self.python and bool(self.feeders) and over and not self.meter.since

    def unheard(self) -> bool:
        """Whether nobody takes what it sends any more."""
        heard = [flow.target.ended for flow in self.behind]
        heard += [output.unheard() for output in self.outputs.values() if output.outputs["out"]]
        return bool(heard) and all(heard)
