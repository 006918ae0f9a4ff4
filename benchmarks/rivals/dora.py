"""dora: two Python nodes and its daemon; Arrow arrays go through its shared memory."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pyarrow as pa
from dora import Node

from rivals.frames import Source
from rivals.job import Job
from rivals.meter import Meter

UNDER_WAY = 8
"""Messages that may wait for the receiver; what is more replaces the oldest."""


def run(job: Job) -> None:
    """Become dora's command line, which starts its daemon and the two nodes."""
    # dora adds an eighth, and its default pool has no room for several large messages.
    pool = max(4 * UNDER_WAY * job.size * 9 // 8, 1 << 26)
    program = {"path": sys.executable, "shared_memory_pool_size": pool}
    flow = {
        "nodes": [
            {"id": "sender", "args": "-m rivals.role send", "outputs": ["frame"]} | program,
            {
                "id": "receiver",
                "args": "-m rivals.role receive",
                "inputs": {"frame": {"source": "sender/frame", "queue_size": UNDER_WAY}},
            }
            | program,
        ]
    }
    file = job.path / "flow.yml"
    file.write_text(json.dumps(flow))
    dora = Path(sys.executable).parent / "dora"
    os.execv(dora, ["dora", "run", str(file)])


def send(job: Job) -> None:
    """Copy arrays into dora's memory (`copy`), or write into it (`loan`)."""
    node, source = Node(), Source(job)
    if job.variant == "copy":
        for array in source.frames():
            node.send_output("frame", pa.array(array))
    else:
        for _ in source.ticks():
            with node.send_output_raw("frame", job.size) as buffer, memoryview(buffer) as view:
                source.stamp(view)


def receive(job: Job) -> None:
    """Take what comes: views of the shared memory."""
    meter = Meter(job)
    for event in Node():
        if event["type"] == "INPUT":
            meter.saw(event["value"].to_numpy())
        if event["type"] == "STOP":
            break
