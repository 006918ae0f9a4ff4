"""One end of a zeromq link as a process of its own, made to be killed.

What is received is checked, and its numbers are written to `FOLDER/got`. The last line that it
prints is the most memory that it had, in bytes.
"""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path
from typing import Any

from holoflow.link.zeromq import AppIdentity, PeerAddress, Timing, ZeroMQ
from holoflow.stats.counters import SENT, SETTLED, TAKEN, CounterBlock, Counters
from support.ends import Receiver, Sender, eventually
from support.wires import linked

ALERT = Timing(heartbeat=0.05, silence=0.5, retry=0.01, refused=0.2, orphaned=30.0)


def block_of(folder: Path, host: str) -> CounterBlock:
    """Return the counts of `host`, in a file."""
    return Counters(1, file=folder / f"counters.{host}").blocks[0]


def content(number: int, size: int) -> bytes:
    return bytes([number % 251]) * size


def send(folder: Path, host: str, endpoint: str, count: int, size: int, **flow: Any) -> None:
    """Send until so many have been sent, by this process and those before it."""
    link = ZeroMQ(
        "edge",
        AppIdentity("app", "digest", host),
        peers={"screen": PeerAddress(endpoint)},
        timing=ALERT,
    )
    block = block_of(folder, host)
    sender = Sender(link, linked(block, **flow))
    eventually(lambda: not link.waits_for())
    print("linked", flush=True)
    while block[SENT] < count:
        number = block[SENT] + 1
        sender.send(b"%d" % number, content(number, size))
    sender.outlet.close()
    link.close(60)


def receive(folder: Path, host: str, endpoint: str, pause: float, size: int, **flow: Any) -> None:
    """Receive until the stream ends; `pause` seconds for each message."""
    log = os.open(folder / "got", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def work(number: int, head: bytes, buffers: Any) -> None:
        assert int(head) == number
        assert bytes(buffers[0]) == content(number, size)
        os.write(log, b"%d\n" % number)
        time.sleep(pause)

    link = ZeroMQ(
        "screen", AppIdentity("app", "digest", host), [PeerAddress(endpoint)], timing=ALERT
    )
    receiver = Receiver(link, linked(block_of(folder, host), **flow), work)
    link.accept()
    print("ready", flush=True)
    eventually(receiver.ended.is_set)
    eventually(
        lambda: not receiver.queue and receiver.counters[TAKEN] == receiver.counters[SETTLED]
    )
    receiver.stop()
    link.close(2)


if __name__ == "__main__":
    what, folder, host, endpoint, number, size, queue, policy = sys.argv[1:]
    flow: dict[str, Any] = {"queue": int(queue), "when_full": policy}
    if what == "send":
        send(Path(folder), host, endpoint, int(number), int(size), **flow)
    else:
        receive(Path(folder), host, endpoint, float(number), int(size), **flow)
    # Not getrusage, which counts what its parent had, too.
    status = Path("/proc/self/status").read_text()
    print(1024 * int(re.search(r"VmHWM:\s+(\d+)", status)[1]), flush=True)
