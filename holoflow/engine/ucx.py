"""Flows carried by ucx in a Holoscan application, with an operator at each end.

They use the connectors of Holoscan's distributed mode without its driver and workers, because these
accept connections from anyone on all interfaces, end successfully after an operator has failed,
and hang when a peer dies.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from holoflow.core.errors import HoloflowError
from holoflow.engine.control import Control, Failure
from holoflow.holoscan import runtime
from holoflow.link.ucx import UcxTransport
from holoflow.link.ucx.frame import LOOPBACK, pack
from holoflow.link.ucx.receiver import UcxReceiver
from holoflow.link.ucx.router import ControlConnection
from holoflow.link.ucx.sender import UcxSender

holoscan = runtime.load()
core = holoscan.core
UcxContext = importlib.import_module("holoscan.network_contexts").UcxContext
State = holoscan.conditions.AsynchronousEventState
_UCX = core.IOSpec.ConnectorType.UCX
_FAULT: Final = 2
"""Policy of Holoscan's queues: an excess message is an error. There never is one."""

_log = logging.getLogger("holoflow.link")

NUDGE: Final = 0.01
"""Seconds after which an operator is polled again, because Holoscan sometimes misses an event."""
PATIENCE: Final = 2.0
"""Seconds that peers have to end a stream once the run is to end at once."""


class _UcxOp(core.Operator):  # type: ignore[name-defined, misc]
    """One end of a flow."""

    def __init__(self, fragment: Any, end: Any, connection: ControlConnection, kind: str) -> None:
        self.end = end
        self.connection = connection
        self._over = False
        self._lock = threading.Lock()
        name = f"ucx {kind} {end.flow.number}"
        self.condition = holoscan.conditions.AsynchronousCondition(fragment, name=f"{name} goes on")
        super().__init__(fragment, self.condition, name=name)
        self.enable_metadata(False)  # it would travel as a pickle
        end.wake_operator = self.poll

    def poll(self) -> None:
        """Have Holoscan schedule the operator again, unless it is over; from any thread."""
        if self.end.done:
            self.finish()
        with self._lock:
            if not self._over:
                self.condition.event_state = State.EVENT_DONE

    def finish(self) -> None:
        """End the operator.

        A sleeping operator is called once more, to report itself that it will never work again:
        if this is set from outside, Holoscan does not notice, or restarts the operator. An
        operator that waits for a message may go on waiting: that alone does not keep the
        application running.
        """
        with self._lock:
            if not self._over:  # set repeatedly, it would keep the application awake
                self._over = True
                self.condition.event_state = State.EVENT_DONE

    def let_go(self) -> None:
        """Drop the end of the link; Holoscan may keep the operator forever."""
        self.end.wake_operator = lambda: None
        del self.end, self.connection


class SenderOp(_UcxOp):
    """Sends the messages of a flow's outlet one after the other."""

    end: UcxSender

    def setup(self, spec: Any) -> None:
        """Declare the output, which UCX carries to the other end."""
        address = socket.gethostbyname(self.connection.at.host)
        spec.output("out").connector(
            _UCX,
            capacity=1,
            policy=_FAULT,
            receiver_address=address,
            local_address=LOOPBACK if self.end.near else "0.0.0.0",  # noqa: S104 - as UCX routes
            port=self.connection.port,
            local_port=0,
            maximum_connection_retries=30,  # about a second each: other processes may start slowly
        )

    def compute(self, _op_input: Any, op_output: Any, _context: Any) -> None:
        """Emit the next message; sleep if there is none or the other end is not ready."""
        with self._lock:
            ucx_frame = None if self._over else self.end.next()
            if ucx_frame is None:
                self.condition.event_state = (
                    State.EVENT_NEVER if self._over else State.EVENT_WAITING
                )
        if ucx_frame is not None:
            op_output.emit(pack(ucx_frame), "out")


class ReceiverOp(_UcxOp):
    """Hands over the messages that arrive."""

    end: UcxReceiver

    def setup(self, spec: Any) -> None:
        """Declare the input, which UCX listens for."""
        spec.input("in").connector(
            _UCX,
            capacity=1,
            policy=_FAULT,
            address=socket.gethostbyname(self.connection.at.host),
            port=self.connection.port,
        )

    def start(self) -> None:
        """Tell the sender that UCX is listening now."""
        self.end.listen()

    def compute(self, op_input: Any, _op_output: Any, _context: Any) -> None:
        """Hand over a message."""
        try:
            with _without_pickles():
                tensors = op_input.receive("in")
        except Exception as error:  # whatever a malformed message does to Holoscan
            _log.error("%s: %s", self.connection.name, error)
            return
        if tensors is not None:
            self.end.accept(tensors)


