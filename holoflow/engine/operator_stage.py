"""A stage that begins with an operator: it works on what arrives at its inputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from holoflow.engine.control import Control
from holoflow.engine.host import Host
from holoflow.engine.inputs import Call, Inputs
from holoflow.engine.queue import Queue
from holoflow.engine.stage import Progress, Stage, clock
from holoflow.operator import Batching


class OperatorStage(Stage):
    """Takes calls from its inputs, one at a time or in batches."""

    def __init__(
        self, hosts: Sequence[Host], inputs: Inputs, outputs: Mapping[str, Sequence[Queue]],
        control: Control,
    ) -> None:  # fmt: skip
        """Run `hosts` on what `inputs` give."""
        super().__init__(hosts, outputs, control)
        self.inputs = inputs
        self._unfinished: tuple[Iterator[Any], Call] | None = None
        self._batching: Batching | None = None
        self._batch: list[Call] = []
        self._batch_due: int | None = None
        for queue in inputs.queues:
            queue.consumer = self
            if queue.producer is self:
                queue.capacity += 1  # what comes back waits for the next call, which sends again

    def begin(self) -> None:
        """Read what the started operator says of its batches, and make room for them."""
        self._batching = self.hosts[0].operator.batching()
        if self._batching is not None:
            for queue in self.inputs.queues:
                queue.capacity = max(queue.capacity, self._batching.size)

    def _step(self) -> Progress:
        if not self.has_room():
            return Progress.IDLE
        if self._unfinished is not None:
            return Progress.DONE if self.unheard() else self._resume()
        if self._batching is not None:
            return self._gather(self._batching)
        if self.inputs.ready():
            self._call(self.inputs.take())
            return Progress.WORKED
        return Progress.DONE if self.inputs.ended() else Progress.IDLE

    def _call(self, call: Call) -> None:
        host = self.hosts[0]
        start = clock()
        try:
            result = host.call_with(call.arguments, call.header)
            if host.ports.generator and result is not None:
                # Its work is done as it is asked for results.
                self._unfinished = (iter(result), call)
                return
        except BaseException as error:
            self.inputs.failed()
            self.operator_failed(host, call.header, error)
            return
        self._ended(call, start, clock(), result)

    def _ended(self, call: Call, start: int, end: int, result: Any) -> None:
        account = self.hosts[0].account
        account.frames += 1
        if self.control.tracked:
            account.add(end - start, end - call.born)
        if result is not None:
            self.run_tail(result, call.header, call.born, end)

    def _uncount(self, host: Host) -> None:
        if host is self.hosts[0]:
            if self._unfinished is not None:
                return  # its call has not ended
            self.inputs.failed()
        super()._uncount(host)

    def _resume(self) -> Progress:
        """Ask a generator for its next result."""
        assert self._unfinished is not None  # noqa: S101 - for the type checker
        results, call = self._unfinished
        host = self.hosts[0]
        start = clock()
        try:
            result = next(results)
        except StopIteration:
            self._unfinished = None
            host.account.frames += 1
            return Progress.WORKED
        except BaseException as error:
            self._unfinished = None
            self.inputs.failed()
            self.operator_failed(host, call.header, error)
            return Progress.WORKED
        end = clock()
        if self.control.tracked:
            host.account.add(end - start, end - call.born)
        self.run_tail(result, call.header, call.born, end)
        return Progress.WORKED

    def _gather(self, batching: Batching) -> Progress:
        """Fill a batch; work on it when it is full, late, or the last."""
        while len(self._batch) < batching.size and self.inputs.ready():
            self._batch.append(self.inputs.take())
            if self._batch_due is None:
                self._batch_due = self.control.now() + round(batching.wait * 1e9)
        ended = self.inputs.ended()
        if not self._batch:
            return Progress.DONE if ended else Progress.IDLE
        assert self._batch_due is not None  # noqa: S101 - for the type checker
        late = self.control.now() >= self._batch_due
        if len(self._batch) < batching.size and not ended and not late:
            self.wake_at(self._batch_due)
            return Progress.IDLE
        self._call_batch()
        return Progress.WORKED

    def _call_batch(self) -> None:
        batch, self._batch, self._batch_due = self._batch, [], None
        host = self.hosts[0]
        start = clock()
        try:
            results = host.operator.process_batch(
                [host.with_header(call.arguments, call.header) for call in batch]
            )
            if len(results) != len(batch):
                raise ValueError(
                    f"process_batch returned {len(results)} results for {len(batch)} inputs"
                )
        except BaseException as error:
            for call in batch:
                self.inputs.failed()
                self.operator_failed(host, call.header, error)
            return
        end = clock()
        share = (end - start) // len(batch)
        for call, result in zip(batch, results, strict=True):
            self._ended(call, end - share, end, result)

    def _release_inputs(self, cause: str) -> None:
        if self._unfinished is not None:
            self._unfinished = None
            self.inputs.failed(cause)
        for queue in self.inputs.queues:
            queue.abandon(cause)
        for _ in self._batch:
            self.inputs.failed(cause)
        self._batch = []

    def stalled_by(self) -> str:
        """Say what the stage waits for."""
        return super().stalled_by() or self.inputs.waits_for()
