"""The log of Holoscan's data flow tracking, which HoloHub's scripts read.

A line is one way of a frame from a source to a sink, in microseconds since 1970:

    (camera,1790000000000100,1790000000000120) -> (detect,1790000000000410,1790000000031500)

Each operator has the times at which it received and published. A source receives when it has the
frame in hand, any other operator when its call starts, so that the end-to-end times are those
that reports show.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

from holoflow.flow.records import Call, Records

MOST_PATHS = 256
"""Of one call of a sink; more ways that lead to it are left out."""


def write_log(records: Records, path: Path) -> int:
    """Write the log and return the number of its lines; raises OSError."""
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for way in paths(records):
            file.write(" -> ".join(_stop(call, records.epoch) for call in way) + "\n")
            count += 1
    return count


def paths(records: Records) -> Iterator[tuple[Call, ...]]:
    """Yield every way from a source to a sink whose calls are all in `records`.

    A sink is an operator that sends nothing. Ways come in the order of their ends; one that
    passes an operator twice, by a back edge, is left out.
    """
    sending = {call.operator for call in records.calls if call.gives}
    senders: dict[tuple[str, int], Call] = {}
    """By message, where a way leads to it from a source."""
    for call in sorted(records.calls, key=lambda call: call.end):
        if not call.takes or any(message in senders for message in call.takes):
            senders.update(dict.fromkeys(call.gives, call))
        if call.operator not in sending:
            # Flows between the same operators by different ports make ways that look the same.
            yield from dict.fromkeys(islice(_ways((call,), senders), MOST_PATHS))


def _ways(
    tail: tuple[Call, ...], senders: Mapping[tuple[str, int], Call]
) -> Iterator[tuple[Call, ...]]:
    """Yield the ways from a source that go on with `tail`."""
    if not tail[0].takes:
        yield tail
    passed = {call.operator for call in tail}
    for message in tail[0].takes:
        sender = senders.get(message)
        if sender is not None and sender.operator not in passed:
            yield from _ways((sender, *tail), senders)


def _stop(call: Call, epoch: int) -> str:
    received = call.start if call.takes else call.arrived
    return f"({call.operator},{(received + epoch) // 1000},{(call.end + epoch) // 1000})"
