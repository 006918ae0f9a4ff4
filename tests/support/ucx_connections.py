"""Ends of ucx flows in the test's process, with a courier where UCX would be."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from holoflow.link.ends import LinkedFlow
from holoflow.link.ucx import Peers, UcxTransport
from holoflow.link.ucx.frame import LOOPBACK, pack
from holoflow.plan import plan
from holoflow.stats.counters import Counters
from support.ends import PATIENCE, Receiver, Sender
from support.graphs import Sink, Source, chain, fragment, node


class Courier:
    """Carries messages from a sending end to a receiving one, one at a time, as UCX does."""

    def __init__(self, sending: Any, receiving: Any) -> None:
        self._sending, self._receiving = sending, receiving
        self.under_way = self.most = 0
        self._woken = threading.Semaphore(0)
        self._going = True
        sending.wake_operator = self._woken.release
        receiving.listen()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while self._going:
            self._woken.acquire(timeout=PATIENCE)
            while (ucx_frame := self._sending.next()) is not None:
                self._receiving.accept(pack(ucx_frame))

    def stop(self) -> None:
        self._going = False
        self._woken.release()
        self._thread.join(PATIENCE)


class Pair:
    """A flow and its two ends, on one host or on two."""

    def __init__(self, folder: Path, *, near: bool, work: Callable[..., None], **flow: Any) -> None:
        graph = chain(
            node("source", Source), node("sink", Sink),
            fragments=[
                fragment("a", "source", host=None if near else "one"),
                fragment("b", "sink", host=None if near else "two"),
            ],
        )  # fmt: skip
        only = replace(graph.flows[0], link="ucx", encrypt=False, **flow)
        whole = plan(replace(graph, flows=(only,)))
        self.near = near
        self.counters = [Counters.of(whole) for _ in range(1 if near else 2)]
        hosts = {} if near else {"b": LOOPBACK}
        self.peers = Peers(folder, "run", hosts)
        self.linked = [
            LinkedFlow(0, whole.flows[0], "a", "b", counters.blocks[0])
            for counters in self.counters
        ]
        self.transports = [UcxTransport(whole, self.peers) for _ in range(2)]
        self.sender = Sender(self.transports[0], self.linked[0])
        self.receiver = Receiver(self.transports[1], self.linked[-1], work)
        self.courier: Courier | None = None

    @property
    def sending(self) -> Any:
        return self.transports[0].senders[0][0]

    @property
    def receiving(self) -> Any:
        return self.transports[1].receivers[0][0]

    def join(self) -> None:
        for transport in self.transports[::-1]:
            transport.accept()
        for transport in self.transports:
            assert transport.meet(lambda: False)
        self.courier = Courier(self.sending, self.receiving)

    def close(self) -> None:
        self.receiver.stop()
        if self.courier is not None:
            self.courier.stop()
        for transport in self.transports:
            transport.close(0)


@contextmanager
def pair(folder: Path, *, near: bool, work: Callable[..., None], **flow: Any) -> Iterator[Pair]:
    """Join the two ends of a flow."""
    with ExitStack() as stack:
        made = Pair(folder, near=near, work=work, **flow)
        stack.callback(made.close)
        made.join()
        yield made


def free_ports() -> int:
    """Return a port which is free, like the one behind it."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind((LOOPBACK, 0))
            try:
                second.bind((LOOPBACK, first.getsockname()[1] + 1))
            except OSError:
                continue
            return int(first.getsockname()[1])
