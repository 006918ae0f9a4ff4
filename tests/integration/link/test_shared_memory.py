"""Links through shared memory, both ends in the test's process."""

from __future__ import annotations

import errno
import gc
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from support.shared_ends import DEADLINE, Run, Stage, content, eventually, new_run, send

from holoflow.core.errors import HoloflowError
from holoflow.link.ends import LinkedFlow
from holoflow.link.shared_memory import SharedMemory, sender
from holoflow.link.shared_memory.services import HELD, LOANS, buffered
from holoflow.stats.counters import (
    ARRIVED,
    CLOSED,
    GONE,
    PASSED,
    SENT,
    TAKEN,
    WANTS_ROOM,
    delivered,
    dropped,
    gone,
    lost,
    waiting,
)

pytest.importorskip("iceoryx2")


class Linked:
    """A producer, its outlet, and for each flow an inlet and a consumer."""

    def __init__(self, run: Run, flows: list[LinkedFlow]) -> None:
        self.run, self.flows = run, flows
        self.edge = SharedMemory("edge", run.folder, run.run)
        self.producer = Stage()
        self.outlet: Any = self.edge.outlet(flows, self.producer)
        self.views: list[SharedMemory] = []
        self.consumers: list[Stage] = []
        self.inlets: list[Any] = []
        for linked in flows:
            self.views.append(SharedMemory(linked.target, run.folder, run.run))
            self.consumers.append(Stage(linked))
            self.inlets.append(self.views[-1].inlet(linked, self.consumers[-1]))
        for view in self.views:
            view.accept()
            assert view.waits_for() == ""

    def send(self, head: bytes, *buffers: Any) -> None:
        send(self.outlet, self.flows, head, *buffers)

    def get(self, index: int = 0) -> tuple[int, bytes, list[Any]]:
        self.inlets[index].poll()
        return self.consumers[index].take(self.inlets[index])

    def close(self) -> None:
        self.edge.close(0)
        for view in self.views:
            view.close(0)
        for consumer in self.consumers:
            consumer.queue.clear()


def linked_by(run: Run, *flows: LinkedFlow) -> Iterator[Linked]:
    made = Linked(run, list(flows))
    yield made
    made.close()
    del made.outlet, made.edge, made.views, made.inlets, made.consumers
    gc.collect()
    left = [name for name in run.in_memory() if not name.endswith(".global_mgmt")]
    assert left == []


@pytest.fixture
def run() -> Iterator[Run]:
    with new_run(flows=3) as made:
        yield made


@pytest.fixture
def one(run: Run) -> Iterator[Linked]:
    yield from linked_by(run, run.flow())


@pytest.fixture
def three(run: Run) -> Iterator[Linked]:
    yield from linked_by(
        run,
        run.flow(0, queue=3),
        run.flow(1, queue=2, when_full="drop_oldest"),
        run.flow(2, queue=5, latest=True),
    )


def address(buffer: Any) -> int:
    return int(np.frombuffer(buffer, np.uint8).ctypes.data)


# -- content ---------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 4095, 4097, 1 << 20, 25_000_000])
def test_bytes_arrive_as_they_were(one: Linked, size: int) -> None:
    sent = content(size % 199, size)
    one.send(b"head of it", sent)
    number, head, [got] = one.get()
    assert (number, head) == (1, b"head of it")
    assert bytes(got) == sent.tobytes()
    assert memoryview(got).readonly


def test_several_buffers_and_none(one: Linked) -> None:
    buffers = [content(i, size) for i, size in enumerate((0, 5, 70_000, 1, 0, 9000, 64))]
    one.send(b"", *buffers)
    one.send(b"no buffers")
    _, head, got = one.get()
    assert head == b""
    assert [bytes(b) for b in got] == [b.tobytes() for b in buffers]
    assert one.get() == (2, b"no buffers", [])


def test_what_is_sent_may_be_written_to_at_once(one: Linked) -> None:
    array = content(1, 100_000)
    one.send(b"", array)
    array[:] = 0
    assert bytes(one.get()[2][0]) == content(1, 100_000).tobytes()


