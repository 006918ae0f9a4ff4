"""A trace for the Perfetto UI: who worked on which frame when, and how frames travelled.

A process is a fragment, a thread a worker, a slice a call of an operator. An arrow is a message,
from the call that sent it to the first that used it. A counter is a queue: the messages in it
that are used later.
"""

from __future__ import annotations

from bisect import bisect
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import accumulate, count
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from holoflow.core.errors import optional
from holoflow.stats.records import CallRecord, Records

Message: TypeAlias = tuple[str, int]
"""Name of a flow and the number of a message on it."""
Packet: TypeAlias = Any
"""A TracePacket of Perfetto."""


class Event(NamedTuple):
    """An event on a track: a call begins or ends, or the depth of a queue changes."""

    time: int
    """Nanoseconds of the monotonic clock."""
    track: int
    begins: CallRecord | None = None
    depth: int | None = None


def write_trace(records: Records, path: Path) -> None:
    """Write a trace of `records` to `path`.

    Raises:
        OSError: It cannot be written.
        MissingExtraError: perfetto is not installed.
    """
    builder = optional("perfetto.trace_builder.proto_builder", "trace")
    with path.open("wb") as file:
        stream = builder.StreamingTraceProtoBuilder(file)
        for packet in _Trace(records).packets():
            stream.write_packet(packet)


def lanes(calls: Iterable[CallRecord]) -> list[tuple[CallRecord, int]]:
    """Return `calls` ordered by start, each with the first free lane of its worker.

    Slices of one track must not overlap, but calls of one worker do if frames are processed in a
    batch. The call of a source counts until its frame is sent, although its worker may have done
    other things while the frame was held back; therefore sources choose last.
    """
    ordered = sorted(calls, key=lambda call: (call.start, call.end))
    taken: dict[tuple[str, str, int], list[tuple[int, int]]] = defaultdict(list)
    found = [0] * len(ordered)
    for index in sorted(range(len(ordered)), key=lambda index: not ordered[index].takes):
        call = ordered[index]
        span = call.start, call.end
        for lane in count():
            spans = taken[call.fragment, call.worker, lane]
            place = bisect(spans, span)
            after_one = not place or spans[place - 1][1] <= call.start
            before_other = place == len(spans) or call.end <= spans[place][0]
            if after_one and before_other:
                spans.insert(place, span)
                found[index] = lane
                break
    return list(zip(ordered, found, strict=True))


def depths(records: Records) -> dict[str, list[tuple[int, int]]]:
    """Return (time in ns, messages waiting from then on) for each flow with waiting messages."""
    used: dict[Message, int] = {}
    for call in records.calls:
        for message in call.takes:
            used[message] = min(call.start, used.get(message, call.start))
    changes: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for call in records.calls:
        for message in call.gives:
            if used.get(message, call.end) > call.end:
                changes[message[0]][call.end] += 1
                changes[message[0]][used[message]] -= 1
    found = {}
    for flow in sorted(changes):
        times = sorted(changes[flow])
        found[flow] = list(
            zip(times, accumulate(changes[flow][time] for time in times), strict=True)
        )
    return found


