"""The fast path: a fused chain from a source to its end, run in bursts.

The loops here do nothing that plain calls with time stamps between them would not do; all
book-keeping is done once a burst.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeAlias

from holoflow.engine.control import Control
from holoflow.engine.host import Host
from holoflow.flow import chain_account
from holoflow.flow.chain_account import ChainAccount

Step: TypeAlias = "tuple[Host, Callable[[Any], Any] | None, type]"
"""An operator, its call, and the type of what it gave last."""

OnFailure: TypeAlias = Callable[[Host, int, BaseException], bool]
"""Gets the operator, the index of the frame in the burst and the error; says whether to go on."""


class Chain:
    """A source and operators of one input and at most one output each."""

    def __init__(self, hosts: Sequence[Host], control: Control) -> None:
        """Run `hosts`, the first of which is the source."""
        self._control = control
        self.account = ChainAccount(
            [host.account for host in hosts],
            [host.budgets for host in hosts],
            control.paths.chain([host.stop for host in hosts]),
        )
        self._hosts = list(hosts)
        self._steps: list[Step] = []
        self._stopped_at: dict[str, int] = {}
        self._failed_at: dict[str, int] = {}
        self._empty = 0
        self.ended = False
        """Whether the source has no more frames."""

    def run(self, frames: Iterator[Any], size: int, on_failure: OnFailure) -> int:
        """Run up to `size` of `frames`, fewer when the run is to end; return how many."""
        self._stopped_at = dict.fromkeys((host.name for host in self._hosts), 0)
        self._failed_at = dict(self._stopped_at)
        self._empty = 0
        self._steps = [(host, host.call, host.results.whole.last) for host in self._hosts[1:]]
        burst = islice(frames, size)
        run = self._run_tracked if self._control.tracked else self._run_untracked
        count = run(burst, on_failure)
        self._count(count)
        # A source that has failed may go on, but ends the burst.
        failed = self._failed_at[self._hosts[0].name]
        self.ended = count + self._empty < size and not failed
        return count

    def _run_untracked(self, burst: Iterator[Any], on_failure: OnFailure) -> int:
        source, steps, stopped_at = self._hosts[0], self._steps, self._stopped_at
        given = source.results.whole
        control = self._control
        count = 0
        host = source
        while True:
            try:
                for payload in burst:
                    if type(payload) is not given.last and not given.gives(payload):
                        self._empty += 1
                        continue
                    count += 1
                    for host, call, kind in steps:
                        payload = call(payload)  # type: ignore[misc]
                        if type(payload) is not kind and not host.results.whole.gives(payload):
                            stopped_at[host.name] += 1
                            break
                    host = source
                    if control.draining:
                        break
                break
            except BaseException as error:
                self._failed_at[host.name] += 1
                if not on_failure(host, count - (host is not source), error):
                    break
                host = source
        return count

    def _run_tracked(self, burst: Iterator[Any], on_failure: OnFailure) -> int:
        source, steps, stopped_at = self._hosts[0], self._steps, self._stopped_at
        given = source.results.whole
        width, last = len(self._hosts), self._hosts[-1]
        clock = time.monotonic_ns
        stamps = array("q")
        stamp = stamps.append
        control = self._control
        count = 0
        host = source
        begin = clock()
        while True:
            try:
                for payload in burst:
                    if type(payload) is not given.last and not given.gives(payload):
                        self._empty += 1
                        continue
                    stamp(clock())
                    count += 1
                    for host, call, kind in steps:
                        payload = call(payload)  # type: ignore[misc]
                        if type(payload) is not kind and not host.results.whole.gives(payload):
                            stamp(clock())
                            stopped_at[host.name] += 1
                            if host is not last:
                                _pad(stamps, width)
                            break
                        stamp(clock())
                    host = source
                    if control.draining:
                        break
                break
            except BaseException as error:
                if host is not source:
                    host.ages.add(clock() - stamps[(len(stamps) - 1) // width * width])
                _pad(stamps, width)
                self._failed_at[host.name] += 1
                if not on_failure(host, count - (host is not source), error):
                    break
                host = source
        if stamps:
            self.account.bursts.append((begin, stamps))
            if len(self.account.bursts) > chain_account.MOST:
                self.account.fold()
        return count

    def give_up(self, host: Host, count: int) -> None:
        """Count a burst of which `host` does not return from the last of `count` frames."""
        self._failed_at[host.name] += host is not self._hosts[0]
        self._count(count)

    def _count(self, count: int) -> None:
        """Book the burst: what reached each operator went on, stopped there or failed there."""
        arrived = count
        for index, host in enumerate(self._hosts):
            account = host.account
            ended = arrived - (self._failed_at[host.name] if index else 0)
            account.frames += ended
            arrived = ended - self._stopped_at[host.name]
            if host.ports.outputs:
                account.sent += arrived


def _pad(stamps: array[int], width: int) -> None:
    """Fill up the row of a frame that did not get to the end."""
    stamps.extend([0] * (-len(stamps) % width))
