"""The fragments of an app that is a line, in processes joined by queues of the standard library."""

from __future__ import annotations

import multiprocessing
import queue
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from holoflow.app import load
from rivals.by_hand import Job

ROOM = 2
"""Frames that wait in a queue."""


def run(file: Path, output: Path, frames: int) -> None:
    """Run the app in `file` for `frames` frames of its source."""
    context = multiprocessing.get_context("spawn")
    fragments = list(load(file).fragments)
    queues: list[Any] = [None, *(context.Queue(ROOM) for _ in fragments[1:]), None]
    processes = [
        context.Process(
            target=_work, args=(file, output, frames, name, queues[index], queues[index + 1])
        )
        for index, name in enumerate(fragments)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()


def _work(file: Path, output: Path, frames: int, name: str, inbox: Any, outbox: Any) -> None:
    app = load(file)
    own = app.fragments[name].operators
    nodes = {operator: app.operators[operator] for operator in own}
    policy = "block"
    for flow in app.flows:
        if flow.source.operator in own and flow.target.operator not in own:
            policy = flow.when_full or "block"
    inner = tuple(f for f in app.flows if {f.source.operator, f.target.operator} <= nodes.keys())
    job = Job(replace(app, operators=nodes, flows=inner), output, 0)
    if inbox is None:
        for header, results in islice(job.frames(), frames):
            for operator in job.order:
                job.call(operator, header, results)
            (*_, payload) = results.values()
            _put(outbox, (header, payload), policy)
    else:
        for header, payload in _arriving(inbox):
            for operator in own:
                ports = job.operators[operator].ports()
                inputs = (payload,) if ports.header is None else (payload, header)
                payload = job.operators[operator].process(*inputs)  # type: ignore[attr-defined]
            if outbox is not None:
                _put(outbox, (header, payload), policy)
    if outbox is not None:
        outbox.put(None)
    job.stop()


def _arriving(inbox: Any) -> Iterator[Any]:
    while (message := inbox.get()) is not None:
        yield message


def _put(outbox: Any, message: Any, policy: str) -> None:
    if policy == "block":
        outbox.put(message)
        return
    with suppress(queue.Full):
        outbox.put_nowait(message)
        return
    if policy == "drop_oldest":
        with suppress(queue.Empty):
            outbox.get_nowait()
        with suppress(queue.Full):
            outbox.put_nowait(message)
