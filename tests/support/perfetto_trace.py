"""A trace as Perfetto understands it."""

from collections import Counter, defaultdict

from perfetto.protos.perfetto.trace import perfetto_trace_pb2 as pb


class Trace:
    """What is in a trace; complains of what Perfetto would not understand."""

    def __init__(self, data: bytes) -> None:
        self.packets = list(pb.Trace.FromString(data).packet)
        self.processes, self.threads, self.trace = {}, {}, {}
        self.slices, self.depths = defaultdict(list), defaultdict(list)
        self.starts, self.ends = {}, {}
        self.clock = self.names = None
        self._open = {}
        for packet in self.packets:
            assert packet.trusted_packet_sequence_id == 1
            self._take(packet)
        assert not self._open, "slices that never end"

    def _take(self, packet):
        if packet.HasField("clock_snapshot"):
            self.clock = {c.clock_id: c.timestamp for c in packet.clock_snapshot.clocks}
            assert packet.clock_snapshot.primary_trace_clock == pb.BUILTIN_CLOCK_MONOTONIC
        if packet.HasField("interned_data"):
            assert packet.sequence_flags == pb.TracePacket.SEQ_INCREMENTAL_STATE_CLEARED
            assert packet.trace_packet_defaults.timestamp_clock_id == pb.BUILTIN_CLOCK_MONOTONIC
            data = packet.interned_data
            self.names = {entry.iid: entry.name for entry in data.event_names}
            self.arguments = {entry.iid: entry.name for entry in data.debug_annotation_names}
            self.strings = {e.iid: e.str.decode() for e in data.debug_annotation_string_values}
        if packet.HasField("track_descriptor"):
            self._describe(packet.track_descriptor)
        if packet.HasField("track_event"):
            assert packet.sequence_flags == pb.TracePacket.SEQ_NEEDS_INCREMENTAL_STATE
            assert self.names is not None, "an event before its names"
            self._happen(packet.timestamp, packet.track_event)

    def _describe(self, track):
        assert track.uuid not in self.trace, "two tracks of one number"
        parent = ()
        if track.parent_uuid:
            parent = self.trace[track.parent_uuid]
        if track.HasField("process"):
            assert track.process.pid not in self.processes
            self.processes[track.process.pid] = track.process.process_name
            self.trace[track.uuid] = (track.process.process_name,)
        elif track.HasField("thread"):
            thread = track.thread
            assert thread.tid not in self.threads
            assert thread.tid != thread.pid
            self.threads[thread.tid] = thread.thread_name
            self.trace[track.uuid] = (self.processes[thread.pid], thread.thread_name)
        else:
            self.trace[track.uuid] = (*parent, track.name)

    def _happen(self, time, event):
        track = self.trace[event.track_uuid]
        if event.type == pb.TrackEvent.TYPE_COUNTER:
            self.depths[track].append((time, event.counter_value))
        elif event.type == pb.TrackEvent.TYPE_SLICE_BEGIN:
            assert event.track_uuid not in self._open, "a slice in another"
            name = self.names[event.name_iid]
            self._open[event.track_uuid] = (time, name, self._about(event))
            for arrow in event.flow_ids:
                assert arrow not in self.starts, "an arrow that starts twice"
                self.starts[arrow] = (name, time)
            for arrow in event.terminating_flow_ids:
                assert arrow not in self.ends, "an arrow that ends twice"
                assert arrow in self.starts, "an arrow that ends before it starts"
                self.ends[arrow] = (name, time)
        else:
            assert event.type == pb.TrackEvent.TYPE_SLICE_END
            start, name, about = self._open.pop(event.track_uuid)
            done = self.slices[track]
            assert not done or done[-1][1] <= start, "slices that overlap"
            done.append((start, time, name, about))

    def _about(self, event):
        found = {}
        for entry in event.debug_annotations:
            kind = entry.WhichOneof("value")
            value = getattr(entry, kind)
            name = self.arguments[entry.name_iid]
            found[name] = self.strings[value] if kind == "string_value_iid" else value
        return found

    def arrows(self):
        return Counter((self.starts[a][0], end[0]) for a, end in self.ends.items())

    def work(self):
        """(operator, frame, start, end) of all slices."""
        return sorted(
            (name, about["frame"], start, end)
            for slices in self.slices.values()
            for start, end, name, about in slices
        )
