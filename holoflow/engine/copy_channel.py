"""What carries calls to a copy in a process of its own, and results back: packets and memory.

Packets are small and go over a socket. Payloads lie in blocks of memory that both processes have
mapped: each end makes its own, announces them once, and uses them again when the other end has no
array over them any more.
"""

from __future__ import annotations

import json
import math
import mmap
import os
import socket
import threading
from collections import deque
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from holoflow.core.message import Header
from holoflow.link.ends import Buffer
from holoflow.link.wire import Decoded, Decoder, Encoder, Types

LEAST: Final = 4096
"""Least bytes of a block."""
ALIGNED: Final = 64
"""Arrays begin at multiples of so many bytes."""
PACKET: Final = 128 << 10
"""Most bytes of a packet: less than the system lets a socket hold."""
TEXT: Final = 8192
"""Most characters of a text in a packet, each of which may take six bytes."""

Piece = tuple[int, int, int]
"""Where bytes are: number of a block, first byte, number of bytes."""


class Packet(NamedTuple):
    """What one end has told the other."""

    kind: str
    values: list[Any]
    """Plain values."""
    message: Decoded | None
    """The message that came with it."""


class Block:
    """Memory that both processes have mapped."""

    def __init__(self, number: int, descriptor: int, size: int) -> None:
        """Map the `size` bytes of the file `descriptor`."""
        self.number = number
        self.size = size
        self.users = 0
        """Arrays over it here, and messages with parts of it that the other end has."""
        self._map = mmap.mmap(descriptor, size)
        self._octets = np.frombuffer(self._map, np.uint8)
        self.address: int = self._octets.__array_interface__["data"][0]


class Use:
    """Keeps a block from being used again as long as there is an array over it."""

    def __init__(self, block: Block, ended: deque[int]) -> None:
        """Add the number of `block` to `ended` when this is deleted."""
        self.block = block
        self._ended = ended
        self.__array_interface__ = {
            "version": 3, "typestr": "|u1", "shape": (block.size,), "data": (block.address, False),
        }  # fmt: skip

    def __del__(self) -> None:
        self._ended.append(self.block.number)  # atomic: it may happen in any thread