def test_one_sample_for_many(three: Linked) -> None:
    sent = content(3, 1 << 20)
    for round_ in range(50):
        three.send(b"%d" % round_, sent)
        got = [three.get(index) for index in range(3)]
        assert [g[:2] for g in got] == [(round_ + 1, b"%d" % round_)] * 3
        assert all(bytes(g[2][0]) == sent.tobytes() for g in got)
    resident = sum((f.stat().st_blocks * 512) for f in map(_file, three.run.in_memory()))
    assert resident < 4 * (2 << 20)


def _file(name: str) -> Any:
    from holoflow.link.shared_memory.memory import MEMORY

    return MEMORY / name


def test_a_flow_that_is_left_out_gets_nothing(three: Linked) -> None:
    for linked in three.flows:
        linked.counters[SENT] += 1
    three.outlet.send([1, 0, 1], b"x", [])
    for inlet in three.inlets:
        inlet.poll()
    assert [len(c.queue) for c in three.consumers] == [1, 0, 1]


def test_receivers_memory_cannot_be_written_to(one: Linked) -> None:
    one.send(b"", content(1, 100_000))
    array = np.frombuffer(one.get()[2][0], np.uint8)
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 1
    with pytest.raises(ValueError, match="WRITEABLE"):
        array.flags.writeable = True


# -- loans -----------------------------------------------------------------------------------


def test_a_loaned_array_is_sent_where_it_lies(one: Linked, monkeypatch: Any) -> None:
    copied: list[Any] = []
    monkeypatch.setattr(sender, "_copy", lambda *what: copied.append(what))
    array = one.outlet.allocate((480, 640, 3), np.uint8)
    assert address(array) % 64 == 0
    assert array.flags.writeable
    array[:] = content(5, array.size).reshape(array.shape)
    one.send(b"head", array.reshape(-1))
    assert not copied
    assert not array.flags.writeable
    _, head, [got] = one.get()
    assert head == b"head"
    assert bytes(got) == array.tobytes() == content(5, array.size).tobytes()


def test_small_buffers_travel_with_a_loaned_array(one: Linked) -> None:
    array = one.outlet.allocate((100, 100), "<f4")
    array[:] = 0.5
    small = content(9, 70)
    flat = array.reshape(-1).view(np.uint8)
    one.send(b"head", small, flat[:400], flat[400:], small)
    _, _, got = one.get()
    whole = array.tobytes()
    assert [bytes(b) for b in got] == [small.tobytes(), whole[:400], whole[400:], small.tobytes()]


def test_what_does_not_fit_behind_a_loaned_array_is_copied(one: Linked) -> None:
    array = one.outlet.allocate((100, 100), np.uint8)
    array[:] = 1
    one.send(b"head", array.reshape(-1), content(2, 9_000))
    one.send(b"x" * 50_000, array.reshape(-1))
    _, _, got = one.get()
    assert [bytes(b) for b in got] == [b"\x01" * 10_000, content(2, 9_000).tobytes()]
    _, head, [again] = one.get()
    assert (head, bytes(again)) == (b"x" * 50_000, b"\x01" * 10_000)


def test_a_loaned_array_stays_valid_and_can_be_sent_again(one: Linked) -> None:
    kept = []
    for index in range(LOANS - 1):
        array = one.outlet.allocate((10_000,), np.uint8)
        array[:] = index
        one.send(b"", array)
        one.get()
        kept.append(array)
    for index in range(1000):
        one.send(b"", kept[index % len(kept)] if index % 3 == 0 else content(index, 10_000))
        array = one.outlet.allocate((10_000,), np.uint8)
        array[:] = 255
        one.send(b"", array)
        one.get()
        one.get()
    assert all((array == index).all() for index, array in enumerate(kept))


def test_a_loaned_array_outlives_the_link(run: Run) -> None:
    made = Linked(run, [run.flow()])
    sent = made.outlet.allocate((100_000,), np.uint8)
    unsent = made.outlet.allocate((100_000,), np.uint8)
    sent[:], unsent[:] = 1, 2
    made.send(b"", sent)
    received = made.get()[2][0]
    made.close()
    del made
    gc.collect()
    unsent[:] += 1
    assert (sent == 1).all()
    assert (unsent == 3).all()
    assert bytes(received) == b"\x01" * 100_000


