"""What travels between the ends: it comes back as it went, and garbage is refused."""

import contextlib
import logging

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.pairs import QUICK
from support.wires import linked

from holoflow.core.listener import Refusals
from holoflow.link.zeromq import AppIdentity, frames, handshake
from holoflow.link.zeromq.dispatcher import Dispatcher
from holoflow.link.zeromq.frames import Malformed, ReceiverProgress, SenderProgress
from holoflow.link.zeromq.handshake import FlowHello, Welcome
from holoflow.link.zeromq.receiver import StartBarrier, ZeroMQInlet
from holoflow.stats.counters import CONSUMER_COUNTERS, SENT, Counters

numbers = st.integers(1, frames.LARGEST - 1)
counts = st.integers(-frames.LARGEST + 1, frames.LARGEST - 1)
consumers = st.lists(counts, min_size=CONSUMER_COUNTERS, max_size=CONSUMER_COUNTERS)
times = st.integers(0, 2**62)
APP = AppIdentity("app", "digest", "here")


@given(st.lists(st.tuples(numbers, st.binary(), st.lists(st.binary(), max_size=12)), max_size=5))
def test_small_messages_in_a_pack(messages):
    made = [frames.message(*message) for message in messages]
    part = frames.pack(message.packed for message in made)
    read = list(frames.unpack(part))
    assert [(m.number, m.head, list(m.buffers)) for m in read] == messages
    assert [m.size for m in read] == [m.size for m in made]


@given(numbers, st.lists(st.binary(), max_size=4))
def test_a_large_message(number, buffers):
    made = frames.message(number, bytes(frames.SMALL + 1), buffers)
    assert made.packed is None
    rest = [memoryview(part) for part in made.buffers]
    read = frames.read_bulk(frames.bulk(made), rest)
    assert (read.number, read.size, read.head) == (made.number, made.size, made.head)
    assert [bytes(buffer) for buffer in read.buffers] == buffers


def test_buffers_of_any_shape_travel():
    array = memoryview(bytes(24)).cast("B").cast("H", (3, 4))
    made = frames.message(1, b"", [array, memoryview(b"").cast("B")])
    assert made.size == 24
    assert frames.message(1, b"", [memoryview(bytes(frames.SMALL * 2)).cast("d")]).size == 16384


@given(numbers, numbers, st.booleans(), numbers, st.tuples(times, times, times))
def test_states(a, b, closed, watermark, clock):
    low, high = sorted((a, b))
    state = SenderProgress(low, high if closed else low, high, closed, watermark, *clock)
    assert frames.read_state(frames.state(state)) == state


@given(consumers, st.booleans(), times)
def test_counts(consumer, ended, asked):
    sent = ReceiverProgress(consumer, ended, asked)
    assert frames.read_counts(frames.counts(sent)) == sent


@given(st.text(max_size=50), numbers, consumers)
def test_greetings(text, number, consumer):
    hello = FlowHello(text, text, number, text, text, text, number, number, consumer)
    assert handshake.read_hello(handshake.hello(hello)) == hello
    welcome = Welcome(text, number, number, number, consumer, True, number)
    assert handshake.read_welcome(handshake.welcome(welcome)) == welcome
    assert handshake.read_refused(handshake.refused(text)) == text


FIRST = bytes([frames.HELLO, handshake.VERSION, 0])


@pytest.mark.parametrize(
    "part",
    [
        b"\x01",
        b"\x01\x01",
        FIRST,
        FIRST + b"\xc1",
        FIRST + msgpack.packb([1, 2]),
        FIRST + msgpack.packb({"app": "x"}),
        FIRST + b"\x91" * 4000,
        FIRST + b"\xa0" * 5000,
        FIRST + msgpack.packb({1: 2}),
    ],
)
def test_a_hello_that_is_none(part):
    with pytest.raises(Malformed):
        handshake.read_hello(part)


@pytest.mark.parametrize(
    ("state", "what"),
    [
        (SenderProgress(2, 0, 1, False), "begun behind the newest"),
        (SenderProgress(0, 2, 1, False), "more put than sent"),
        (SenderProgress(0, 0, 1, True), "ended before all was put"),
        (SenderProgress(0, -1, 1, False), "negative"),
        (SenderProgress(0, 0, frames.LARGEST, False), "too large"),
        (SenderProgress(0, 0, 1, False, -1), "frames before the first"),
    ],
)
def test_a_state_that_contradicts_itself(state, what):
    with pytest.raises(Malformed):
        frames.read_state(frames.state(state))


def test_a_pack_of_too_many_parts():
    part = b"\x05" + frames._ENTRY.pack(1, 1 << 30)
    with pytest.raises(Malformed, match="a message of 1073741824 parts"):
        list(frames.unpack(part))


