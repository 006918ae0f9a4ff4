"""The consumer's side of a flow that comes from another process."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from holoflow.engine.queue import Message, Queue
from holoflow.engine.tensors import from_tensors
from holoflow.errors import HoloflowError
from holoflow.flow import ledger
from holoflow.flow.carry import Nodes, Ways, to_nodes, to_tracks
from holoflow.flow.paths import PathTree, extend
from holoflow.link.ends import Buffer
from holoflow.link.wire import Decoder, Types
from holoflow.payload import Arrays

_log = logging.getLogger("holoflow.link")


class Incoming:
    """Unpacks what a link delivers and puts it into the queue of the stage that takes it."""

    def __init__(
        self, queue: Queue, types: Types, wanted: Any, paths: PathTree,
        shift: Callable[[], tuple[int, int]],
    ) -> None:  # fmt: skip
        """Fill `queue` with payloads of `types`, for an input of the type `wanted`.

        `shift` tells what to add to times of the sender's clock, and how far that may be off (ns).
        """
        self._queue = queue
        self._decoder = Decoder(types)
        self._wanted = wanted
        self._paths = paths
        self._shift = shift
        self._ways: Ways | None = None
        self._nodes: Nodes = ()
        """Where `_ways` lead."""
        ends = queue.stop
        self._serialise, self._link = (
            paths.stop(kind, ends.operator, ends.port, by_port=ends.by_port)
            for kind in ("serialise", "link")
        )

    def deliver(self, number: int, head: Buffer, buffers: Sequence[Buffer]) -> None:
        """Put a message into the queue; what cannot be read is dropped by `error`."""
        try:
            message = self._read(head, buffers)
        except HoloflowError as error:
            ledger.drop(self._queue.row, "error")
            _log.error("%s: message %d cannot be read: %s", self._queue.name, number, error)
            return
        self._queue.store(message)

    def _read(self, head: Buffer, buffers: Sequence[Buffer]) -> Message:
        decoded = self._decoder.decode(head, buffers)
        payload = decoded.payload
        if type(payload) is Arrays:  # maybe of one of Holoscan's operators
            payload = from_tensors(payload, self._wanted)
        if not decoded.ways:
            return Message(payload, decoded.header, ())
        if decoded.ways is not self._ways:
            self._nodes = to_nodes(decoded.ways, self._paths)
            self._ways = decoded.ways
        shift, uncertainty = self._shift()
        tracks = to_tracks(self._nodes, decoded.times, shift=shift, uncertainty=uncertainty)
        began, sent = decoded.began + shift, decoded.sent + shift
        tracks = extend(tracks, self._serialise, began, sent)
        tracks = extend(tracks, self._link, sent, max(time.monotonic_ns(), sent))
        return Message(payload, decoded.header, tracks)

    def close(self) -> None:
        """Say that the stream has ended."""
        self._queue.close()

    def wake(self) -> None:
        """Have the receiving stage looked at."""
        self._queue.wake()