class KeeperOp(core.Operator):  # type: ignore[name-defined, misc]
    """Keeps the application going until all streams have ended.

    Holoscan considers an application ended when it only waits for messages.
    """

    def __init__(self, fragment: Any) -> None:
        self.over = False
        self.at_work = threading.Event()
        """Set once Holoscan's schedulers run."""
        self._lock = threading.Lock()
        self.condition = holoscan.conditions.AsynchronousCondition(fragment, name="ucx is at work")
        super().__init__(fragment, self.condition, name="ucx keeper")

    def setup(self, spec: Any) -> None:
        """Declare no ports."""

    def compute(self, _op_input: Any, _op_output: Any, _context: Any) -> None:
        """Sleep until it is over."""
        self.at_work.set()
        with self._lock:
            self.condition.event_state = State.EVENT_NEVER if self.over else State.EVENT_WAITING

    def finish(self) -> None:
        """Let the application end when everything else has."""
        with self._lock:
            if not self.over:
                self.over = True
                self.condition.event_state = State.EVENT_DONE


class UcxEnds:
    """All ends of ucx flows in one application, and the thread that watches them."""

    def __init__(self, application: Any, transport: UcxTransport, control: Control) -> None:
        """Add the operators for the flows of `transport`, whose peers are all there."""
        self._transport = transport
        self._control = control
        self._ended = threading.Event()
        context = UcxContext(application, name="ucx context")
        # Arrays of messages are in main memory; asking for a GPU would fail without one.
        context.add_arg(core.py_object_to_arg(True, "cpu_data_only"))
        application.network_context(context)
        self.operators: list[_UcxOp] = [
            SenderOp(application, end, connection, "to") for end, connection in transport.senders
        ]
        self.operators += [
            ReceiverOp(application, end, connection, "from")
            for end, connection in transport.receivers
        ]
        self._keeper = KeeperOp(application)
        for operator in (*self.operators, self._keeper):
            application.add_operator(operator)
        self._thread = threading.Thread(target=self._watch, name="ucx watch", daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        """Poll the operators, and end them when a peer has gone or the run is to end at once."""
        give_up: float | None = None
        while not self._ended.wait(NUDGE):
            failure = self._transport.failure
            if failure is not None:  # at once: the application may never return from UCX
                self._control.stalled(Failure("engine", "", str(failure), failure))
            if self._control.aborted:
                give_up = give_up or time.monotonic() + PATIENCE
            if not self._keeper.at_work.is_set():
                continue
            over = failure is not None or (give_up is not None and time.monotonic() >= give_up)
            for operator in self.operators:
                if over:
                    operator.finish()
                else:
                    operator.poll()
            if over or self._transport.done:
                self._keeper.finish()

    def end(self) -> None:
        """Stop watching; the application has ended."""
        self._ended.set()
        self._thread.join()
        for operator in self.operators:
            operator.let_go()
        del self._transport, self._control

    def check(self, error: BaseException | None) -> None:
        """Raise HoloflowError if a stream should have ended at both ends but did not.

        `error` is what Holoscan's run has raised, if anything; often it ends silently.
        """
        if self._transport.failure is not None:
            raise self._transport.failure from error
        if not (self._transport.done or self._control.aborted):
            raise HoloflowError(
                f"the ucx connection with {self._transport.unfinished} broke, and cannot be made "
                f"again"
            ) from error
        if error is not None:  # everything arrived; the rest of the run needs no ucx
            _log.warning("Holoscan's run ended with an error: %s", error)


class _Refusing(threading.local):
    """Whether the thread is receiving a peer's message."""

    active = False


_refusing = _Refusing()


@contextlib.contextmanager
def _without_pickles() -> Iterator[None]:
    """Raise HoloflowError if Holoscan is about to unpickle data from the network.

    It unpickles any message that claims to be a pickle, which would let peers run code here.
    """
    _guard()
    _refusing.active = True
    try:
        yield
    finally:
        _refusing.active = False


def _guard() -> None:
    """Wrap the function that Holoscan unpickles with in a guard."""
    cloudpickle = sys.modules.get("cloudpickle")
    if cloudpickle is None:
        with contextlib.suppress(ImportError):
            import cloudpickle  # type: ignore[import-untyped, no-redef]
    loads: Callable[..., Any] | None = getattr(cloudpickle, "loads", None)
    if loads is None or hasattr(loads, "guarded"):
        return

    def guarded(*args: Any, **kwargs: Any) -> Any:
        if _refusing.active:
            raise HoloflowError("a pickle was received", "ucx carries tensors only")
        return loads(*args, **kwargs)

    guarded.guarded = True  # type: ignore[attr-defined]
    cloudpickle.loads = guarded  # type: ignore[union-attr]
