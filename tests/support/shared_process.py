"""One end of links in shared memory as a process of its own, made to be killed.

A flow is `number:queue:policy`. What is received is checked, and its numbers are written to
`FOLDER/got.NUMBER`; the sender ends its streams when there is a file `FOLDER/stop`.
"""

from __future__ import annotations

import os
import random
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from holoflow.link.ends import LinkedFlow
from holoflow.link.shared_memory import SharedMemory
from holoflow.stats.counters import CLOSED, SENT, WANTS_MORE, waiting
from support.shared_ends import Run, Stage, content, eventually, send

SIZES = (0, 10, 5000, 40_000, 300_000)


def flows_of(run: Run, arguments: list[str]) -> list[LinkedFlow]:
    made = []
    for argument in arguments:
        number, queue, policy = argument.split(":")
        latest = policy == "latest"
        when_full: Any = "drop_oldest" if latest else policy
        made.append(run.flow(int(number), queue=int(queue), when_full=when_full, latest=latest))
    return made


def send_all(run: Run, flows: list[LinkedFlow]) -> None:
    link = SharedMemory("edge", run.folder, run.run)
    stage = Stage()
    outlet = link.outlet(flows, stage)
    blocking = [f for f in flows if f.flow.when_full == "block"]

    def full() -> bool:
        return any(waiting(f.counters) >= f.flow.queue for f in blocking)

    link.accept()
    for linked in flows:
        eventually((run.folder / f"joined.{linked.number}").exists, "a receiver")
    stop = run.folder / "stop"
    while not stop.exists():
        if full():
            stage.woken.clear()
            outlet.wants_room()
            if full():
                stage.woken.wait(0.5)  # to look at `stop`
            continue
        number = flows[0].counters[SENT] + 1
        size = random.choice(SIZES)
        array: Any = content(number, size)
        if random.random() < 0.5:
            array = outlet.allocate((size,), np.uint8)
            array[:] = content(number, size)
        send(outlet, flows, b"%d" % number, array)
        if random.random() < 0.01 or not blocking:
            time.sleep(0.001)
    for linked in flows:
        linked.counters[CLOSED] = 1
    outlet.close()
    link.close(30.0)


def receive(run: Run, linked: LinkedFlow) -> None:
    link = SharedMemory(linked.target, run.folder, run.run)
    stage = Stage(linked)
    inlet: Any = link.inlet(linked, stage)
    log = os.open(run.folder / f"got.{linked.number}", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    link.accept()
    if not (run.folder / "stop").exists():
        eventually(lambda: not link.waits_for(), "a sender")
    (run.folder / f"joined.{linked.number}").touch()
    kept = []
    while not stage.ended or stage.queue:
        inlet.poll()
        if not stage.queue:
            stage.woken.clear()
            if not stage.ended and inlet.about_to_sleep():
                stage.woken.wait(300)
            continue
        number, head, [buffer] = stage.take(inlet)
        first = int(head)
        assert bytes(buffer) == content(first, len(buffer)).tobytes(), "not what was sent"
        os.write(log, b"%d %d\n" % (number, first))
        kept = [*kept, (first, buffer)][-12:]
        oldest, array = kept[0]
        assert bytes(array) == content(oldest, len(array)).tobytes(), "not what was kept"
        stage.settle()
    linked.counters[WANTS_MORE] = 0
    os.close(log)
    inlet.suspend()
    link.close(1.0)


def main(what: str, folder: str, run: str, arguments: list[str]) -> None:
    """Be an end of the flows that `arguments` say."""
    warnings.simplefilter("error")
    random.seed(os.environ["TEST_SEED"])
    made = Run(Path(folder), run, 3)
    flows = flows_of(made, arguments)
    if what == "send":
        send_all(made, flows)
    else:
        receive(made, flows[0])
