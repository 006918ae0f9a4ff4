"""Copies in processes of their own: for operators that keep the interpreter's lock while they work.

Each is owned by a thread of `Copies`, which waits for it without the lock. What it logs and tells
the user comes back with the results.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

from holoflow.core.errors import HoloflowError, ShortageError, is_shortage, words
from holoflow.core.log import LevelName
from holoflow.core.message import Header, Stamped
from holoflow.core.processes import describe_exit, python
from holoflow.engine.copy_channel import CopyChannel, Packet
from holoflow.engine.runner import OperatorRunner
from holoflow.link.wire import Types

DYING = 5.0
"""Seconds that a process has to end once it has closed its end of the channel."""
WITHOUT_FRAME = Header(0, 0, "")
"""Header of messages that do not belong to a frame."""


@dataclass(frozen=True)
class CopySpec:
    """What a process needs to make the operator."""

    name: str
    cls: str
    """The class, as `holoflow.app.catalogue.reference` writes it."""
    parameters: Mapping[str, Any]
    """As written in the app."""
    types: tuple[str, ...]
    """Classes of payloads, written in the same way."""
    path: tuple[str, ...]
    """Python's search path."""
    log_level: LevelName
    guarded: bool
    """Whether it is reported that the operator changes its inputs."""
    output: str
    generation: int
    lossless: bool
    web: bool
    threads: int


