"""Two fragments in the test's process, joined by zeromq over a real socket."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from holoflow.link.ends import Notifier
from holoflow.link.keys import KeyStore
from holoflow.link.zeromq import AppIdentity, PeerAddress, Timing, ZeroMQ, on_host
from holoflow.stats.counters import Counters
from support.ends import Receiver, Sender
from support.wires import linked

QUICK = Timing(heartbeat=0.1, silence=3.0, retry=0.01, refused=0.1, orphaned=5.0)
KINDS = ("ipc", "tcp", "curve")


def stores(folder: Path) -> tuple[KeyStore, KeyStore]:
    """Return the keys of the hosts `edge` and `screen`, which trust one another."""
    found = KeyStore(folder / "edge"), KeyStore(folder / "screen")
    pairs = [store.create(store.folder.name) for store in found]
    found[0].allow("screen", pairs[1].public)
    found[1].allow("edge", pairs[0].public)
    return found


class Pair:
    """Sender and receiver, each of which can be started again.

    `ipc`: on one host, with one set of counters; `tcp`, `curve`: on two. With `notifiers` each
    waits at one of its own.
    """

    def __init__(self, folder: Path, kind: str, *, notifiers: bool = False, **flow: Any) -> None:
        self.kind, self.flow = kind, flow
        self._notified = notifiers
        self._notifiers: list[Notifier] = []
        self.port: int | None = None
        """Where the sender connects to instead: a relay."""
        self.keys = stores(folder)
        one = [Counters(1).blocks[0]]
        self.blocks = one * 2 if kind == "ipc" else [*one, Counters(1).blocks[0]]
        """Of the sender's host and of the receiver's."""
        self.names = ["one", "one" if kind == "ipc" else "two"]
        self._own = self.keys[1].own().public if kind == "curve" else None
        self.endpoint = on_host(folder, "screen") if kind == "ipc" else "tcp://127.0.0.1:*"
        self.options: dict[str, Any] = {}
        """Of the receiver's transport."""
        self.open: list[ZeroMQ] = []
        self.stages: list[Receiver] = []

    def identity(self, end: int) -> AppIdentity:
        return AppIdentity("app", "digest", self.names[end])

    def start_screen(self, work: Callable[..., None] = lambda *_: None) -> Receiver:
        """Start the receiver; `work` is called with (number, head, buffers)."""
        self.screen = ZeroMQ(
            "screen",
            self.identity(1),
            [PeerAddress(self.endpoint, self._own)],
            keys=self.keys[1],
            timing=QUICK,
            **self.options,
        )
        self.open.append(self.screen)
        (self.endpoint,) = self.screen.endpoints
        stage = Receiver(self.screen, linked(self.blocks[1], **self.flow), work, self._notifier())
        self.stages.append(stage)
        return stage

    def start_edge(self) -> Sender:
        """Start the sender."""
        endpoint = self.endpoint if self.port is None else f"tcp://127.0.0.1:{self.port}"
        self.edge = ZeroMQ(
            "edge",
            self.identity(0),
            peers={"screen": PeerAddress(endpoint, self._own)},
            keys=self.keys[0],
            timing=QUICK,
        )
        self.open.append(self.edge)
        return Sender(self.edge, linked(self.blocks[0], **self.flow), self._notifier())

    def _notifier(self) -> Notifier | None:
        if not self._notified:
            return None
        self._notifiers.append(Notifier())
        return self._notifiers[-1]

    def kill(self, transport: ZeroMQ) -> None:
        """End what carries one end, as its death would: without a word."""
        self.open.remove(transport)
        transport.close(0)

    def __enter__(self) -> Pair:
        return self

    def __exit__(self, *raised: object) -> None:
        for stage in self.stages:
            stage.stop()
        for transport in self.open:
            transport.close(0)
        for notifier in self._notifiers:
            notifier.close()
