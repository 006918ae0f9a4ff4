"""The producer's side of flows that leave the process: where messages are packed and sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from holoflow.engine.queue import Marker, Message, Waker
from holoflow.flow.books import FlowBooks
from holoflow.flow.ledger import ARRIVED, CAUSES, CLOSED, GONE, SENT, TAKEN, waiting
from holoflow.flow.sizes import EVERY, Sizes
from holoflow.link.doorbell import Doorbell
from holoflow.link.ends import LinkedFlow, Outlet
from holoflow.link.wire import Encoder, Encoding, Types
from holoflow.plan.plan import PlannedFlow


class Outgoing:
    """The flows of one output port that one link carries; to its stage it is like a queue."""

    def __init__(
        self, flows: Sequence[LinkedFlow], types: Types, comes_back: Callable[[], bool]
    ) -> None:
        """Send payloads of `types` to `flows`.

        `comes_back` tells whether the fragment is going to be started again.
        """
        self.flows = list(flows)
        self.flow = flows[0].flow
        self.name = f"{self.flow.source} -> {', '.join(str(f.flow.target) for f in flows)}"
        self.outlet: Outlet | None = None
        """The link's end; set before the first message."""
        self.place = ""
        """Where the other ends are: ` of fragment edge on host box`."""
        self._closed = False
        self.producer: Waker | None = None
        self._encoder = Encoder(Encoding(self.flow.compress, self.flow.quality), types)
        self._comes_back = comes_back
        self._sizes = Sizes()
        marked = [f for f in flows if f.flow.watermark]
        self.marks = bool(marked)
        """Whether it tells how many frames of its origin are through."""
        self._marker = Marker(
            [f.row for f in marked],
            eager=any(f.flow.several or f.flow.when_full != "block" for f in marked),
        )
        self._blocking = [f for f in flows if f.flow.when_full == "block" and not f.flow.latest]

    def has_room(self) -> bool:
        """Whether the producer may begin a frame."""
        for linked in self._blocking:
            row = linked.row
            # What was dropped makes room too, but is seldom needed to see that there is some.
            if (
                row[SENT] - row[TAKEN] >= linked.flow.queue
                and not row[GONE]
                and waiting(row) >= linked.flow.queue
            ):
                return False
        return True

    def about_to_sleep(self, doorbell: Doorbell | None) -> bool:
        """Have the producer woken when there is room; whether there is some by now.

        `doorbell`: where it waits, if it does so by itself.
        """
        if self.outlet is not None:
            self.outlet.wants_room(doorbell)
        return self.has_room()

    def flush(self) -> None:
        """Have nothing wait to be sent together with what comes next."""
        if self.outlet is not None:
            self.outlet.flush()

    def put(self, message: Message) -> None:
        """Send `message` to all flows that are still heard.

        Raises WireError where it holds something that cannot travel.
        """
        head, buffers = self._encoder.encode(message.payload, message.header, message.tracks)
        if self.flows[0].row[SENT] % EVERY == 0:
            self._sizes.add(len(head) + sum(buffer.nbytes for buffer in buffers))
        numbers = []
        for linked in self.flows:
            linked.row[SENT] += 1
            numbers.append(0 if linked.row[GONE] else linked.row[SENT])
        if any(numbers) and self.outlet is not None:
            self.outlet.send(numbers, head, buffers)

    def mark(self, frames: int) -> None:
        """Note that of the first `frames` frames of its origin all has been sent that ever will."""
        if self._marker.mark(frames) and self.outlet is not None:
            self.outlet.mark()

    @property
    def abandoned(self) -> str | None:
        """Why nobody takes anything any more; None while one does."""
        for linked in self.flows:  # looked at before every frame
            if not linked.row[GONE]:
                return None
        return CAUSES[self.flows[0].row[GONE] - 1]

    def wake(self) -> None:
        """Have the producer look again whether there is room."""
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
            linked.row[CLOSED] = 1
        if self.outlet is not None:
            self.outlet.close()

    def books(self) -> Mapping[PlannedFlow, FlowBooks]:
        """Return this end's half of the books: what was sent, and what is still under way."""
        return {
            linked.flow: FlowBooks(
                source=str(linked.flow.source),
                target=str(linked.flow.target),
                sent=linked.row[SENT],
                delivered=0,
                waiting=linked.row[SENT] - linked.row[ARRIVED],
                queue=linked.flow.queue,
                when_full=linked.flow.when_full,
                link=linked.flow.link,
                latest=linked.flow.latest,
                back_edge=linked.flow.back_edge,
                size=self._sizes.mean(),
            )
            for linked in self.flows
        }