def test_more_loans_than_there_are_give_plain_memory(one: Linked) -> None:
    def loaned(array: Any) -> bool:
        return array.base is not None

    arrays = [one.outlet.allocate((5000,), np.uint8) for _ in range(LOANS + 3)]
    assert [loaned(a) for a in arrays] == [True] * LOANS + [False] * 3
    one.send(b"", arrays[-1])
    assert bytes(one.get()[2][0]) == arrays[-1].tobytes()
    del arrays  # given back without having been sent
    assert all(loaned(one.outlet.allocate((5000,), np.uint8)) for _ in range(100))
    view = one.outlet.allocate((5000,), np.uint8)[10:20]
    assert loaned(view)
    arrays = [one.outlet.allocate((5000,), np.uint8) for _ in range(LOANS)]
    assert [loaned(a) for a in arrays] == [True] * (LOANS - 1) + [False]


@pytest.mark.parametrize(
    ("shape", "dtype"), [((0,), "f4"), ((4,), "f8"), ((3, 0, 5000), "u1"), ((5000,), "M8[ns]")]
)
def test_what_is_not_worth_a_loan_is_plain_memory(one: Linked, shape: Any, dtype: str) -> None:
    array = one.outlet.allocate(shape, dtype)
    assert (array.shape, array.dtype) == (shape, np.dtype(dtype))
    assert array.base is None


def test_full_shared_memory_is_said(one: Linked, monkeypatch: Any) -> None:
    def full(_opened: int, _first: int, _length: int) -> None:
        raise OSError(errno.ENOSPC, "")

    monkeypatch.setattr(one.outlet._room, "_reserve", full)
    assert one.outlet.allocate((6_220_800,), np.uint8).base is None
    with pytest.raises(HoloflowError, match=r"camera\.image needs 6,22"):
        one.send(b"", content(0, 6_220_800))
    monkeypatch.undo()
    one.send(b"after", content(0, 6_220_800))
    one.inlets[0].poll()
    assert [m[1] for m in one.consumers[0].queue] == [b"after"]


# -- receivers that keep what they got ---------------------------------------------------------


def test_what_a_receiver_keeps_stays_as_it_was(one: Linked) -> None:
    kept = []
    for index in range(3 * HELD):  # more than there are samples to hold
        one.send(b"", content(index, 50_000))
        kept.append(np.frombuffer(one.get()[2][0], np.uint8)[100:200])
    for index in range(1000):
        one.send(b"", content(index, 50_000))
        one.get()
    for index, array in enumerate(kept):
        assert (array == content(index, 50_000)[100:200]).all()


def test_samples_are_not_copied_as_long_as_few_are_kept(one: Linked) -> None:
    seen = set()
    for index in range(100):
        one.send(b"", content(index, 50_000))
        seen.add(address(one.get()[2][0]))
    assert len(seen) <= 2


# -- queues and statistics -----------------------------------------------------------------------


def test_a_slow_receiver_of_a_flow_that_drops_the_oldest(three: Linked) -> None:
    block = three.flows[1].counters
    for index in range(100):
        three.send(b"%d" % index, content(index, 10_000))
        three.get(0)
    three.inlets[1].poll()
    assert [m[0] for m in three.consumers[1].queue] == [99, 100]
    three.get(1)
    three.get(1)
    assert (dropped(block), delivered(block), waiting(block)) == ({"full": 98}, 2, 0)
    three.inlets[2].poll()
    assert (block[ARRIVED], three.flows[2].counters[ARRIVED]) == (100, 100)


def test_a_slow_receiver_of_a_flow_that_drops_the_newest(run: Run) -> None:
    for made in linked_by(run, run.flow(0, queue=3, when_full="drop_newest")):
        block = made.flows[0].counters
        got = []
        for index in range(100):
            made.send(b"%d" % index, content(index, 10_000))
            if index % 10 == 9:
                got.append(made.get()[0])
        # The queue fills with the first; then there is one place after every take.
        assert got == [1, 2, 3, *range(11, 72, 10)]
        while waiting(block) and made.consumers[0].queue:
            made.get()
        made.inlets[0].poll()
        assert dropped(block) == {"full": 100 - delivered(block)}
        assert waiting(block) == 0
        made.send(b"room again")
        assert made.get()[1] == b"room again"


