"""Flows between processes: remote inputs and remote outputs of stages."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from holoflow.core.errors import HoloflowError
from holoflow.core.samples import Arrays
from holoflow.engine.queue import EVERY, Marker, Message, Queue, Sizes, Waker
from holoflow.holoscan.data import from_tensors
from holoflow.link.ends import Buffer, LinkedFlow, Notifier, Outlet
from holoflow.link.wire import Decoder, Encoder, Encoding, Types
from holoflow.plan.plan import PlannedFlow
from holoflow.stats import counters
from holoflow.stats.causes import Cause
from holoflow.stats.counters import ARRIVED, CLOSED, GONE, SENT, TAKEN, waiting
from holoflow.stats.snapshot import FlowStats
from holoflow.stats.spans import Nodes, PathDescriptors, PathTree, extend, to_nodes, to_trace

_log = logging.getLogger("holoflow.link")


class RemoteInput:
    """Unpacks what a link delivers and puts it into the queue of the stage that takes it."""

    def __init__(
        self, queue: Queue, types: Types, wanted: Any, paths: PathTree,
        shift: Callable[[], tuple[int, int]],
    ) -> None:  # fmt: skip
        """Fill `queue` with payloads of `types`, for an input of the type `wanted`.

        `shift` returns what to add to times of the sender's clock, and its uncertainty (both ns).
        """
        self._queue = queue
        self._decoder = Decoder(types)
        self._wanted = wanted
        self._paths = paths
        self._shift = shift
        self._descriptors: PathDescriptors | None = None
        self._nodes: Nodes = ()
        """The path nodes that `_descriptors` lead to."""
        ends = queue.step
        self._serialise, self._link = (
            paths.step(kind, ends.operator, ends.port, by_port=ends.by_port)
            for kind in ("serialise", "link")
        )

    def deliver(self, number: int, head: Buffer, buffers: Sequence[Buffer]) -> None:
        """Put a message into the queue; one that cannot be read is dropped by `error`."""
        try:
            message = self._read(number, head, buffers)
        except HoloflowError as error:
            counters.drop(self._queue.counters, "error")
            _log.error("%s: message %d cannot be read: %s", self._queue.name, number, error)
            return
        self._queue.store(message)

    def _read(self, number: int, head: Buffer, buffers: Sequence[Buffer]) -> Message:
        decoded = self._decoder.decode(head, buffers)
        payload = decoded.payload
        if type(payload) is Arrays:  # maybe from a Holoscan operator
            payload = from_tensors(payload, self._wanted)
        if not decoded.descriptors:
            return Message(payload, decoded.header, (), number)
        if decoded.descriptors is not self._descriptors:
            self._nodes = to_nodes(decoded.descriptors, self._paths)
            self._descriptors = decoded.descriptors
        shift, uncertainty = self._shift()
        trace = to_trace(self._nodes, decoded.times, shift=shift, uncertainty=uncertainty)
        began, sent = decoded.began + shift, decoded.sent + shift
        trace = extend(trace, self._serialise, began, sent)
        trace = extend(trace, self._link, sent, max(time.monotonic_ns(), sent))
        return Message(payload, decoded.header, trace, number)

    def close(self) -> None:
        """Note that the stream has ended."""
        self._queue.close()

    def wake(self) -> None:
        """Wake the receiving stage."""
        self._queue.wake()


class RemoteOutput:
    """The flows of one output port that one link carries; a queue to its stage."""

    def __init__(
        self, flows: Sequence[LinkedFlow], types: Types, comes_back: Callable[[], bool]
    ) -> None:
        """Send payloads of `types` to `flows`.

        `comes_back` returns whether the fragment will be restarted.
        """
        self.flows = list(flows)
        self.flow = flows[0].flow
        self.name = f"{self.flow.source} -> {', '.join(str(f.flow.target) for f in flows)}"
        self.outlet: Outlet | None = None
        """The link's end; set before the first message."""
        self.place = ""
        """Where the other ends are, ` of fragment edge on host box`."""
        self._closed = False
        self.producer: Waker | None = None
        self._encoder = Encoder(Encoding(self.flow.compress, self.flow.quality), types)
        self._comes_back = comes_back
        self._sizes = Sizes()
        marked = [f for f in flows if f.flow.watermark]
        self.marks = bool(marked)
        """Whether it carries a watermark: how many frames of its origin are done."""
        self._marker = Marker(
            [f.counters for f in marked],
            eager=any(f.flow.several or not f.flow.lossless for f in marked),
        )
        self.counted = False
        """A frame that has left the process is no longer counted as under way."""
        self._blocking = [f for f in flows if f.flow.lossless]

    def has_room(self) -> bool:
        """Whether the producer may begin a frame."""
        for linked in self._blocking:
            block = linked.counters
            # Drops make room too, but reading them is rarely needed to see that there is some.
            if (
                block[SENT] - block[TAKEN] >= linked.flow.queue
                and not block[GONE]
                and waiting(block) >= linked.flow.queue
            ):
                return False
        return True

    def about_to_sleep(self, notifier: Notifier | None) -> bool:
        """Have the producer woken when there is room; return whether there is some by now.

        `notifier` is what the producer waits on, if it waits in its own thread.
        """
        if self.outlet is not None:
            self.outlet.wants_room(notifier)
        return self.has_room()

    def flush(self) -> None:
        """Send what is held back to be sent together with later messages."""
        if self.outlet is not None:
            self.outlet.flush()

    def put(self, message: Message) -> None:
        """Send `message` to all flows whose consumers are still there.

        Raises:
            WireError: The message holds something that cannot be serialised.
        """
        head, buffers = self._encoder.encode(message.payload, message.header, message.trace)
        if self.flows[0].counters[SENT] % EVERY == 0:
            self._sizes.add(len(head) + sum(buffer.nbytes for buffer in buffers))
        numbers = []
        for linked in self.flows:
            linked.counters[SENT] += 1
            numbers.append(0 if linked.counters[GONE] else linked.counters[SENT])
        if any(numbers) and self.outlet is not None:
            self.outlet.send(numbers, head, buffers)

    def given(self, number: int) -> list[tuple[str, int]]:  # noqa: ARG002
        """Return the newest message of each flow for the record of the call that sent it.

        Numbered as the receiver numbers it.
        """
        return [(f"{f.flow.source} -> {f.flow.target}", f.counters[SENT]) for f in self.flows]

    def mark(self, frames: int) -> None:
        """Note that nothing more will be sent for the first `frames` frames of its origin."""
        if self._marker.mark(frames) and self.outlet is not None:
            self.outlet.mark()

    @property
    def abandoned(self) -> Cause | None:
        """Why no consumer takes messages any more; None while one does."""
        for linked in self.flows:  # a loop: evaluated before every frame
            if not linked.counters[GONE]:
                return None
        return counters.gone_by(self.flows[0].counters)

    def wake(self) -> None:
        """Have the producer check again whether there is room."""
        if self.producer is not None:
            self.producer.wake()

    def close(self) -> None:
        """End the stream, or leave it open for the fragment's next process."""
        if self._closed:
            return
        self._closed = True
        if self._comes_back():
            if self.outlet is not None:
                self.outlet.suspend()
            return
        for linked in self.flows:
            linked.counters[CLOSED] = 1
        if self.outlet is not None:
            self.outlet.close()

    def stats(self) -> Mapping[PlannedFlow, FlowStats]:
        """Return the producer's counters: what was sent, and what is still on its way."""
        return {
            linked.flow: FlowStats(
                source=str(linked.flow.source),
                target=str(linked.flow.target),
                sent=linked.counters[SENT],
                delivered=0,
                waiting=linked.counters[SENT] - linked.counters[ARRIVED],
                queue=linked.flow.queue,
                when_full=linked.flow.when_full,
                link=linked.flow.link,
                latest=linked.flow.latest,
                back_edge=linked.flow.back_edge,
                size=self._sizes.mean(),
            )
            for linked in self.flows
        }
