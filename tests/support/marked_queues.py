"""Queues of flows that have a watermark, without any stage."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from holoflow.app.graph import Endpoint
from holoflow.core.message import Header
from holoflow.engine.queue import Message, Queue
from holoflow.plan.plan import PlannedFlow
from holoflow.stats.counters import Counters
from holoflow.stats.spans import PathStep


def make(port: str, block: Any = None, **fields: Any) -> Queue:
    flow = PlannedFlow(
        Endpoint(f"of_{port}", "out"), Endpoint("join", port), 100, "block", fused=False,
        latest=False, back_edge=False, link="none", by_frame=True, watermark=True, several=True,
    )  # fmt: skip
    step = PathStep("work", "join", port)
    return Queue(replace(flow, **fields), step, Counters(1).blocks[0] if block is None else block)


def put(queue: Queue, frame: int, payload: Any = None) -> None:
    payload = f"{queue.flow.target.port}{frame}" if payload is None else payload
    queue.put(Message(payload, Header(frame, frame, "cam"), ()))