class _RemoteTraceback(Exception):  # noqa: N818 - not an error by itself
    """The traceback of an error in the process of a copy; its text is that."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


class CopyProcess:
    """A process that makes calls of the operator, one at a time."""

    def __init__(
        self, runner: OperatorRunner, spec: CopySpec, types: Types, spawner: ThreadPoolExecutor
    ) -> None:
        """Make calls of the operator of `runner`; `spawner` starts the process."""
        self._runner = runner
        self._spec = spec
        self._types = types
        self._spawner = spawner
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: CopyChannel | None = None
        """None once the process has ended."""
        self._cpu = 0
        """CPU time of the process for calls (ns)."""
        self._killed = False

    def launch(self) -> None:
        """Start the process, without waiting until it is ready.

        Raises:
            HoloflowError: It cannot be started.
        """
        own, given = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [*python("holoflow.engine.copy_worker"), str(given.fileno()), str(os.getpid())]
        try:
            self._process = self._spawner.submit(
                subprocess.Popen,
                command,
                stdin=subprocess.DEVNULL,
                pass_fds=(given.fileno(),),
            ).result()
        except OSError as error:
            own.close()
            kind = ShortageError if is_shortage(error) else HoloflowError
            raise kind(f"a process of it cannot be started: {words(error)}") from None
        finally:
            given.close()
        channel = self._channel = CopyChannel(own)
        channel.know(self._types)
        with contextlib.suppress(OSError):  # it has ended; `wait` says how
            channel.send_message("operator", asdict(self._spec), WITHOUT_FRAME)

    def begin(self) -> None:
        """Wait until the operator has started there.

        Raises:
            BaseException: What `start()` has raised.
        """
        try:
            self.wait("ready")
        except BaseException:
            self._ended()
            raise

    def wait(self, kind: str) -> Packet:
        """Wait for the packet `kind`, and do what others ask for meanwhile.

        Raises:
            HoloflowError: The process has ended, or has raised an error of holoflow's.
            BaseException: It has raised another error, which has the same name and text here.
        """
        while self._channel is not None and (packet := self._channel.receive()) is not None:
            if packet.kind == "error":
                raise _remade(*packet.values)
            if packet.kind == kind:
                return packet
            self._do(packet)
        raise HoloflowError(self._ended())

    def call_with(self, arguments: Mapping[str, Any], header: Header) -> Any:
        """Call `process` there; the process is started again if it has ended."""
        if self._channel is None:
            self.launch()
            self.begin()
        assert self._channel is not None  # noqa: S101 - for the type checker
        given = dict(self._runner.inputs(arguments))
        ahead = self._runner.operator.context.now() - time.monotonic_ns()
        try:
            self._channel.send_message("call", given, header, ahead)
        except ConnectionError:
            raise HoloflowError(self._ended()) from None
        packet = self.wait("result")
        cpu, stamps = packet.values
        self._cpu += cpu
        assert packet.message is not None  # noqa: S101 - for the type checker
        payload, metadata = packet.message.payload, packet.message.header.metadata
        if stamps is None:
            return payload
        timestamp, elapsed, wait = stamps
        return Stamped(payload, timestamp, elapsed, wait, metadata)

    def cpu(self) -> int:
        """Return the CPU time of all calls so far (ns), here and in the process."""
        return time.thread_time_ns() + self._cpu

    def end(self) -> None:
        """Have the operator stopped and the process end, without waiting for it."""
        if self._channel is not None:
            with contextlib.suppress(OSError):
                self._channel.end()

    def stop(self) -> None:
        """Wait until the operator has stopped and the process has ended.

        Raises:
            BaseException: What `stop()` has raised.
        """
        if self._channel is not None and not self._killed:
            self.wait("stopped")
            self._ended()

    def kill(self) -> bool:
        """Kill the process, so that its call ends with an error; returns true."""
        self._killed = True
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
        return True

    def discard(self) -> None:
        """Kill the process if it is still there, and wait for its end."""
        self.kill()  # first: a thread that still waits for it finds the channel closed there
        if self._channel is not None:
            self._ended()

    def _ended(self) -> str:
        """Close the channel and wait for the end of the process; return how it ended."""
        assert self._process is not None  # noqa: S101 - for the type checker
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        try:
            return describe_exit(self._process.wait(DYING))
        except subprocess.TimeoutExpired:
            self._process.kill()
            return describe_exit(self._process.wait())

    def _do(self, packet: Packet) -> None:
        """Do what the operator has asked for."""
        context = self._runner.operator.context
        match packet.kind, packet.values:
            case "log", [name, level, text, created]:
                record = {"name": name, "levelno": level, "msg": text, "created": created}
                record["levelname"] = logging.getLevelName(level)
                logging.getLogger(name).handle(logging.makeLogRecord(record))
            case "announce", [kind, text]:
                context.announce(kind, text)
            case "count_drop", [cause, count]:
                context.count_drop(cause, count)
            case "warn_once", [key, text]:
                context.warn_once(key, said=text)


class CopyProcesses:
    """An operator in several processes, which is started and stopped like one here."""

    def __init__(self, runner: OperatorRunner, spec: CopySpec, types: Types, count: int) -> None:
        """Have calls of the operator of `runner` made in `count` processes."""
        # The system kills them when the thread that has started them ends: so one that lives as
        # long as they may. Signals wait until they can handle them.
        self._spawner = ThreadPoolExecutor(
            1, f"{runner.name} processes", initializer=_block_signals
        )
        self.copies = [CopyProcess(runner, spec, types, self._spawner) for _ in range(count)]

    def start(self) -> None:
        """Start the operator in each process."""
        for copy in self.copies:
            copy.launch()
        for copy in self.copies:
            copy.begin()

    def stop(self) -> None:
        """Stop the operator in each process that is there."""
        for copy in self.copies:
            copy.end()
        for copy in self.copies:
            copy.stop()

    def kill(self) -> None:
        """Kill what is left of the processes; the run is over."""
        for copy in self.copies:
            copy.discard()
        self._spawner.shutdown()


def _block_signals() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))


def _remade(name: str | None, wrong: str, right: str, fatal: bool, trace: str) -> BaseException:
    """Return an error that reads like one in another process.

    Args:
        name: Its type; None for one of holoflow's.
        wrong: Its text, or what is wrong.
        right: What would be right.
        fatal: Whether it is no `Exception`, so that no frame may be skipped.
        trace: Its traceback as text.
    """
    error: BaseException
    if name is None:
        error = HoloflowError(wrong, right)
    else:
        error = type(name, (BaseException if fatal else Exception,), {})(wrong)
    error.__cause__ = _RemoteTraceback(trace)
    return error
