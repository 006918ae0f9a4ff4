"""The handshake of the two ends of a flow: what each sends, and whether they belong together."""

from __future__ import annotations

import struct
from dataclasses import asdict
from typing import Annotated, Any, Final, TypeVar

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from holoflow.core.errors import optional
from holoflow.link.ends import LinkedFlow
from holoflow.link.zeromq.frames import HELLO, LARGEST, REFUSED, WELCOME, Malformed
from holoflow.link.zeromq.settings import AppIdentity
from holoflow.stats.counters import CONSUMER_COUNTERS

VERSION: Final = 7
"""Version of the whole protocol; it also increases with the wire format of messages."""

_msgpack: Any = optional("msgpack", "zeromq")

_FIRST: Final = struct.Struct("<BH")
_LONGEST: Final = 4096
_STRICT: Final = ConfigDict(strict=True, extra="forbid")

_Text = Annotated[str, Field(max_length=500)]
_Number = Annotated[int, Field(ge=0, lt=LARGEST)]
_ConsumerCounters = Annotated[
    list[Annotated[int, Field(gt=-LARGEST, lt=LARGEST)]],
    Field(min_length=CONSUMER_COUNTERS, max_length=CONSUMER_COUNTERS),
]


@dataclass(frozen=True, config=_STRICT)
class FlowHello:
    """The greeting of the sender of a flow."""

    app: _Text
    digest: _Text
    flow: _Number
    source: _Text
    target: _Text
    counters: _Text
    generation: _Number
    """Increases with each process that sends using these counters."""
    sent: _Number
    consumer: _ConsumerCounters
    """The consumer's counters as the sender knows them."""


@dataclass(frozen=True, config=_STRICT)
class Welcome:
    """The receiver's reply."""

    counters: _Text
    received: _Number
    """Number up to which no message is needed any more: later ones are to be sent again."""
    sent: _Number
    """Number of the newest message ever sent, as far as the receiver knows."""
    watermark: _Number
    """Number of frames of the flow's origin of which it knows that nothing more will come."""
    consumer: _ConsumerCounters
    """The consumer's counters."""
    ended: bool
    """Whether it already knows that the stream has ended."""
    asked: _Number
    """When this was sent, in ns by the receiver's clock."""


def hello(values: FlowHello) -> bytes:
    """Return `values` as a part."""
    return _FIRST.pack(HELLO, VERSION) + _packed(values)


def read_hello(part: bytes) -> FlowHello | int:
    """Decode what `hello` has encoded, or return the version of a peer of another version.

    Raises:
        Malformed: The greeting is invalid.
    """
    try:
        _, version = _FIRST.unpack_from(part)
    except struct.error:
        raise Malformed("a truncated greeting") from None
    if version != VERSION:
        return int(version)
    return _read(part[_FIRST.size :], FlowHello)


def welcome(values: Welcome) -> bytes:
    """Return `values` as a part."""
    return bytes([WELCOME]) + _packed(values)


def read_welcome(part: bytes) -> Welcome:
    """Decode what `welcome` has encoded; raise Malformed if it is invalid."""
    return _read(part[1:], Welcome)


def refused(reason: str) -> bytes:
    """Return the part that tells a sender why it is refused."""
    return bytes([REFUSED]) + reason.encode()[:_LONGEST]


def read_refused(part: bytes) -> str:
    """Decode what `refused` has encoded."""
    return part[1 : 1 + _LONGEST].decode(errors="replace")


def stranger(peer: FlowHello | int, app: AppIdentity) -> tuple[str, str]:
    """Return (cause, reason) why `peer` does not belong to this app; empty if it does."""
    if isinstance(peer, int):
        return "version", (
            f"it uses version {peer} of the link protocol, this end version {VERSION}; "
            "install the same holoflow on both hosts"
        )
    if peer.app != app.name:
        return "app", f"it belongs to the app {peer.app!r}, this end to {app.name!r}"
    if peer.digest != app.digest:
        what = app.difference(peer.digest)
        return "app", (
            f"its {app.name!r} differs from the one here{f' in {what}' if what else ''}; "
            "start both from the same files, with the same settings and versions"
        )
    return "", ""


def names(peer: FlowHello, linked: LinkedFlow) -> bool:
    """Whether `peer` names `linked`."""
    flow = linked.flow
    return (peer.source, peer.target) == (str(flow.source), str(flow.target))


_Either = TypeVar("_Either")


def _packed(values: Any) -> bytes:
    packed: bytes = _msgpack.packb(asdict(values))
    return packed


def _read(packed: bytes, kind: type[_Either]) -> _Either:
    if len(packed) > _LONGEST:
        raise Malformed("a greeting that is too long")
    try:
        return kind(**_msgpack.unpackb(packed))
    except (ValueError, TypeError, _msgpack.UnpackException, RecursionError):
        raise Malformed("an invalid greeting") from None
