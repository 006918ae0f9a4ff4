import pytest
from support.perfetto_trace import Trace
from support.records import EPOCH, MS, Recording, faces

from holoflow.report.export import perfetto
from holoflow.stats.records import Records


@pytest.fixture
def trace(tmp_path):
    def make(records):
        perfetto.write_trace(records, tmp_path / "trace.pftrace")
        return Trace((tmp_path / "trace.pftrace").read_bytes())

    return make


def test_every_call_is_a_slice_of_its_time(trace):
    records = faces(9)
    assert trace(records).work() == sorted(
        (call.operator, call.sequence, call.start, call.end) for call in records.calls
    )


def test_tracks_are_fragments_and_workers(trace):
    found = trace(faces(9))
    assert list(found.processes.values()) == ["faces main"]
    assert list(found.threads.values()) == ["worker 1", "worker 2"]
    by_worker = {track: {name for _, _, name, _ in s} for track, s in found.slices.items()}
    assert by_worker == {
        ("faces main", "worker 1"): {"camera"},
        ("faces main", "worker 2"): {"detect", "overlay", "screen"},
    }


def test_a_slice_tells_of_its_frame(trace):
    first = trace(faces(1)).slices["faces main", "worker 2"][0]
    assert first[2:] == (
        "detect",
        {"frame": 0, "source": "camera", "waited_us": pytest.approx(100.0)},
    )
    source = trace(faces(1)).slices["faces main", "worker 1"][0]
    assert source[3] == {"frame": 0, "source": "camera"}


def test_arrows_follow_each_message_that_was_used(trace):
    found = trace(faces(9))
    assert found.arrows() == {
        ("camera", "detect"): 9,
        ("camera", "overlay"): 6,
        ("detect", "overlay"): 6,
        ("overlay", "screen"): 6,
    }
    assert len(found.starts) == 9 * 2 + 9 + 6
    times = [(found.starts[arrow][1], end) for arrow, (_, end) in found.ends.items()]
    assert all(start <= end for start, end in times)


def test_counters_are_the_messages_that_wait(trace):
    found = trace(faces(2))
    second = round(1000 * MS)
    assert found.depths["faces main", "queue camera.out -> detect.image"] == [
        (second + 2 * MS, 1), (second + round(2.1 * MS), 0),
        (second + 42 * MS, 1), (second + round(42.1 * MS), 0),
    ]  # fmt: skip
    # Passed on within a stage: nothing waits.
    assert {track[1] for track in found.depths} == {
        "queue camera.out -> detect.image",
        "queue camera.out -> overlay.image",
        "queue detect.out -> overlay.boxes",
    }
    for changes in found.depths.values():
        assert all(depth >= 0 for _, depth in changes)
        assert changes[-1][1] == 0
        assert [time for time, _ in changes] == sorted({time for time, _ in changes})


def test_times_are_those_of_the_day(trace):
    clock = trace(faces(2)).clock
    assert clock == {3: 1000 * MS, 1: 1000 * MS + EPOCH}


def test_events_come_in_the_order_of_time(trace):
    times = [packet.timestamp for packet in trace(faces(9)).packets if packet.timestamp]
    assert times == sorted(times)


def test_calls_of_a_batch_lie_beside_one_another(trace):
    made = Recording()
    for frame, (start, end) in enumerate([(1, 5), (1, 5), (1, 5), (3, 3), (5, 5), (5, 6)]):
        takes = made.send("camera.out -> detect.image")
        made.call("detect", start, end, frame=frame, takes=takes)
    found = trace(made.records())
    assert {track: len(slices) for track, slices in found.slices.items()} == {
        ("faces main", "worker 1"): 3,
        ("faces main", "worker 1", "worker 1 (2)"): 1,
        ("faces main", "worker 1", "worker 1 (3)"): 1,
        ("faces main", "worker 1", "worker 1 (4)"): 1,
    }


def test_a_source_that_held_its_frame_back_makes_room(trace):
    """Its call is taken to end when the frame is sent, whatever the worker did before."""
    made = Recording()
    (sent,) = made.send("camera.out -> detect.image")
    made.call("detect", 0, 5, takes=made.send("camera.out -> detect.image"))
    made.call("camera", 3, 6, gives=[sent])
    made.call("detect", 6, 9, takes=[sent])
    found = trace(made.records())
    assert [name for *_, name, _ in found.slices["faces main", "worker 1"]] == ["detect"] * 2
    assert len(found.slices["faces main", "worker 1", "worker 1 (2)"]) == 1


def test_a_message_that_is_used_again_has_one_arrow(trace):
    made = Recording()
    (newest,) = made.send("slow.out -> view.latest")
    made.call("slow", 0, 1, gives=[newest])
    for time in (2, 4, 6):
        made.call("view", time, time + 1, takes=[newest])
    found = trace(made.records())
    assert found.arrows() == {("slow", "view"): 1}
    assert list(found.ends.values()) == [("view", 1002 * MS)]
    assert found.depths["faces main", "queue slow.out -> view.latest"] == [
        (1001 * MS, 1), (1002 * MS, 0)
    ]  # fmt: skip


def test_a_message_of_an_unknown_sender_has_no_arrow(trace):
    made = Recording()
    made.call("view", 0, 1, takes=made.send("slow.out -> view.image"))
    assert not trace(made.records()).arrows()


def test_calls_of_no_length_keep_their_order(trace):
    """On a coarse clock a frame may pass all its operators in one moment."""
    made = Recording()
    (one,), (two,) = made.send("a.out -> b.x"), made.send("b.out -> c.x")
    made.call("a", 0, 0, gives=[one], worker="worker 2")
    made.call("b", 0, 0, takes=[one], gives=[two])
    made.call("c", 0, 0, takes=[two], worker="worker 2")
    assert trace(made.records()).arrows() == {("a", "b"): 1, ("b", "c"): 1}


def test_workers_of_one_name_in_two_fragments_are_two(trace):
    made = Recording()
    (sent,) = made.send("a.out -> b.x")
    made.call("a", 0, 2, gives=[sent], fragment="edge")
    made.call("b", 2, 3, takes=[sent], fragment="view")
    found = trace(made.records())
    assert list(found.processes.values()) == ["faces edge", "faces view"]
    assert list(found.slices) == [("faces edge", "worker 1"), ("faces view", "worker 1")]


def test_no_calls_are_a_trace_too(trace):
    assert not trace(Records("faces", "a1", EPOCH, ())).slices