def test_nothing_stays_that_will_never_come(run: Run) -> None:
    """Where nobody was there to receive, and no message follows that could tell."""
    linked = run.flow(queue=2)
    edge = SharedMemory("edge", run.folder, run.run)
    out = edge.outlet([linked], Stage())
    for _ in range(2):
        send(out, [linked], b"lost", content(1, 100))
    assert waiting(linked.counters) == 2
    out.wants_room()
    view = SharedMemory("view0", run.folder, run.run)
    consumer = Stage(linked)
    inlet = view.inlet(linked, consumer)
    view.accept()
    inlet.poll()
    assert (dropped(linked.counters), waiting(linked.counters)) == ({"crash": 2}, 0)
    send(out, [linked], b"comes")
    inlet.poll()
    assert [m[1] for m in consumer.queue] == [b"comes"]
    edge.close(0)
    view.close(0)


def test_a_new_sender_goes_on_where_the_old_one_was(run: Run) -> None:
    linked = run.flow(queue=2)
    view = SharedMemory("view0", run.folder, run.run)
    consumer = Stage(linked)
    inlet = view.inlet(linked, consumer)
    for generation in range(5):
        edge = SharedMemory("edge", run.folder, run.run)
        out = edge.outlet([linked], Stage())
        view.accept()
        send(out, [linked], b"%d" % generation, content(generation, 70_000))
        if generation % 2:  # died before it could send a second one
            linked.counters[SENT] += 1
        inlet.poll()
        out.suspend()
        edge.close(0)
        _, head, [got] = consumer.take(inlet)
        assert head == b"%d" % generation
        assert bytes(got) == content(generation, 70_000).tobytes()
    linked.counters[CLOSED] = 1
    inlet.poll()
    assert consumer.ended
    assert (dropped(linked.counters), delivered(linked.counters)) == ({"crash": 2}, 5)
    assert waiting(linked.counters) == 0
    view.close(0)


def test_a_new_receiver_goes_on_and_books_for_the_old_one(run: Run) -> None:
    linked = run.flow(queue=4)
    edge = SharedMemory("edge", run.folder, run.run)
    out = edge.outlet([linked], Stage())
    for _ in range(5):
        view = SharedMemory("view0", run.folder, run.run)
        consumer = Stage(linked)
        inlet = view.inlet(linked, consumer)
        view.accept()
        inlet.poll()
        assert waiting(linked.counters) == 0
        for _ in range(4):
            send(out, [linked], b"", content(1, 70_000))
        inlet.poll()
        consumer.take(inlet)
        consumer.settle()
        consumer.take(inlet)  # which is in hand when it dies
        inlet.suspend()
        view.close(0)
        consumer.queue.clear()
        for _ in range(2):  # in vain, while there is room for them
            send(out, [linked], b"", content(1, 70_000))
    linked.counters[CLOSED] = 1
    out.close()
    block = linked.counters
    view = SharedMemory("view0", run.folder, run.run)
    consumer = Stage(linked)
    inlet = view.inlet(linked, consumer)
    view.accept()
    inlet.poll()
    assert consumer.ended
    assert block[SENT] == delivered(block) + lost(block)
    assert (delivered(block), dropped(block)) == (5, {"crash": 25})
    edge.close(0)
    view.close(0)


# -- ends and wakeups -----------------------------------------------------------------------------


def test_the_end_of_the_stream_comes_behind_the_last_message(three: Linked) -> None:
    three.send(b"last")
    for linked in three.flows:
        linked.counters[CLOSED] = 1
    three.outlet.close()
    for inlet, consumer in zip(three.inlets, three.consumers, strict=True):
        inlet.poll()
        assert consumer.ended
        assert [m[1] for m in consumer.queue] == [b"last"]
        inlet.poll()  # once is enough
    assert all(inlet.about_to_sleep() for inlet in three.inlets)


def test_a_stream_without_messages_ends_too(one: Linked) -> None:
    one.flows[0].counters[CLOSED] = 1
    assert not one.inlets[0].about_to_sleep()
    one.inlets[0].poll()
    assert one.consumers[0].ended


def test_a_stage_that_sleeps_is_woken(one: Linked) -> None:
    inlet, consumer = one.inlets[0], one.consumers[0]
    for say in (lambda: one.send(b"x"), lambda: _end(one)):
        consumer.woken.clear()
        inlet.poll()
        assert inlet.about_to_sleep()
        say()
        assert consumer.woken.wait(DEADLINE)
        assert not inlet.about_to_sleep()


