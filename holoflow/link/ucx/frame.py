"""How UCX is set up, and messages as tensors of bytes, which is what UCX carries."""

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
"""TCP port of the control connection of the first flow between hosts; its messages use the next
port. The two ports of any other flow follow from its position in the plan."""

_ALWAYS: Final = {
    # With smaller values, larger messages corrupt the heap of the receiving process.
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
    """Private folder of the run on this host, in which fragments of this host connect."""
    run: str
    """Identifies the run; equal at both ends."""
    hosts: Mapping[str, str] = field(default_factory=dict)
    """Name or address of the host of each fragment that receives messages from another host."""


@dataclass(frozen=True)
class Place:
    """Where the receiving end of a flow is."""

    address: str | tuple[str, int]
    """Of the control connection: path of a local socket, or address and port."""
    host: str
    port: int
    """TCP port of UCX; 0 if the receiving end chooses it."""


def place(peers: Peers, target: str, number: int, *, near: bool) -> Place:
    """Return where the receiving end of a flow is.

    Args:
        peers: The fragments of the run.
        target: Name of the fragment that receives.
        number: Position of the flow in the plan.
        near: Whether the sender is on the same host.

    Raises:
        HoloflowError: The host of `target` is unknown.
    """
    if near:
        return Place(str(peers.folder / f"ucx-{number}"), LOOPBACK, 0)
    host = peers.hosts.get(target)
    if host is None:
        raise HoloflowError(f"fragment {target!r} has no host, so other hosts cannot reach it")
    port = FIRST_PORT + 2 * number
    return Place((host, port), host, port + 1)


def environment(plan: Plan) -> dict[str, str]:
    """Return the environment variables that UCX needs before Holoscan is imported.

    Variables that the user has set (`environment:` of the fragment) take precedence. On one host
    everything stays on the loopback device; between hosts UCX chooses the fastest device.
    """
    apart = any(flow.link == "ucx" and crosses_hosts(plan, flow) for flow in plan.flows)
    return {**_ALWAYS, **(_BETWEEN_HOSTS if apart else _ON_ONE_HOST)}


MAGIC: Final = b"hucx"
_PREFIX: Final = struct.Struct("<4sIq")
"""Start of the head's tensor: magic, number of buffers that share one tensor (0: each has its own),
number of the message."""
_SIZE: Final = struct.Struct("<q")
APART: Final = 64
"""Up to this many buffers each have a tensor of their own: what Holoscan writes about all tensors
must fit into 127 KiB."""
_HEAD: Final = "head"

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class UcxFrame:
    """A message as the ucx link carries it."""

    number: int
    head: Buffer
    buffers: Sequence[Buffer]


def pack(ucx_frame: UcxFrame) -> dict[str, Bytes]:
    """Return `ucx_frame` as tensors by name, each uint8 of shape (n,).

    More than `APART` buffers are copied into one tensor; fewer are not copied.
    """
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
    """Return the frame that `pack` has turned into `tensors`.

    Raises:
        WireError: `tensors` are not such a frame.
    """
    if not isinstance(tensors, Mapping) or _HEAD not in tensors:
        raise WireError("a message has no head")
    arrays = {name: _bytes(tensor) for name, tensor in tensors.items()}
    head = arrays.pop(_HEAD).data
    if head.nbytes < _PREFIX.size:
        raise WireError("a head is truncated")
    magic, joined, number = _PREFIX.unpack_from(head)
    if magic != MAGIC or joined > BUFFERS:
        raise WireError("this is not a message of holoflow")
    try:
        buffers = [arrays[str(at)] for at in range(len(arrays))]
    except KeyError:
        raise WireError("the tensors of a message have unexpected names") from None
    start = _PREFIX.size + joined * _SIZE.size
    if joined:
        if len(buffers) != 1 or head.nbytes < start:
            raise WireError("a head is truncated")
        sizes = [_SIZE.unpack_from(head, _PREFIX.size + at * _SIZE.size)[0] for at in range(joined)]
        if min(sizes) < 0 or sum(sizes) != buffers[0].nbytes:
            raise WireError("the buffers of a message do not have the sizes that its head states")
        buffers = np.split(buffers[0], np.cumsum(sizes)[:-1])
    return UcxFrame(number, head[start:], buffers)


def _bytes(tensor: Any) -> Bytes:
    try:
        array = np.asarray(tensor)
    except Exception as error:  # of any library: the memory of a GPU, for instance
        raise WireError(f"a tensor cannot be read: {error}") from error
    if array.dtype != np.uint8 or array.ndim != 1 or not array.flags.c_contiguous:
        raise WireError("a tensor does not consist of bytes")
    return array


class _Alias:
    """The memory of an array under another name."""

    def __init__(self, array: Bytes) -> None:
        self._array = array
        """Keeps the memory alive."""
        self.__array_interface__ = {**array.__array_interface__}
        self.__array_interface__["data"] = (array.__array_interface__["data"][0], False)


def writable(array: Bytes) -> Bytes:
    """Return `array` as a writable one: Holoscan accepts no other, although it only reads."""
    return array if array.flags.writeable else np.asarray(_Alias(array))
