"""What the launcher and a fragment's process say to each other: a line of JSON each.

The line is a pair of sockets that only these two have. Where it ends, the other one is gone.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, TypeAdapter, ValidationError

from holoflow.core.errors import HoloflowError
from holoflow.engine.control import Outcome
from holoflow.stats.records import Records
from holoflow.stats.snapshot import Snapshot

BEAT = 0.5
"""Seconds between two signs of life."""
LIMIT = 64 * 1024 * 1024
"""Bytes of the longest line."""
_PIECE = 1 << 18

# -- from the process to the launcher ----------------------------------------------------------


@dataclass(frozen=True)
class Heartbeat:
    """It is alive."""

    kind: Literal["beat"] = "beat"


@dataclass(frozen=True)
class Ready:
    """Its operators have been started and its links are open."""

    kind: Literal["ready"] = "ready"


@dataclass(frozen=True)
class LogEntry:
    """An entry of its log."""

    level: int
    logger: str
    text: str
    time: float
    """Seconds since the epoch."""
    kind: Literal["told"] = "told"


@dataclass(frozen=True)
class StateReport:
    """The state of its run."""

    snapshot: Snapshot
    kind: Literal["state"] = "state"


@dataclass(frozen=True)
class Refused:
    """It cannot run."""

    text: str
    lasting: bool = True
    """Whether the user has to change something; else it may run if it is started again."""
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
    """Its run has ended; nothing follows but the end of the process."""

    outcome: Outcome
    engine: Literal["holoscan", "inline"]
    last: Snapshot
    failure: Failed | None = None
    records: Records | None = None
    kind: Literal["ended"] = "ended"


Message: TypeAlias = Heartbeat | Ready | LogEntry | StateReport | Refused | Ended

# -- from the launcher to the process ----------------------------------------------------------


@dataclass(frozen=True)
class BeginCommand:
    """All are ready: the sources begin."""

    kind: Literal["begin"] = "begin"


@dataclass(frozen=True)
class Drain:
    """The sources end; what is there is worked off."""

    kind: Literal["drain"] = "drain"


@dataclass(frozen=True)
class StopCommand:
    """Everything ends now."""

    kind: Literal["stop"] = "stop"


@dataclass(frozen=True)
class FlowsOver:
    """The other end of these flows, by their place in the plan, has gone for good."""

    flows: tuple[int, ...]
    kind: Literal["flows over"] = "flows over"


Command: TypeAlias = BeginCommand | Drain | StopCommand | FlowsOver

_messages: TypeAdapter[Message] = TypeAdapter(Annotated[Message, Field(discriminator="kind")])
_orders: TypeAdapter[Command] = TypeAdapter(Annotated[Command, Field(discriminator="kind")])


def message_line(message: Message) -> bytes:
    """Return `message` as a line."""
    return _messages.dump_json(message) + b"\n"


def order_line(command: Command) -> bytes:
    """Return `command` as a line."""
    return _orders.dump_json(command) + b"\n"


def read_message(line: bytes) -> Message:
    """Return the message in `line`; raises HoloflowError where it is none."""
    try:
        return _messages.validate_json(line)
    except ValidationError as error:
        raise HoloflowError(f"not a message: {error.errors(include_url=False)[0]['msg']}") from None


def read_order(line: bytes) -> Command:
    """Return the order in `line`; raises HoloflowError where it is none."""
    try:
        return _orders.validate_json(line)
    except ValidationError as error:
        raise HoloflowError(f"not an order: {error.errors(include_url=False)[0]['msg']}") from None


class Channel:
    """The launcher's end of a line: it never waits."""

    def __init__(self, end: socket.socket, limit: int = LIMIT) -> None:
        """Take over `end`; lines have up to `limit` bytes."""
        end.setblocking(False)
        self.socket = end
        self.open = True
        """False once the other end is gone, or has sent more than a line may have."""
        self._limit = limit
        self._came = bytearray()
        self._looked = 0
        self._going = bytearray()

    def lines(self) -> Iterator[bytes]:
        """Yield the lines that have come; of one call, what came up to its beginning."""
        for _ in range(64):  # 16 MB a turn at most: the others want to be heard too
            if not self._receive():
                break
        while (end := self._came.find(b"\n", self._looked)) >= 0:
            line = bytes(self._came[:end])
            del self._came[: end + 1]
            self._looked = 0
            yield line
        self._looked = len(self._came)
        if self._looked > self._limit:
            self.close()

    def _receive(self) -> bool:
        """Take what has come, up to a piece; whether there may be more."""
        if not self.open or len(self._came) > self._limit:
            return False
        try:
            piece = self.socket.recv(_PIECE)
        except BlockingIOError:
            return False
        except OSError:
            piece = b""
        self._came += piece
        self.open = bool(piece)
        return self.open

    def send(self, line: bytes) -> None:
        """Send a line, as soon as the other end takes it."""
        self._going += line
        self.flush()

    def flush(self) -> None:
        """Send what has not been taken yet."""
        with contextlib.suppress(OSError):  # it takes nothing now, or is gone
            while self._going:
                del self._going[: self.socket.send(self._going)]

    def close(self) -> None:
        """Let go of the line."""
        self.open = False
        self.socket.close()
