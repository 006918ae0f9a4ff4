"""A stage that begins with a source: it works as fast as the source gives and the rest takes."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from holoflow.engine.chain import Chain
from holoflow.engine.control import Control
from holoflow.engine.host import Host
from holoflow.engine.inputs import Call
from holoflow.engine.stage import SLICE, Output, Progress, Stage, clock
from holoflow.flow.ledger import Row
from holoflow.flow.paths import Tracks, close
from holoflow.message import Header, Stamped

_END = object()
MAX_BURST = 1024
"""Frames of a fused chain between two entries in the books."""


class SourceStage(Stage):
    """Draws frames from a source and passes them down its chain."""

    def __init__(
        self, hosts: Sequence[Host], outputs: Mapping[str, Sequence[Output]], control: Control,
        limit: int | None, number: Row,
    ) -> None:  # fmt: skip
        """Run `hosts`, the first of which is the source; end after `limit` frames.

        `number` keeps the number of the next frame, for the case that the source is started again.
        """
        super().__init__(hosts, outputs, control)
        self.host = hosts[0]
        self.limit = limit
        self.sequence = number[0]
        self._number = number
        self._frames: Iterator[Any] = iter(())
        self._newest = -1
        self._held: tuple[Any, int, int] | None = None
        """A frame that waits for its time, when it was got, how long that took."""
        self._reader: Reader | None = None
        self.chain: Chain | None = None
        """The fast path, where it may be taken."""
        plain = all(host.plain for host in hosts) and control.recorder is None
        if len(hosts) > 1 and not self.outputs and plain:
            self.chain = Chain(hosts, control)
        self._burst = 1

    def begin(self) -> None:
        """Ask the started source for its frames."""
        self._frames = iter(self.host.operator.frames())  # type: ignore[attr-defined]
        if self.host.operator.live:
            self._reader = Reader(self._frames, self)
            self.chain = None
            self._reader.thread.start()

    @property
    def reading(self) -> bool:
        """Whether it waits for its device, or for room in another process."""
        return (self._reader is not None and self.has_room()) or super().reading

    def _step(self) -> Progress:
        if self.control.draining or (self.limit is not None and self.sequence >= self.limit):
            return Progress.DONE
        if not self.has_room():
            return self._wait_for_room()
        self._found_room()
        if self.unheard():
            return Progress.DONE
        if self.chain is not None:
            return self._step_burst()
        if self._held is None:
            try:
                item, got, working = self._next()
            except BaseException as error:
                self.operator_failed(self.host, self._header(self.sequence), error)
                return Progress.WORKED
            if item is _END:
                return Progress.DONE
            if item is None:
                return Progress.IDLE if self._reader else Progress.WORKED
            self._held = (item, got, working)
        item, got, working = self._held
        waited = type(item) is Stamped and item.wait and item.elapsed is not None
        if waited:
            due = self.control.begin + item.elapsed
            if self.control.now() < due:
                self.wake_at(due)
                return Progress.IDLE
        self._held = None
        sent = clock()
        if waited:
            self.paced += sent - got
            got = sent
        elif self._reader is None:
            got = sent
        self._send(item, got, sent, working)
        return Progress.WORKED

    def _next(self) -> tuple[Any, int, int]:
        """Return the next frame, when it was got, and for how long the source was at work."""
        if self._reader is not None:
            return self._reader.read()
        start = clock()
        item = next(self._frames, _END)
        got = clock()
        return item, got, got - start

    def _header(self, sequence: int) -> Header:
        """Make the header of a frame of now."""
        # Where runs are to be equal, a source without times of its own counts frames. No two
        # frames have one time, even where the clock stands still because it is simulated.
        now = sequence if self.control.lossless else self.control.now()
        self._newest = max(now, self._newest + 1)
        return Header(sequence, self._newest, self.host.name)

    def _send(self, item: Any, captured: int, sent: int, working: int) -> None:
        header = self._header(self.sequence)
        self.sequence += 1
        self._number[0] = self.sequence
        host = self.host
        host.account.frames += 1
        tracks: Tracks = ()
        if self.control.tracked:
            tracks = self.control.paths.begin(host.name, captured, sent)
            host.account.note(sent - working, sent, captured)
            if self._reader:
                host.account.overlap += working  # who waits for a device is not at work
            if self.control.recorder is not None:
                self._record(host, header, captured, sent - working, sent, ())
            if host.sink:
                close(tracks)
        self.run_tail(item, header, tracks, sent)

    def _step_burst(self) -> Progress:
        """Run a burst of frames down a chain that needs no headers and sends nothing on."""
        assert self.chain is not None  # noqa: S101 - for the type checker
        size = self._burst
        if self.limit is not None:
            size = min(size, self.limit - self.sequence)
        begin = clock()
        count = self.chain.run(self._frames, size, self._burst_failed)
        self.sequence += count
        self._number[0] = self.sequence
        took = clock() - begin
        if took < SLICE // 2:
            self._burst = min(2 * self._burst, MAX_BURST)
        elif took > SLICE:
            self._burst = max(size * SLICE // took, 1)
        return Progress.DONE if self.chain.ended else Progress.WORKED

    def _burst_failed(self, host: Host, index: int, error: BaseException) -> bool:
        """Book the failure of `host` on the burst's frame `index`; true where the run goes on."""
        self.operator_failed(host, self._header(self.sequence + index), error)
        return not self.failed

    def _uncount(self, host: Host) -> None:
        super()._uncount(host)
        if host is self.host:
            self.sequence -= 1
            self._number[0] = self.sequence

    def give_up(self, host: Host, calls: Sequence[Call], done: int) -> None:
        """Do without the stage; what it has done of a burst is counted."""
        if self.chain is not None:
            self.sequence += done
            self.chain.give_up(host, done)
        super().give_up(host, calls, done)

    def _finish(self) -> None:
        if self._reader is not None:
            self._reader.stop()
        super()._finish()

    def end(self, patience: float) -> None:
        """Wait until nobody reads the device, so that it can be closed."""
        if self._reader is not None:
            self._reader.stop()
            self._reader.thread.join(patience)

    def stalled_by(self) -> str:
        """Say what the stage waits for."""
        return super().stalled_by() or "its device"


