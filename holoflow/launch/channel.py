"""The control channel between the launcher and a fragment's process: one JSON message per line.

The channel is a pair of sockets that only these two hold. When it closes, the other end is gone.
"""

from __future__ import annotations

import contextlib
import functools
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, TypeAdapter, ValidationError

from holoflow.core.errors import HoloflowError
from holoflow.engine.control import Outcome
from holoflow.stats.records import Records
from holoflow.stats.snapshot import Sample, Snapshot, to_json

HEARTBEAT_INTERVAL = 0.5
"""Seconds between two heartbeats."""
LIMIT = 64 * 1024 * 1024
"""Bytes of the longest line."""
_PIECE = 1 << 18

# -- from the process to the launcher ----------------------------------------------------------


@dataclass(frozen=True)
class Heartbeat:
    """The process is alive."""

    kind: Literal["heartbeat"] = "heartbeat"


@dataclass(frozen=True)
class Ready:
    """The operators of the process have started and its links are open."""

    kind: Literal["ready"] = "ready"


@dataclass(frozen=True)
class LogEntry:
    """A log record of the process."""

    level: int
    logger: str
    text: str
    time: float
    """Seconds since the epoch."""
    kind: Literal["log"] = "log"


@dataclass(frozen=True)
class StateReport:
    """The state of the process's run."""

    snapshot: Snapshot
    kind: Literal["state"] = "state"


@dataclass(frozen=True)
class Refused:
    """The process cannot run."""

    text: str
    lasting: bool = True
    """Whether the user has to change something; else it may run after a restart."""
    kind: Literal["refused"] = "refused"


@dataclass(frozen=True)
class Failed:
    """An operator's failure."""

    operator: str
    frame: str
    cause: str
    trace: str
    """The traceback."""


@dataclass(frozen=True)
class Ended:
    """The run of the process has ended; only the end of the process follows."""

    outcome: Outcome
    engine: Literal["holoscan", "threads", "inline"]
    last: Snapshot
    failure: Failed | None = None
    records: Records | None = None
    kind: Literal["ended"] = "ended"


@dataclass(frozen=True)
class StateRequest:
    """Somebody looks at the run here: send its next state."""

    curves: bool = False
    """Whether to send its curves too."""
    kind: Literal["state request"] = "state request"


@dataclass(frozen=True)
class OutcomeRequest:
    """Somebody looks at the run here, and its end has come: say how it has ended."""

    kind: Literal["outcome request"] = "outcome request"


Message: TypeAlias = (
    Heartbeat | Ready | LogEntry | StateReport | Refused | Ended | StateRequest | OutcomeRequest
)

# -- from the launcher to the process ----------------------------------------------------------


@dataclass(frozen=True)
class BeginCommand:
    """All processes are ready: begin with the sources."""

    kind: Literal["begin"] = "begin"


@dataclass(frozen=True)
class Drain:
    """End the sources; messages under way are still processed."""

    kind: Literal["drain"] = "drain"


@dataclass(frozen=True)
class StopCommand:
    """End everything now."""

    kind: Literal["stop"] = "stop"


@dataclass(frozen=True)
class FlowsOver:
    """The other end of these flows, by their index in the plan, has gone for good."""

    flows: tuple[int, ...]
    kind: Literal["flows over"] = "flows over"


@dataclass(frozen=True)
class RunState:
    """The state of all fragments that this launcher has."""

    snapshot: Snapshot
    history: tuple[Sample, ...] = ()
    """Its curves so far, if they were asked for."""
    kind: Literal["run state"] = "run state"


@dataclass(frozen=True)
class RunOutcome:
    """How the run has ended."""

    outcome: Outcome
    failure: str
    """Which operator failed, on which frame, and why; empty if none did."""
    kind: Literal["run outcome"] = "run outcome"


Command: TypeAlias = BeginCommand | Drain | StopCommand | FlowsOver | RunState | RunOutcome


# Each end makes only what it receives: it takes milliseconds, while all processes start.
@functools.cache
def _messages() -> TypeAdapter[Message]:
    return TypeAdapter(Annotated[Message, Field(discriminator="kind")])


@functools.cache
def _commands() -> TypeAdapter[Command]:
    return TypeAdapter(Annotated[Command, Field(discriminator="kind")])


def encode(line: Message | Command) -> bytes:
    """Return a message or a command as a line of JSON."""
    return to_json(line) + b"\n"


def decode_message(line: bytes) -> Message:
    """Return the message in `line`; raises HoloflowError if it is not one."""
    try:
        return _messages().validate_json(line)
    except ValidationError as error:
        raise HoloflowError(f"not a message: {error.errors(include_url=False)[0]['msg']}") from None


def decode_command(line: bytes) -> Command:
    """Return the command in `line`; raises HoloflowError if it is not one."""
    try:
        return _commands().validate_json(line)
    except ValidationError as error:
        raise HoloflowError(f"not a command: {error.errors(include_url=False)[0]['msg']}") from None


class Channel:
    """The launcher's end of a control channel. It never blocks."""

    def __init__(self, end: socket.socket, limit: int = LIMIT) -> None:
        """Take over the socket `end`; a line may have up to `limit` bytes."""
        end.setblocking(False)
        self.socket = end
        self.open = True
        """False once the other end is gone or has sent a line that is too long."""
        self._limit = limit
        self._received = bytearray()
        self._scanned = 0
        self._unsent = bytearray()

    def lines(self) -> Iterator[bytes]:
        """Yield the lines that had been received when the call began."""
        for _ in range(64):  # at most 16 MB per call, so that other processes have their turn
            if not self._receive():
                break
        while (end := self._received.find(b"\n", self._scanned)) >= 0:
            line = bytes(self._received[:end])
            del self._received[: end + 1]
            self._scanned = 0
            yield line
        self._scanned = len(self._received)
        if self._scanned > self._limit:
            self.close()

    def _receive(self) -> bool:
        """Receive up to one piece; true if there may be more."""
        if not self.open or len(self._received) > self._limit:
            return False
        try:
            piece = self.socket.recv(_PIECE)
        except BlockingIOError:
            return False
        except OSError:
            piece = b""
        self._received += piece
        self.open = bool(piece)
        return self.open

    def send(self, line: bytes) -> None:
        """Send a line as soon as the other end accepts it."""
        self._unsent += line
        self.flush()

    def flush(self) -> None:
        """Send as much as the other end accepts now."""
        with contextlib.suppress(OSError):  # it accepts nothing now, or is gone
            while self._unsent:
                del self._unsent[: self.socket.send(self._unsent)]

    def close(self) -> None:
        """Close the channel."""
        self.open = False
        self.socket.close()
