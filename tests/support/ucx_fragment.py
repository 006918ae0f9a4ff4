"""One fragment of an app whose fragments ucx joins, as a process: FRAGMENT FOLDER JSON."""

from __future__ import annotations

import faulthandler
import hashlib
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from holoflow import Header, Operator, Stamped, param
from holoflow.app.graph import App, Endpoint, Flow, Fragment, Node, Scheduler
from holoflow.core.samples import Arrays
from holoflow.engine import RunOptions, Stopper, execute
from holoflow.link.links import Links
from holoflow.link.ucx import Peers, UcxTransport
from holoflow.plan import plan
from holoflow.plan.plan import Plan, part
from holoflow.stats.counters import SENT, Counters, delivered, dropped


class GiveOp(Operator):
    """Gives arrays that tell their number."""

    n: int = param(50, doc="frames")
    size: int = param(1000, doc="bytes of the first array")
    arrays: int = param(1, doc="arrays of a message")

    def frames(self) -> Iterator[Stamped[Arrays]]:
        for number in range(self.n):
            pixels = np.full(self.size, number % 251, np.uint8)
            rest = {f"a{i}": np.full(300 + i, number, np.int32) for i in range(1, self.arrays)}
            payload = Arrays({"a0": pixels, **rest})
            yield Stamped(payload, timestamp=number, metadata={"lap": number // 10})


class WorkOp(Operator):
    """Passes arrays on, changed; raises or dies on a frame."""

    fail_at: int = param(-1, doc="frame that raises")

    def process(self, x: Arrays, header: Header) -> Arrays:
        if header.sequence == self.fail_at:
            raise ValueError(f"bad {self.fail_at}")
        return Arrays({name: array + 1 for name, array in x.items()})


class TakeOp(Operator):
    """Writes down what came."""

    seconds: float = param(0.0, doc="what it takes for a frame")

    def start(self) -> None:
        self._file = (self.context.output / f"{self.context.name}.jsonl").open("w", buffering=1)

    def process(self, x: Arrays, header: Header) -> None:
        digest = hashlib.sha256()
        for name in sorted(x):
            digest.update(f"{name} {x[name].dtype} {x[name].shape} ".encode())
            digest.update(x[name].tobytes())
        metadata = dict(header.metadata)
        line = [header.sequence, header.timestamp, header.source, metadata, digest.hexdigest()]
        self._file.write(json.dumps(line) + "\n")
        if self.seconds:
            time.sleep(self.seconds)

    def stop(self) -> None:
        self._file.close()


def make_app(wanted: dict[str, Any]) -> App:
    """Return source → work → sink, in as many fragments as there are names."""
    nodes = [
        Node("source", "GiveOp", GiveOp, wanted.get("source", {})),
        Node("work", "WorkOp", WorkOp, wanted.get("work", {})),
        Node("sink", "TakeOp", TakeOp, wanted.get("sink", {})),
    ]
    inside = wanted["fragments"]
    place = {operator: name for name, operators in inside.items() for operator in operators}
    flows = [
        Flow(
            Endpoint(a, "out"), Endpoint(b, "x"),
            link="ucx" if place[a] != place[b] else "auto", encrypt="hosts" not in wanted,
            **wanted.get("flow", {}),
        )
        for a, b in (("source", "work"), ("work", "sink"))
    ]  # fmt: skip
    return App(
        "app", None, {node.name: node for node in nodes}, tuple(flows),
        fragments={
            name: Fragment(name, tuple(ops), host=wanted.get("hosts", {}).get(name))
            for name, ops in inside.items()
        },
        scheduler=Scheduler(**wanted.get("scheduler", {})),
    )  # fmt: skip


def stats(whole: Plan, counters: Counters) -> dict[str, Any]:
    """Return the counts of every flow."""
    return {
        f"{flow.source.operator} {flow.target.operator}": [
            block[SENT], delivered(block), dropped(block)
        ]
        for flow, block in zip(whole.flows, counters.blocks, strict=True)
    }  # fmt: skip


def main() -> int:
    faulthandler.enable()
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    fragment, folder, text = sys.argv[1], Path(sys.argv[2]), json.loads(sys.argv[3])
    whole = plan(make_app(text), lossless=text.get("lossless", True))
    own, hosts = folder, text.get("hosts", {})
    if hosts:  # every fragment on a host of its own
        whole = replace(whole, here=frozenset({fragment}))
        own = folder / f"host-{fragment}"
        own.mkdir()
    counters = Counters.of(whole, own / "counters")
    transport = UcxTransport(whole, Peers(own, "run", hosts))
    links = Links(whole, counters, {"ucx": transport})
    options = RunOptions(
        engine="holoscan", output=folder, lossless=text.get("lossless", True), run="run"
    )
    began = time.monotonic()
    stopper = Stopper()
    result = execute(part(whole, fragment), options, links=links, stopper=stopper)
    said = {
        "outcome": result.outcome,
        "failure": None if result.failure is None else str(result.failure),
        "seconds": time.monotonic() - began,
        "paths": [[path.name, path.frames] for path in result.last.paths],
        "stats": stats(whole, counters),
    }
    (folder / f"{fragment}.json").write_text(json.dumps(said))
    return 0 if result.outcome == "done" else 1


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # Holoscan's threads may be stuck where a peer has gone
