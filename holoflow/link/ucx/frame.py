"""How UCX is set up, and a message as tensors of bytes, which is all that UCX is given to carry."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from holoflow.core.errors import HoloflowError
from holoflow.link.ends import Buffer
from holoflow.link.wire import BUFFERS, WireError
from holoflow.plan.hosts import crosses_hosts
from holoflow.plan.plan import Plan

LOOPBACK: Final = "127.0.0.1"
FIRST_PORT: Final = 7700
"""TCP port of the first flow's line between hosts; its messages come to the next one. Each flow
has two ports, at its place in the plan."""

_ALWAYS: Final = {
    # Below their default, larger messages corrupt the heap of the process that they come to.
    "UCX_TCP_TX_SEG_SIZE": "200k",
    "UCX_TCP_RX_SEG_SIZE": "200k",
    "UCX_LOG_LEVEL": "error",
}
_ON_ONE_HOST: Final = {"UCX_NET_DEVICES": "lo", "UCX_TLS": "tcp"}
_BETWEEN_HOSTS: Final = {"UCX_TLS": "^cuda_ipc"}


@dataclass(frozen=True)
class Peers:
    """Where the ends of flows are."""

    folder: Path
    """Private folder of the run on this host: who meets there is on this host."""
    run: str
    """Names the run; both ends have the same."""
    hosts: Mapping[str, str] = field(default_factory=dict)
    """Name or address of the host of each fragment that messages come to from another one."""


@dataclass(frozen=True)
class Place:
    """Where the receiving end of a flow is."""

    line: str | tuple[str, int]
    """Path of a local socket, or address and port."""
    host: str
    port: int
    """TCP port of UCX; 0 leaves it to the receiving end."""


def place(peers: Peers, target: str, number: int, *, near: bool) -> Place:
    """Return where the flow of that number comes to the fragment `target`.

    From the same host (`near`), or from another one; raises HoloflowError where that is unknown.
    """
    if near:
        return Place(str(peers.folder / f"ucx-{number}"), LOOPBACK, 0)
    host = peers.hosts.get(target)
    if host is None:
        raise HoloflowError(f"fragment {target!r} has no host, so that others cannot reach it")
    port = FIRST_PORT + 2 * number
    return Place((host, port), host, port + 1)


def environment(plan: Plan) -> dict[str, str]:
    """Return the variables that UCX is to find in a process before Holoscan is imported.

    What the user has set (the fragment's `environment:`) goes before. On one host everything
    stays on the loopback device; between hosts UCX chooses the fastest device that there is.
    """
    apart = any(flow.link == "ucx" and crosses_hosts(plan, flow) for flow in plan.flows)
    return {**_ALWAYS, **(_BETWEEN_HOSTS if apart else _ON_ONE_HOST)}


MAGIC: Final = b"hucx"
_PREFIX: Final = struct.Struct("<4sIq")
"""What the head's tensor begins with: magic, how many buffers lie in one tensor (0: each in its
own), number of the message."""
_SIZE: Final = struct.Struct("<q")
APART: Final = 64
"""Buffers up to which each has a tensor of its own: what Holoscan writes of each tensor must fit
into 127 KiB together."""
_HEAD: Final = "head"

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class UcxFrame:
    """A message under way."""

    number: int
    head: Buffer
    buffers: Sequence[Buffer]


def pack(ucx_frame: UcxFrame) -> dict[str, Bytes]:
    """Return `ucx_frame` as tensors by name; buffers are copied only where they are many."""
    buffers = [np.frombuffer(buffer, np.uint8) for buffer in ucx_frame.buffers]
    joined = len(buffers) if len(buffers) > APART else 0
    sizes = b"".join(_SIZE.pack(buffer.nbytes) for buffer in buffers[:joined])
    prefix = _PREFIX.pack(MAGIC, joined, ucx_frame.number) + sizes
    tensors = {_HEAD: np.frombuffer(bytearray(prefix) + bytes(ucx_frame.head), np.uint8)}
    if joined:
        buffers = [np.concatenate(buffers)]
    tensors.update((str(at), writable(buffer)) for at, buffer in enumerate(buffers))
    return tensors


def unpack(tensors: Any) -> UcxFrame:
    """Return the parcel that was packed as `tensors`; raises WireError where none was."""
    if not isinstance(tensors, Mapping) or _HEAD not in tensors:
        raise WireError("a message has no head")
    arrays = {name: _bytes(tensor) for name, tensor in tensors.items()}
    head = arrays.pop(_HEAD).data
    if head.nbytes < _PREFIX.size:
        raise WireError("a head breaks off")
    magic, joined, number = _PREFIX.unpack_from(head)
    if magic != MAGIC or joined > BUFFERS:
        raise WireError("a head is none of ours")
    try:
        buffers = [arrays[str(at)] for at in range(len(arrays))]
    except KeyError:
        raise WireError("the tensors of a message have other names") from None
    start = _PREFIX.size + joined * _SIZE.size
    if joined:
        if len(buffers) != 1 or head.nbytes < start:
            raise WireError("a head breaks off")
        sizes = [_SIZE.unpack_from(head, _PREFIX.size + at * _SIZE.size)[0] for at in range(joined)]
        if min(sizes) < 0 or sum(sizes) != buffers[0].nbytes:
            raise WireError("buffers have other sizes than their head says")
        buffers = np.split(buffers[0], np.cumsum(sizes)[:-1])
    return UcxFrame(number, head[start:], buffers)


def _bytes(tensor: Any) -> Bytes:
    try:
        array = np.asarray(tensor)
    except Exception as error:  # whatever its library says: in the memory of a GPU, for instance
        raise WireError(f"a tensor cannot be read: {error}") from error
    if array.dtype != np.uint8 or array.ndim != 1 or not array.flags.c_contiguous:
        raise WireError("a tensor is not made of bytes")
    return array


class _Alias:
    """The memory of an array under another name."""

    def __init__(self, array: Bytes) -> None:
        self._array = array
        """Keeps the memory alive."""
        self.__array_interface__ = {**array.__array_interface__}
        self.__array_interface__["data"] = (array.__array_interface__["data"][0], False)


def writable(array: Bytes) -> Bytes:
    """Return `array` as one that may be written to: Holoscan takes no other, but only reads."""
    return array if array.flags.writeable else np.asarray(_Alias(array))