def _end(linked: Linked) -> None:
    linked.flows[0].counters[CLOSED] = 1
    linked.outlet.close()


def test_nobody_rings_for_who_is_awake(one: Linked, monkeypatch: Any) -> None:
    sent = []
    wakeups = SimpleNamespace(notify=lambda *arguments: sent.append(arguments))
    monkeypatch.setattr(one.outlet, "_wakeup", wakeups)
    monkeypatch.setattr(one.inlets[0], "_wakeup", wakeups)
    for _ in range(100):
        one.send(b"x")
        one.get()
    assert sent == []
    one.inlets[0].about_to_sleep()
    one.send(b"x")
    assert sent == [("view0", b"m", 0)]
    one.outlet.wants_room()
    one.get()
    assert sent[1:] == [("edge", b"r", 0)]
    one.send(b"x")
    one.get()
    assert len(sent) == 2


def test_a_producer_without_room_is_woken(one: Linked) -> None:
    block = one.flows[0].counters
    while waiting(block) < one.flows[0].flow.queue:
        one.send(b"x")
    one.outlet.wants_room()
    assert block[WANTS_ROOM]
    one.get()
    assert one.producer.woken.wait(DEADLINE)
    one.producer.woken.clear()
    one.send(b"x")
    assert not block[WANTS_ROOM]
    one.outlet.wants_room()
    block[TAKEN] += 1  # and nobody rings
    assert one.producer.woken.wait(DEADLINE)


def test_a_message_that_nobody_rang_for_is_found(one: Linked, monkeypatch: Any) -> None:
    inlet, consumer = one.inlets[0], one.consumers[0]
    monkeypatch.setattr(one.outlet, "_wakeup", SimpleNamespace(notify=lambda *arguments: None))
    assert inlet.about_to_sleep()
    one.send(b"x")
    assert consumer.woken.wait(DEADLINE)


def test_who_takes_nothing_more_lets_the_producer_know(one: Linked) -> None:
    block = one.flows[0].counters
    while waiting(block) < one.flows[0].flow.queue:
        one.send(b"x")
    one.outlet.wants_room()
    block[GONE] = gone("error")
    one.inlets[0].abandon()
    assert one.producer.woken.wait(DEADLINE)
    one.inlets[0].poll()
    assert not one.consumers[0].queue


def test_receivers_wait_for_their_sender(run: Run) -> None:
    linked = run.flow()
    view = SharedMemory("view0", run.folder, run.run)
    inlet: Any = view.inlet(linked, Stage(linked))
    view.accept()
    assert view.waits_for() == "shared memory of edge"
    inlet.poll()
    assert inlet.about_to_sleep()
    edge = SharedMemory("edge", run.folder, run.run)
    edge.outlet([linked], Stage())
    assert view.waits_for() == ""
    assert view.shift(linked) == (0, 0)
    edge.close(0)
    view.close(0)


def test_closing_gives_what_was_sent_time_to_arrive(one: Linked) -> None:
    import threading

    one.send(b"x")
    closing = threading.Thread(target=one.edge.close, args=(DEADLINE,))
    closing.start()
    one.inlets[0].poll()
    closing.join(DEADLINE)
    assert not closing.is_alive()
    assert one.flows[0].counters[PASSED] == 1
    with pytest.raises(HoloflowError, match="closed"):
        one.edge.outlet(one.flows, one.producer)


def test_samples_may_be_let_go_in_any_thread(one: Linked) -> None:
    import threading

    kept: list[Any] = []
    stop = threading.Event()

    def forget() -> None:
        while not stop.is_set() or kept:
            if kept:
                kept.pop()

    threads = [threading.Thread(target=forget) for _ in range(3)]
    for thread in threads:
        thread.start()
    for index in range(2000):
        array = one.outlet.allocate((6000,), np.uint8)
        array[:] = index % 256
        one.send(b"", array)
        _, _, [got] = one.get()
        assert got[0] == got[-1] == index % 256
        kept.extend([array, got])
        del array, got
    stop.set()
    for thread in threads:
        thread.join()
    eventually(lambda: not kept)


def test_how_much_may_be_under_way_follows_from_the_queue(one: Linked) -> None:
    assert buffered(one.flows[0].flow.queue) > one.flows[0].flow.queue