class CopyChannel:
    """One end: it sends packets and messages, and receives them in one thread."""

    def __init__(self, end: socket.socket) -> None:
        """Use `end` of a pair of sockets that keep packets apart."""
        self._socket = end
        self._encoder = Encoder()
        self._decoder = Decoder()
        self._blocks: list[Block] = []
        self._ended: deque[int] = deque()
        """Blocks of this end, one entry for each use that has ended."""
        self._free: dict[int, list[Block]] = {}
        """Blocks that nothing uses, by size."""
        self._lock = threading.Lock()
        """Held while a block is taken: operators may allocate in threads of theirs."""
        self._others: dict[int, Block] = {}
        self._released: deque[int] = deque()
        """Blocks of the other end, one entry for each message that is not used here any more."""

    def know(self, types: Types) -> None:
        """Carry payloads of `types` from now on."""
        self._encoder, self._decoder = Encoder(types=types), Decoder(types)

    # -- sending -----------------------------------------------------------------------------

    def send(self, kind: str, *values: Any) -> None:
        """Send a packet; any thread may.

        Raises:
            OSError: The other end is closed.
        """
        self._send({"kind": kind, "values": values})

    def send_message(self, kind: str, payload: Any, header: Header, *values: Any) -> None:
        """Send a packet with a message; one thread at a time may.

        Raises:
            WireError: Something in the message cannot be sent.
            OSError: The other end is closed.
        """
        head, buffers = self._encoder.encode(payload, header)
        pieces = self._place([np.frombuffer(head, np.uint8), *map(_octets, buffers)])
        released = [self._released.popleft() for _ in range(len(self._released))]
        self._send({"kind": kind, "values": values, "pieces": pieces, "released": released})

    def allocate(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """Return an uninitialised array that need not be copied when it is sent."""
        wanted: np.dtype[Any] = np.dtype(dtype)
        size = math.prod(shape) * wanted.itemsize
        if size < LEAST or wanted.hasobject:
            return np.empty(shape, wanted)
        octets = np.asarray(Use(self._take(size), self._ended))
        return octets[:size].view(wanted).reshape(shape)

    def _send(self, packet: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
        text = json.dumps(packet, ensure_ascii=False)
        socket.send_fds(self._socket, [text.encode(errors="surrogatepass")], descriptors)

    def _place(self, buffers: Sequence[npt.NDArray[np.uint8]]) -> list[Piece]:
        """Return where `buffers` are, once those that are in no block have been copied to one."""
        owners = [self._block_of(buffer) for buffer in buffers]
        size = sum(_aligned(b.nbytes) for b, own in zip(buffers, owners, strict=True) if not own)
        block = self._take(size)
        memory = np.asarray(Use(block, self._ended))
        pieces, at = [], 0
        for buffer, own in zip(buffers, owners, strict=True):
            if own is not None:
                first = buffer.__array_interface__["data"][0] - own.address
                pieces.append((own.number, first, buffer.nbytes))
            else:
                memory[at : at + buffer.nbytes] = buffer
                pieces.append((block.number, at, buffer.nbytes))
                at += _aligned(buffer.nbytes)
        with self._lock:
            for number in {number for number, _, _ in pieces}:
                self._blocks[number].users += 1
        return pieces

    def _block_of(self, buffer: Any) -> Block | None:
        """Return the block of this end that `buffer` is in."""
        while isinstance(buffer, np.ndarray):
            buffer = buffer.base
        if isinstance(buffer, Use) and buffer.block in self._blocks:
            return buffer.block
        return None

    def _take(self, size: int) -> Block:
        """Return a block of at least `size` bytes that nothing uses, for one use."""
        size = max(LEAST, 1 << (size - 1).bit_length())
        with self._lock:
            for _ in range(len(self._ended)):
                block = self._blocks[self._ended.popleft()]
                block.users -= 1
                if not block.users:
                    self._free.setdefault(block.size, []).append(block)
            free = self._free.get(size)
            block = free.pop() if free else self._make(size)
            block.users = 1
        return block

    def _make(self, size: int) -> Block:
        descriptor = os.memfd_create("holoflow-copy", os.MFD_CLOEXEC)
        try:
            os.ftruncate(descriptor, size)
            block = Block(len(self._blocks), descriptor, size)
            self._send({"kind": "block", "values": [block.number, size]}, [descriptor])
        finally:
            os.close(descriptor)
        self._blocks.append(block)
        return block

    # -- receiving ---------------------------------------------------------------------------

    def receive(self) -> Packet | None:
        """Wait for the next packet; None once the other end is closed.

        Raises:
            WireError: Its message is of a type that is not known here.
        """
        while True:
            try:
                data, descriptors, _, _ = socket.recv_fds(
                    self._socket, PACKET, 1, socket.MSG_CMSG_CLOEXEC
                )
            except ConnectionError:
                return None
            if not data:
                return None
            packet = json.loads(data)
            if packet["kind"] == "block":
                number, size = packet["values"]
                self._others[number] = Block(number, descriptors[0], size)
                os.close(descriptors[0])
                continue
            self._ended.extend(packet.get("released", ()))
            return Packet(packet["kind"], packet["values"], self._message(packet))

    def _message(self, packet: dict[str, Any]) -> Decoded | None:
        if "pieces" not in packet:
            return None
        views: dict[int, npt.NDArray[np.uint8]] = {}
        buffers = []
        for number, first, size in packet["pieces"]:
            if number not in views:
                views[number] = np.asarray(Use(self._others[number], self._released))
            buffers.append(views[number][first : first + size])
        head, *rest = buffers
        return self._decoder.decode(head, rest)

    def end(self) -> None:
        """Let the other end know that no more will be sent."""
        self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close this end; arrays over its memory stay valid."""
        self._socket.close()


def _octets(buffer: Buffer) -> npt.NDArray[np.uint8]:
    if isinstance(buffer, np.ndarray):
        return buffer.reshape(-1)
    return np.frombuffer(buffer, np.uint8)


def _aligned(size: int) -> int:
    return -(-size // ALIGNED) * ALIGNED