def test_a_pack_that_breaks_off():
    whole = frames.pack([frames.message(1, b"head", [b"buffer"]).packed])
    for size in range(2, len(whole)):
        with pytest.raises(Malformed):
            list(frames.unpack(whole[:size]))


# -- anything at all, at the listener of a fragment


class Listener:
    """Knows nobody."""

    endpoint = "tcp://nowhere"

    def __init__(self):
        self.sent = []

    def send(self, name, part):
        self.sent.append(part)
        return True


class Loop:
    lock = contextlib.nullcontext()

    def safely(self, function):
        function()


class Consumer:
    def __init__(self):
        self.got = []

    def deliver(self, number, head, buffers):
        self.got.append(number)

    def close(self): ...
    def wake(self): ...


def entrance(block=None):
    dispatcher = Dispatcher(APP, QUICK, Refusals(logging.getLogger("holoflow.link")))
    consumer = Consumer()
    made = linked(Counters(1).blocks[0] if block is None else block, queue=1000)
    inlet = ZeroMQInlet(Loop(), dispatcher, made, consumer, "here", QUICK, StartBarrier())
    dispatcher.add(inlet)
    dispatcher.accept()
    return dispatcher, inlet, consumer


def hello(**changed):
    said = {
        "app": "app", "digest": "digest", "flow": 0, "source": "camera.out",
        "target": "view.image", "counters": "there", "generation": 1, "sent": 0,
        "consumer": [0] * CONSUMER_COUNTERS,
    } | changed  # fmt: skip
    return handshake.hello(FlowHello(**said))


pieces = st.one_of(
    st.binary(max_size=60),
    st.builds(lambda kind, rest: bytes([kind]) + rest, st.integers(0, 9), st.binary(max_size=60)),
    st.builds(lambda n, b: frames.pack([frames.message(n, b, []).packed]), numbers, st.binary()),
    st.builds(
        lambda a, b, c: frames.state(SenderProgress(min(a, b), c, max(a, b), False)),
        numbers, numbers, numbers,
    ),
)  # fmt: skip


@given(st.lists(st.tuples(pieces, st.lists(st.binary(max_size=9), max_size=3)), max_size=20))
def test_garbage_of_one_who_is_let_in_does_no_harm(messages):
    dispatcher, inlet, consumer = entrance()
    listener = Listener()
    dispatcher.receive(listener, b"peer", hello(), [])
    for part, rest in messages:
        dispatcher.receive(listener, b"peer", part, [memoryview(r) for r in rest])
    inlet.poll()
    assert consumer.got == sorted(set(consumer.got))
    assert inlet.receiving.counters[SENT] < frames.LARGEST


@given(pieces, st.lists(st.binary(max_size=9), max_size=3))
def test_garbage_of_strangers_is_counted(part, rest):
    dispatcher, inlet, _ = entrance()
    dispatcher.receive(Listener(), b"who?", part, [memoryview(r) for r in rest])
    assert not inlet.receiving.backlog
    assert sum(dispatcher._refusals.counts.values()) == 1


def test_what_is_replayed_is_a_duplicate():
    dispatcher, inlet, consumer = entrance()
    listener = Listener()
    dispatcher.receive(listener, b"peer", hello(), [])
    pack = frames.pack([frames.message(1, b"x", []).packed])
    for _ in range(3):
        dispatcher.receive(listener, b"peer", pack, [])
    inlet.poll()
    assert consumer.got == [1]
    assert dispatcher._refusals.counts == {"duplicate": 2}


def test_what_the_former_connection_still_brings_is_not_counted_as_strange():
    dispatcher, inlet, _ = entrance()
    listener = Listener()
    pack = frames.pack([frames.message(1, b"x", []).packed])
    dispatcher.receive(listener, b"first", hello(), [])
    dispatcher.receive(listener, b"second", hello(), [])
    dispatcher.receive(listener, b"first", pack, [])
    assert not dispatcher._refusals.counts
    assert not inlet.receiving.backlog
    dispatcher.receive(listener, b"second", pack, [])
    assert len(inlet.receiving.backlog) == 1


def test_those_who_come_early_wait_and_those_who_are_too_many_are_not_remembered():
    dispatcher = Dispatcher(APP, QUICK, Refusals(logging.getLogger("holoflow.link")))
    listener = Listener()
    for peer in range(2000):
        dispatcher.receive(listener, b"%d" % peer, hello(), [])
    assert len(dispatcher._waiting) == 1000
    for peer in range(2000):
        dispatcher.receive(listener, b"%d" % peer, hello(app="other"), [])
    assert len(dispatcher._former) == 1000
