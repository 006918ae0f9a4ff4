"""Queues of flows that have a watermark, without any stage."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from holoflow.app.graph import Endpoint
from holoflow.engine.queue import Message, Queue
from holoflow.flow.ledger import Ledger
from holoflow.flow.paths import Stop
from holoflow.message import Header
from holoflow.plan.plan import PlannedFlow


def make(port: str, row: Any = None, **fields: Any) -> Queue:
    flow = PlannedFlow(
        Endpoint(f"of_{port}", "out"), Endpoint("join", port), 100, "block", fused=False,
        latest=False, back_edge=False, link="none", by_frame=True, watermark=True, several=True,
    )  # fmt: skip
    stop = Stop("work", "join", port)
    return Queue(replace(flow, **fields), stop, Ledger(1).rows[0] if row is None else row)


def put(queue: Queue, frame: int, payload: Any = None) -> None:
    payload = f"{queue.flow.target.port}{frame}" if payload is None else payload
    queue.put(Message(payload, Header(frame, frame, "cam"), ()))
