"""How two ends of a flow meet: what each says of itself, and whether they fit."""

from __future__ import annotations

import struct
from dataclasses import asdict
from typing import Annotated, Any, Final, TypeVar

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from holoflow.core.errors import optional
from holoflow.link.ends import LinkedFlow
from holoflow.link.zeromq.counts import HALF
from holoflow.link.zeromq.frames import HELLO, LARGEST, REFUSED, WELCOME, Malformed
from holoflow.link.zeromq.settings import AppIdentity

VERSION: Final = 6
"""Of all that travels between the ends; it grows with the wire format of the messages, too."""

_msgpack: Any = optional("msgpack", "zeromq")

_FIRST: Final = struct.Struct("<BH")
_LONGEST: Final = 4096
_STRICT: Final = ConfigDict(strict=True, extra="forbid")

_Text = Annotated[str, Field(max_length=500)]
_Number = Annotated[int, Field(ge=0, lt=LARGEST)]
_Half = Annotated[
    list[Annotated[int, Field(gt=-LARGEST, lt=LARGEST)]],
    Field(min_length=HALF, max_length=HALF),
]


@dataclass(frozen=True, config=_STRICT)
class FlowHello:
    """What the sender of a flow says first."""

    app: _Text
    digest: _Text
    flow: _Number
    source: _Text
    target: _Text
    counters: _Text
    generation: _Number
    """Grows with each process that sends with the counts of this ledger."""
    sent: _Number
    half: _Half
    """What it knows of the receiver's half of the row."""


@dataclass(frozen=True, config=_STRICT)
class Welcome:
    """What the receiver answers."""

    counters: _Text
    received: _Number
    """Number up to which nothing is wanted any more: what comes behind it is to be sent again."""
    sent: _Number
    """Number of the newest message that was ever sent, as far as the receiver knows."""
    watermark: _Number
    """Of how many frames of the flow's origin it knows that nothing more will come."""
    half: _Half
    """Its half of the row."""
    ended: bool
    """Whether it knows already that the stream has ended."""
    asked: _Number
    """When this was sent, by its clock (ns)."""


def hello(values: FlowHello) -> bytes:
    """Return `values` as a part."""
    return _FIRST.pack(HELLO, VERSION) + _packed(values)


def read_hello(part: bytes) -> FlowHello | int:
    """Return what `hello` was given, or the version of a peer of another version.

    Raises Malformed.
    """
    try:
        _, version = _FIRST.unpack_from(part)
    except struct.error:
        raise Malformed("a hello that breaks off") from None
    if version != VERSION:
        return int(version)
    return _read(part[_FIRST.size :], FlowHello)


def welcome(values: Welcome) -> bytes:
    """Return `values` as a part."""
    return bytes([WELCOME]) + _packed(values)


def read_welcome(part: bytes) -> Welcome:
    """Return what `welcome` was given; raises Malformed."""
    return _read(part[1:], Welcome)


def refused(reason: str) -> bytes:
    """Return the part that tells a sender why it is not welcome."""
    return bytes([REFUSED]) + reason.encode()[:_LONGEST]


def read_refused(part: bytes) -> str:
    """Return what `refused` was given."""
    return part[1 : 1 + _LONGEST].decode(errors="replace")


def stranger(peer: FlowHello | int, app: AppIdentity) -> tuple[str, str]:
    """Return (cause, reason) for which `peer` is none of this app; empty if it is."""
    if isinstance(peer, int):
        return "version", (
            f"it speaks version {peer} of the link, this end version {VERSION}; "
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
        raise Malformed("a greeting that none of ours would send") from None
