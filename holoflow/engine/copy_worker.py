"""The process of a copy: `python -m holoflow.engine.copy_worker`, started by `CopyProcess`."""

from __future__ import annotations

import contextlib
import faulthandler
import logging
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from holoflow.app.catalogue import find_class
from holoflow.app.plugins import payload_types
from holoflow.core import log
from holoflow.core.errors import HoloflowError, parts
from holoflow.core.lifecycle import leave
from holoflow.core.message import Header, Stamped
from holoflow.core.operator import Operator, OperatorContext
from holoflow.core.passed_geometry import pass_geometry
from holoflow.core.processes import die_with
from holoflow.engine.copy_channel import TEXT, CopyChannel, Packet
from holoflow.engine.copy_process import CopySpec
from holoflow.engine.results import guard
from holoflow.link.wire import Types

NO_METADATA: Mapping[str, Any] = {}


class _Nowhere:
    """A part of the context that only the process of the run has."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, _: str) -> NoReturn:
        self()

    def __call__(self) -> NoReturn:
        raise HoloflowError(
            f"context.{self._name} is not there in a copy with a process of its own",
            "set copies: 1, or heavy = True if the operator releases the interpreter's lock",
        )


class _CopyContext(OperatorContext):
    """Tells the process of the run what is to be warned of once."""

    tell: Callable[..., None]

    def warn_once(self, text: str, *values: object, said: str = "") -> None:
        self.tell("warn_once", text[:TEXT], (said or (text % values if values else text))[:TEXT])


class _Copy:
    def __init__(self, channel: CopyChannel, spec: CopySpec) -> None:
        self._channel = channel
        self._ahead = time.time_ns() - time.monotonic_ns()
        """What the clock of the run is ahead of the monotonic one (ns)."""
        sys.path[:] = spec.path
        cls = find_class(spec.cls, Path())
        added, _ = payload_types()
        channel.know(Types.of([*(find_class(name, Path()) for name in spec.types), *added]))
        assert issubclass(cls, Operator)  # noqa: S101 - for the type checker
        self._operator = cls.from_app(spec.parameters)
        self._operator.context = self._context(spec)
        self._header = self._operator.ports().header
        pass_geometry(self._operator)
        if spec.guarded:
            guard(self._operator)

    def _context(self, spec: CopySpec) -> OperatorContext:
        nowhere: dict[str, Any] = {
            name: _Nowhere(name) for name in ("ending", "snapshot", "history")
        }
        context = _CopyContext(
            name=spec.name, output=Path(spec.output), generation=spec.generation,
            log=logging.getLogger(f"holoflow.operator.{spec.name}"), lossless=spec.lossless,
            web=spec.web, threads=spec.threads, allocate=self._channel.allocate,
            now=lambda: time.monotonic_ns() + self._ahead,
            announce=lambda kind, text: self._channel.send("announce", kind, text[:TEXT]),
            count_drop=lambda cause, count: self._channel.send("count_drop", cause, int(count)),
            **nowhere,
        )  # fmt: skip
        context.tell = self._channel.send
        return context

    def serve(self) -> None:
        """Make the calls that are asked for, until the channel closes."""
        try:
            self._operator.start()
            self._channel.send("ready")
            while self._answer():
                pass
        except BaseException:
            with contextlib.suppress(Exception):
                self._operator.stop()
            raise
        self._operator.stop()
        self._channel.send("stopped")

    def _answer(self) -> bool:
        """Make the next call; false if none will come."""
        try:
            packet = self._channel.receive()
            if packet is None:
                return False
            self._call(packet)
        except BaseException as error:
            self._channel.send("error", *told(error))
        return True

    def _call(self, packet: Packet) -> None:
        assert packet.message is not None  # noqa: S101 - for the type checker
        (self._ahead,) = packet.values
        header = packet.message.header
        arguments = packet.message.payload
        if self._header is not None:
            arguments[self._header] = header
        begin = time.process_time_ns()
        result = self._operator.process(**arguments)  # type: ignore[attr-defined]
        stamps, metadata = None, NO_METADATA
        if type(result) is Stamped:
            stamps = result.timestamp, result.elapsed, result.wait
            result, metadata = result.payload, result.metadata or NO_METADATA
        sent = Header(header.sequence, 0, header.source, metadata)
        self._channel.send_message("result", result, sent, time.process_time_ns() - begin, stamps)


def told(error: BaseException) -> tuple[str | None, str, str, bool, str]:
    """Return `error` as what `CopyProcess` makes an equal one of."""
    own = isinstance(error, HoloflowError)
    wrong, right = parts(error) if own else (str(error), "")
    trace = "".join(traceback.format_exception(error))
    name = None if own else type(error).__name__
    fatal = not isinstance(error, Exception)
    return name, wrong[:TEXT], right[:TEXT], fatal, trace[-TEXT:]


def main() -> None:
    """Serve; arguments: the channel's descriptor, the process id of the parent."""
    number, parent = int(sys.argv[1]), int(sys.argv[2])
    die_with(parent)
    ignored = signal.SIGINT, signal.SIGTERM, signal.SIGHUP
    for one in ignored:
        # Not SIG_IGN, which programs that operators start would inherit.
        signal.signal(one, lambda _number, _frame: None)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ignored)
    faulthandler.enable()
    os.set_inheritable(number, False)
    channel = CopyChannel(socket.socket(fileno=number))

    def show(record: logging.LogRecord) -> None:
        text = log.message(record)[:TEXT]
        channel.send("log", record.name, record.levelno, text, record.created)

    first = channel.receive()
    if first is None or first.message is None:
        return
    spec = CopySpec(**first.message.payload)
    with log.logged_to(show, spec.log_level):
        try:
            _Copy(channel, spec).serve()
        except BaseException as error:
            with contextlib.suppress(OSError):  # the parent has closed the channel
                channel.send("error", *told(error))
    leave(0)


if __name__ == "__main__":
    main()
