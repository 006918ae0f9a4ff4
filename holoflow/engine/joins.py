"""Which join the inputs of an operator have."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from holoflow.app.graph import Sync
from holoflow.core.ports import Trigger
from holoflow.engine.any_of import InOrder, InTurn
from holoflow.engine.by_frame import ByFrame
from holoflow.engine.by_time import Synced
from holoflow.engine.inputs import Arrival, Inputs
from holoflow.engine.queue import LatestQueue, Queue
from holoflow.stats.counters import CounterBlock


def make_inputs(
    name: str, queues: Sequence[Queue], *, trigger: Trigger, sync: Sync | None,
    optional: frozenset[str], number: CounterBlock, now: Callable[[], int],
    wake_at: Callable[[int], None],
) -> Inputs:  # fmt: skip
    """Return the inputs of an operator, which the engine and predictions take calls from.

    Args:
        name: The operator.
        queues: Of the flows into it, in the order of its ports.
        trigger: Whether a message of any input makes a call, or one of each does.
        sync: How inputs are joined by time; None where they are not.
        optional: Ports that a call can do without.
        number: Where the number of its next frame is kept, if its frames are its own.
        now: Returns the time of the run (ns).
        wake_at: Has the operator's stage woken at a time of the run (ns).
    """
    ports = {queue.flow.target.port: queue for queue in queues}
    latest = {port: queue for port, queue in ports.items() if isinstance(queue, LatestQueue)}
    waited = {port: queue for port, queue in ports.items() if port not in latest}
    triggers = {port: queue for port, queue in waited.items() if not queue.flow.back_edge}
    back_edges = {port: queue for port, queue in waited.items() if queue.flow.back_edge}
    if sync is not None:
        return Synced(triggers, sync, optional, latest, now=now, wake_at=wake_at)
    by_frame = any(queue.flow.by_frame for queue in queues)
    if trigger == "any" and len(triggers) > 1:
        return InOrder(triggers, latest) if by_frame else InTurn(triggers, latest, name, number)
    if by_frame:
        return ByFrame(triggers, optional, back_edges, latest)
    return Arrival(triggers, back_edges, latest)