class Reader:
    """Reads a live source in a thread of its own, because it waits for a device."""

    ROOM = 4
    """Frames held; when they are not fetched, the device loses frames and counts them."""

    def __init__(self, frames: Iterator[Any], stage: Stage) -> None:
        """Read `frames` for `stage`."""
        self._frames = frames
        self._stage = stage
        self._items: deque[tuple[Any, int, int]] = deque()
        self._room = threading.Semaphore(self.ROOM)
        self._stopped = False
        self.thread = threading.Thread(target=self._run, name=f"read {stage.name}", daemon=True)

    def _run(self) -> None:
        item: Any = None
        while item is not _END:
            self._room.acquire()
            if self._stopped:
                return
            start = clock()
            try:
                item = next(self._frames, _END)
            except BaseException as error:
                item = _Raised(error)
            if item is None:
                self._room.release()
                continue
            got = clock()
            self._items.append((item, got, got - start))
            self._stage.wake()

    def read(self) -> tuple[Any, int, int]:
        """Return the next frame, when it was got, and for how long it was waited for.

        The frame is None where there is none yet. Raises what the source raised.
        """
        if not self._items:
            return None, 0, 0
        item, got, took = self._items.popleft()
        self._room.release()
        if isinstance(item, _Raised):
            raise item.error
        return item, got, took

    def stop(self) -> None:
        """Read no further frame."""
        self._stopped = True
        self._room.release()


class _Raised:
    """An exception on its way to another thread."""

    def __init__(self, error: BaseException) -> None:
        self.error = error
