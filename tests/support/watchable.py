"""A process that can be watched: the statistics of a run that somebody made up.

`python -m support.watchable APP RUN FRAGMENT [OPERATOR …]` publishes a snapshot every 50 ms that
has these operators (all of `faces()` where none is named), a second further on each time, and
says `ready` when the first is there. Ends with its standard input.
"""

from __future__ import annotations

import os
import select
import socket
import sys
from collections.abc import Sequence
from dataclasses import replace

from holoflow.live.publish import Publisher
from holoflow.stats.snapshot import Snapshot
from support.snapshots import faces, flow, operator, path


def stats(app: str, run: str, fragment: str, operators: Sequence[str], second: int) -> Snapshot:
    """Return the statistics of a fragment after so many seconds, 30 frames in each."""
    whole = faces(float(second))
    frames = 30 * second
    return replace(
        whole,
        app=app,
        run=run,
        operators=tuple(
            replace(
                operator(b.name, b.working.mean, frames=frames), fragment=fragment, source=b.source
            )
            for b in whole.operators
            if b.name in operators
        ),
        flows=tuple(
            flow(
                b.source, b.target, sent=frames, delivered=frames - frames // 10,
                dropped={"full": frames // 10}, when_full="drop_oldest",
            )
            for b in whole.flows
            if b.consumer in operators
        ),
        paths=tuple(path(*b.steps, frames=frames) for b in whole.paths if "screen" in operators),
        workers=tuple(replace(b, fragment=fragment, busy=0.9 * second) for b in whole.workers),
        fragments=(
            replace(
                whole.fragments[0], name=fragment, pid=os.getpid(), host=socket.gethostname()
            ),
        ),
        budgets=whole.budgets if "screen" in operators else (),
    )  # fmt: skip


def main() -> None:
    """Publish until standard input ends."""
    app, run, fragment, *operators = sys.argv[1:]
    chosen = operators or [b.name for b in faces().operators]
    with Publisher(app, run, fragment) as publisher:
        second = 1
        publisher.put(stats(app, run, fragment, chosen, second))
        print("ready", flush=True)
        while not select.select([sys.stdin], [], [], 0.05)[0]:
            second += 1
            publisher.put(stats(app, run, fragment, chosen, second))


if __name__ == "__main__":
    main()