class _Trace:
    """Makes the packets of a trace: one sequence, whose names are written once."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._pb = optional("perfetto.protos.perfetto.trace.perfetto_trace_pb2", "trace")
        self._names = _numbered(call.operator for call in records.calls)
        self._sources = _numbered(call.source for call in records.calls)
        self._arrows = _numbered(message for call in records.calls for message in call.gives)
        self._arrived: set[Message] = set()
        self._uuids = count(1)
        self._processes: dict[str, int] = {}
        self._lanes: dict[tuple[str, str, int], int] = {}

    def packets(self) -> Iterator[Packet]:
        """Yield first what applies to all, then the tracks, then the events ordered by time."""
        if self._records.calls:
            yield self._clocks()
        yield self._beginning()
        calls = lanes(self._records.calls)
        workers = {(call.fragment, call.worker) for call, _ in calls}
        for fragment, worker in sorted(workers, key=lambda key: (key[0], len(key[1]), key[1])):
            if fragment not in self._processes:
                yield self._process(fragment)
            yield self._thread(fragment, worker)
        for key in sorted({(call.fragment, call.worker, lane) for call, lane in calls}):
            if key[2]:
                yield self._lane(key)
        # Events of one track are ordered by time; those of one moment must keep their order.
        events = [event for call, lane in calls for event in self._slice(call, lane)]
        fragments = {flow: call.fragment for call, _ in calls for flow, _ in call.takes}
        for flow, changes in depths(self._records).items():
            track, packet = self._counter(fragments[flow], flow)
            yield packet
            events += [Event(time, track, depth=depth) for time, depth in changes]
        for event in sorted(events, key=lambda event: event.time):
            yield self._event(event)

    def _packet(self) -> Packet:
        return self._pb.TracePacket(trusted_packet_sequence_id=1)

    def _clocks(self) -> Packet:
        """Return the packet that relates the monotonic clock to the time of day."""
        snapshot = self._pb.ClockSnapshot
        now = min(call.start for call in self._records.calls)
        packet = self._packet()
        clocks = packet.clock_snapshot
        clocks.primary_trace_clock = self._pb.BUILTIN_CLOCK_MONOTONIC
        clocks.clocks.add(clock_id=snapshot.Clock.MONOTONIC, timestamp=now)
        clocks.clocks.add(clock_id=snapshot.Clock.REALTIME, timestamp=now + self._records.epoch)
        return packet

    def _beginning(self) -> Packet:
        """Return the packet with every name that events refer to by its number."""
        packet = self._packet()
        packet.sequence_flags = self._pb.TracePacket.SEQ_INCREMENTAL_STATE_CLEARED
        packet.trace_packet_defaults.timestamp_clock_id = self._pb.BUILTIN_CLOCK_MONOTONIC
        data = packet.interned_data
        for name, iid in self._names.items():
            data.event_names.add(iid=iid, name=name)
        for source, iid in self._sources.items():
            data.debug_annotation_string_values.add(iid=iid, str=source.encode())
        for name, iid in _ARGUMENTS.items():
            data.debug_annotation_names.add(iid=iid, name=name)
        return packet

    # -- tracks ----------------------------------------------------------------------------

    def _process(self, fragment: str) -> Packet:
        packet = self._packet()
        track = packet.track_descriptor
        track.uuid = self._processes[fragment] = next(self._uuids)
        track.process.pid = len(self._processes)
        track.process.process_name = f"{self._records.app} {fragment}".strip()
        return packet

    def _thread(self, fragment: str, worker: str) -> Packet:
        packet = self._packet()
        track = packet.track_descriptor
        track.uuid = self._lanes[fragment, worker, 0] = next(self._uuids)
        # Arbitrary numbers; those of a process and of its first thread must differ.
        track.thread.pid = list(self._processes).index(fragment) + 1
        track.thread.tid = 1000 + len(self._lanes)
        track.thread.thread_name = worker
        return packet

    def _lane(self, key: tuple[str, str, int]) -> Packet:
        fragment, worker, lane = key
        packet = self._packet()
        track = packet.track_descriptor
        track.uuid = self._lanes[key] = next(self._uuids)
        track.parent_uuid = self._lanes[fragment, worker, 0]
        track.name = f"{worker} ({lane + 1})"
        return packet

    def _counter(self, fragment: str, flow: str) -> tuple[int, Packet]:
        packet = self._packet()
        track = packet.track_descriptor
        track.uuid = next(self._uuids)
        track.parent_uuid = self._processes[fragment]
        track.name = f"queue {flow}"
        track.counter.unit_name = "messages"
        return track.uuid, packet

    # -- events ----------------------------------------------------------------------------

    def _slice(self, call: CallRecord, lane: int) -> tuple[Event, Event]:
        track = self._lanes[call.fragment, call.worker, lane]
        return Event(call.start, track, begins=call), Event(call.end, track)

    def _event(self, event: Event) -> Packet:
        packet = self._packet()
        packet.timestamp = event.time
        packet.sequence_flags = self._pb.TracePacket.SEQ_NEEDS_INCREMENTAL_STATE
        made = packet.track_event
        made.track_uuid = event.track
        if event.depth is not None:
            made.type = self._pb.TrackEvent.TYPE_COUNTER
            made.counter_value = event.depth
        elif event.begins is None:
            made.type = self._pb.TrackEvent.TYPE_SLICE_END
        else:
            made.type = self._pb.TrackEvent.TYPE_SLICE_BEGIN
            self._describe(event.begins, made)
        return packet

    def _describe(self, call: CallRecord, made: Any) -> None:
        made.name_iid = self._names[call.operator]
        about = made.debug_annotations
        about.add(name_iid=_ARGUMENTS["frame"], int_value=call.sequence)
        about.add(name_iid=_ARGUMENTS["source"], string_value_iid=self._sources[call.source])
        if call.takes:
            waited = (call.start - call.arrived) / 1000
            about.add(name_iid=_ARGUMENTS["waited_us"], double_value=waited)
        made.flow_ids.extend(self._arrows[message] for message in call.gives)
        # A message may be used several times: by a `Latest` input, or for several results.
        new = [m for m in call.takes if m in self._arrows and m not in self._arrived]
        self._arrived.update(new)
        made.terminating_flow_ids.extend(self._arrows[message] for message in new)


_ARGUMENTS = {"frame": 1, "source": 2, "waited_us": 3}
"""Annotations of a slice."""


def _numbered(items: Iterable[Any]) -> dict[Any, int]:
    """Return a number, from 1, for each of `items`."""
    return {item: number for number, item in enumerate(dict.fromkeys(items), 1)}
