"""holoflow's links alone: their two ends, and what it takes to encode and decode a message."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from holoflow.core.message import Header
from holoflow.launch.configuration import LaunchConfiguration
from holoflow.link.ends import Buffer, Notifier
from holoflow.link.links import Links
from holoflow.link.opening import open_transports
from holoflow.link.wire import Decoder, Encoder
from holoflow.plan import Plan
from holoflow.plan.fingerprint import digest
from holoflow.stats.counters import CLOSED, SENT, TAKEN, Counters, waiting
from rivals.fragments import HOSTS, await_prepared, over_network, prepare, queue
from rivals.frames import Source
from rivals.job import Job
from rivals.meter import Meter


class Waiting:
    """Producer or consumer, as a link sees it: woken by the link, and fed by it."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.notifier = Notifier()
        self.come: deque[tuple[Buffer, Sequence[Buffer]]] = deque()
        self.ended = False

    def wake(self) -> None:
        """Look again."""
        self.notifier.notify()

    def deliver(self, _number: int, head: Buffer, buffers: Sequence[Buffer]) -> None:
        """Take a message."""
        self.come.append((head, buffers))

    def close(self) -> None:
        """Note the end of the stream."""
        self.ended = True


def receive(job: Job) -> None:
    """Take what comes, as the engine does."""
    consumer, decoder = Waiting(), Decoder()
    with _joined(job, prepare(job), "receiving") as (plan, links):
        (flow,) = plan.flows
        inlet, block, meter = links.inlet(flow, consumer), links.counters(flow), Meter(job)
        consumer.notifier = links.notifier(flow.target.operator) or consumer.notifier
        _accept(links)
        while not (consumer.ended or meter.over):
            inlet.poll()
            if not consumer.come:
                if inlet.about_to_sleep(consumer.notifier):
                    consumer.notifier.wait()
                continue
            while consumer.come:
                head, buffers = consumer.come.popleft()
                block[TAKEN] += 1
                inlet.took()
                meter.saw(decoder.decode(head, buffers).payload)
                del head, buffers
        inlet.abandon()


def send(job: Job) -> None:
    """Send while there is room, as the engine does."""
    producer, encoder = Waiting(), Encoder()
    with _joined(job, await_prepared(job), "sending") as (plan, links):
        (flow,) = plan.flows
        (group,) = links.groups(plan.flows)
        outlet, block, source = links.outlet(group, producer), links.counters(flow), Source(job)
        _accept(links)
        most = queue(job)
        arrays = None if job.variant.endswith("loan") else source.arrays()
        for _ in source.ticks():
            while waiting(block) >= most and not source.over:
                outlet.wants_room(producer.notifier)
                if waiting(block) >= most:
                    producer.notifier.wait()
            array: Any = next(arrays) if arrays else outlet.allocate((job.size,), "u1")
            source.stamp(array)
            header = Header(block[SENT], time.monotonic_ns(), "send")
            head, buffers = encoder.encode(array, header)
            block[SENT] += 1
            outlet.send([block[SENT]], head, buffers)
        block[CLOSED] = 1
        outlet.close()


@contextmanager
def _joined(job: Job, app: Path, fragment: str) -> Iterator[tuple[Plan, Links]]:
    apart = over_network(job)
    plan = LaunchConfiguration(app, only=(fragment,) if apart else ()).plan()
    counters = Counters.of(plan, job.path / (f"{fragment}-counters" if apart else "counters"))
    name = job.path.name.replace("_", "-")
    run = f"{fragment}-{name}" if apart else name
    hosts = dict.fromkeys(HOSTS.values(), "127.0.0.1")
    transports = open_transports(plan, fragment, job.path, run, digest(plan), hosts)
    links = Links(plan, counters, transports)
    try:
        yield plan, links
    finally:
        links.close()


def _accept(links: Links) -> None:
    links.accept()
    while links.waits_for():
        time.sleep(0.01)
