"""Two transports in one process, over real sockets: what each kind of flow does."""

import logging
import threading
from dataclasses import replace

import pytest
import zmq
from support.ends import Sender, eventually
from support.pairs import KINDS, QUICK, Pair
from support.wires import linked

from holoflow.core.errors import HoloflowError
from holoflow.link.keys import KeyStore
from holoflow.link.zeromq import AppIdentity, PeerAddress, ZeroMQ, frames, handshake
from holoflow.link.zeromq.handshake import FlowHello
from holoflow.stats.counters import (
    CONSUMER_COUNTERS,
    GONE,
    RETURNED,
    SENT,
    TAKEN,
    Counters,
    dropped,
    lost,
    waiting,
)


@pytest.fixture(params=[False, True], ids=["woken", "notifiers"])
def pairs(request, tmp_path):
    """Return a function that makes a pair of fragments, which end with the test.

    Their stages are woken by others, or wait by themselves.
    """
    made = []

    def make(kind="tcp", **flow):
        made.append(Pair(tmp_path, kind, notifiers=request.param, **flow))
        return made[-1]

    yield make
    for pair in made:
        pair.__exit__()


def collector():
    got = []
    return got, lambda number, head, buffers: got.append(int(head))


@pytest.mark.parametrize("kind", KINDS)
def test_messages_of_every_size_arrive_as_they_were_sent(pairs, kind):
    sizes = [(), (0,), (1, 2), (8000,), (9000,), (70_000, 3), (3_000_000,), (5,) * 40]
    pair = pairs(kind, queue=4)
    got, sent = [], []
    receiver = pair.start_screen(lambda *message: got.append(message))
    pair.screen.accept()
    sender = pair.start_edge()
    for index, size in enumerate(sizes * 4):
        buffers = [bytes([index]) * count for count in size]
        sent.append((index + 1, b"head %d" % index, buffers))
        sender.send(b"head %d" % index, *buffers)
    sender.outlet.close()
    eventually(receiver.ended.is_set)
    receiver.stop()
    assert [(n, head, [bytes(b) for b in buffers]) for n, head, buffers in got] == sent
    assert all(memoryview(buffer).readonly for _, _, buffers in got for buffer in buffers)
    eventually(lambda: waiting(pair.blocks[0]) == 0)
    assert not pair.screen.refusals  # a connection that is made when its process ends is one
    pair.kill(pair.edge)
    assert waiting(pair.blocks[1]) == 0
    assert pair.blocks[0][TAKEN] == len(sent)


@pytest.mark.parametrize("kind", KINDS)
def test_both_wait_for_one_another_until_they_are_linked(pairs, kind):
    pair = pairs(kind)
    pair.start_screen()
    assert "no link from edge for camera.out -> view.image" in pair.screen.waits_for()
    sender = pair.start_edge()
    eventually(lambda: "it is not ready yet" in pair.edge.waits_for())
    assert pair.endpoint in pair.edge.waits_for()
    pair.screen.accept()
    eventually(lambda: not pair.edge.waits_for() and not pair.screen.waits_for())
    sender.send(b"1")
    eventually(lambda: pair.blocks[1][TAKEN] == 1)


def test_small_messages_go_together_and_wait_for_none_that_does_not_come(pairs, monkeypatch):
    packs = []
    made = frames.pack

    def pack(entries):
        packs.append(len(entries))
        return made(entries)

    monkeypatch.setattr(frames, "pack", pack)
    pair = pairs("tcp", queue=2000)
    got, collect = collector()
    pair.start_screen(collect)
    pair.screen.accept()
    sender = pair.start_edge()
    eventually(lambda: not pair.edge.waits_for())
    for number in range(1000):
        sender.send(b"%d" % number)
    eventually(lambda: got == list(range(1000)))  # although the sender says nothing more
    assert sum(packs) == 1000
    assert len(packs) < 500


def test_who_sends_before_it_is_linked_leaves_its_socket_to_the_loop(pairs):
    pair = pairs("tcp")
    pair.start_screen()
    sender = pair.start_edge()
    (connection,) = sender.outlet._connections
    eventually(lambda: "it is not ready yet" in pair.edge.waits_for())
    sender.send(b"0", bytes(frames.SMALL))
    assert not connection._left
    pair.screen.accept()
    eventually(lambda: pair.blocks[1][TAKEN] == 1)


@pytest.mark.parametrize("kind", ["ipc", "tcp"])
def test_a_flow_that_blocks_holds_its_sender_up(pairs, kind):
    pair = pairs(kind, queue=3)
    go = threading.Semaphore(0)
    got, collect = collector()
    pair.start_screen(lambda *message: (go.acquire(), collect(*message)))
    pair.screen.accept()
    sender = pair.start_edge()
    for number in range(4):  # three in the queue, one in hand
        sender.send(b"%d" % number)
    eventually(lambda: pair.blocks[0][TAKEN] == 1)
    assert not sender.room()
    for number in range(4, 50):
        go.release()
        sender.send(b"%d" % number)
    for _ in range(4):
        go.release()
    eventually(lambda: got == list(range(50)))


@pytest.mark.parametrize("kind", ["ipc", "tcp"])
@pytest.mark.parametrize(
    "flow",
    [
        {"when_full": "drop_oldest", "queue": 3},
        {"when_full": "drop_newest", "queue": 3},
        {"latest": True, "queue": 1},
    ],
    ids=["drop_oldest", "drop_newest", "latest"],
)
def test_a_flow_that_drops_never_holds_its_sender_up_and_books_all(pairs, kind, flow):
    pair = pairs(kind, **flow)
    go = threading.Event()
    got, collect = collector()
    receiver = pair.start_screen(lambda *message: (go.wait(), collect(*message)))
    pair.screen.accept()
    sender = pair.start_edge()
    eventually(lambda: not pair.edge.waits_for())
    large = bytes(1 << 20)
    for number in range(200):
        sender.send(b"%d" % number, large)
        (connection,) = sender.outlet._connections
        assert connection.sending.kept <= 2 * flow["queue"] + 4  # four megabytes may be under way
    go.set()
    sender.outlet.close()
    eventually(receiver.ended.is_set)
    eventually(lambda: waiting(pair.blocks[1]) == 0)
    assert got == sorted(set(got))
    assert set(dropped(pair.blocks[1])) == {"full"}
    assert len(got) + lost(pair.blocks[1]) == pair.blocks[1][SENT] == 200
    if flow.get("when_full") != "drop_newest":
        assert got[-1] == 199


def test_without_a_receiver_a_flow_that_drops_goes_on(pairs):
    pair = pairs("tcp", when_full="drop_oldest")
    got, collect = collector()
    pair.start_screen()
    pair.stages.pop().stop()
    pair.kill(pair.screen)
    sender = pair.start_edge()
    for number in range(1000):
        sender.send(b"%d" % number)
    receiver = pair.start_screen(collect)
    pair.screen.accept()
    sender.outlet.close()
    eventually(receiver.ended.is_set)
    eventually(lambda: got == [998, 999])
    assert dropped(pair.blocks[1]) == {"full": 998}


@pytest.mark.parametrize("kind", ["ipc", "tcp"])
def test_who_abandons_a_flow_sets_its_sender_free(pairs, kind):
    pair = pairs(kind)
    stop = threading.Event()
    receiver = pair.start_screen(lambda *_: stop.wait())
    pair.screen.accept()
    sender = pair.start_edge()
    while sender.room():
        sender.send(b"0")
    blocked = threading.Thread(target=lambda: sender.send(b"0") and sender.send(b"0"))
    blocked.start()
    stop.set()
    receiver.abandon()
    blocked.join(300)
    assert not blocked.is_alive()
    assert pair.blocks[0][GONE]
    sender.outlet.close()
    pair.open.remove(pair.edge)
    pair.edge.close(20)  # at once: nobody waits for anything


@pytest.mark.parametrize("kind", ["ipc", "tcp"])
def test_a_sender_that_is_suspended_hands_over_and_ends_nothing(pairs, kind):
    pair = pairs(kind, queue=20)
    got, collect = collector()
    receiver = pair.start_screen(collect)
    pair.screen.accept()
    sender = pair.start_edge()
    for number in range(20):
        sender.send(b"%d" % number)
    sender.outlet.suspend()
    pair.open.remove(pair.edge)
    pair.edge.close(20)
    sender = pair.start_edge()
    for number in range(20, 40):
        sender.send(b"%d" % number)
    eventually(lambda: got == list(range(40)))
    assert not receiver.ended.is_set()
    assert lost(pair.blocks[1]) == 0


@pytest.mark.parametrize("kind", ["ipc", "tcp"])
def test_a_receiver_that_comes_back_gets_what_the_former_had_not_taken(pairs, kind):
    pair = pairs(kind, queue=5)
    got, collect = collector()
    hold = threading.Event()
    first = pair.start_screen(lambda *message: (collect(*message), hold.wait()))
    pair.screen.accept()
    sender = pair.start_edge()
    for number in range(6):
        sender.send(b"%d" % number)
    eventually(lambda: first.inlet.receiving._received == 6)
    assert got == [0]
    first.going = False
    hold.set()
    first.stop()
    pair.kill(pair.screen)
    pair.stages.clear()
    pair.start_screen(collect)
    pair.screen.accept()
    eventually(lambda: got == list(range(6)))
    for number in range(6, 12):
        sender.send(b"%d" % number)
    eventually(lambda: got == list(range(12)))
    assert lost(pair.blocks[1]) == 0
    assert pair.blocks[1][RETURNED] == 0


def test_what_a_dead_sender_had_is_booked_before_anything_else_comes(pairs):
    pair = pairs("ipc")
    pair.start_screen()
    pair.screen.accept()
    pair.start_edge()
    eventually(lambda: not pair.edge.waits_for())
    pair.blocks[0][SENT] = 2  # counted, and killed before it was sent
    pair.kill(pair.edge)
    sender = pair.start_edge()
    eventually(sender.room)
    assert dropped(pair.blocks[0]) == {"crash": 2}


def test_a_new_host_goes_on_with_the_numbers_of_the_one_that_was_lost(pairs):
    pair = pairs("tcp")
    got, collect = collector()
    pair.start_screen(collect)
    pair.screen.accept()
    sender = pair.start_edge()
    for number in range(10):
        sender.send(b"%d" % number)
    eventually(lambda: len(got) == 10)
    pair.kill(pair.edge)
    pair.blocks[0] = Counters(1).blocks[0]
    pair.names[0] = "another host"
    sender = pair.start_edge()
    eventually(lambda: not pair.edge.waits_for())
    assert pair.blocks[0][SENT] == 10
    for number in range(10, 20):
        sender.send(b"%d" % number)
    eventually(lambda: got == list(range(20)))
    assert lost(pair.blocks[1]) == 0


def test_nothing_is_delivered_to_a_new_host_before_it_knows_its_numbers(tmp_path):
    """A fragment between two others; the one behind it is not there yet."""
    with Pair(tmp_path, "tcp") as pair:
        got, collect = collector()
        receiver = pair.start_screen(collect)
        onward = Pair(tmp_path / "onward", "tcp")
        onward.start_screen()
        (address,) = onward.screen.endpoints
        pair.screen._peers["screen"] = PeerAddress(address)
        Sender(pair.screen, linked(Counters(1).blocks[0]))
        pair.screen.accept()
        sender = pair.start_edge()
        sender.send(b"0")
        eventually(lambda: len(receiver.inlet.receiving.backlog) == 1)
        receiver.poll()
        assert got == []
        onward.screen.accept()
        eventually(lambda: got == [0])
        pair.kill(pair.screen)
        onward.__exit__()


@pytest.mark.parametrize("kind", ["tcp", "curve"])
def test_the_clock_of_another_host_is_known_when_the_first_message_comes(pairs, kind):
    pair = pairs(kind)
    known = []
    flow = linked(pair.blocks[1])
    pair.start_screen(lambda *_: known.append(pair.screen.shift(flow)))
    assert pair.screen.shift(flow) == (0, 1 << 62)
    pair.screen.accept()
    pair.start_edge().send(b"0")
    eventually(lambda: known)
    ((offset, uncertainty),) = known
    assert abs(offset) <= uncertainty < 30e9


def test_on_one_host_there_is_one_clock(pairs):
    pair = pairs("ipc")
    pair.start_screen()
    pair.screen.accept()
    pair.start_edge()
    eventually(lambda: not pair.edge.waits_for() and not pair.screen.waits_for())
    assert pair.screen.shift(linked(pair.blocks[1])) == (0, 0)


class TestRefused:
    @pytest.fixture
    def refused(self, pairs, caplog):
        """Return a function that starts a sender and returns why it is refused."""

        def attempt(identity=None, keys=None, *, encrypted=True, number=0):
            pair = pairs("curve")
            pair.start_screen()
            pair.screen.accept()
            caplog.clear()
            edge = ZeroMQ(
                "edge",
                identity or pair.identity(0),
                peers={"screen": PeerAddress(pair.endpoint, pair._own if encrypted else None)},
                keys=keys or pair.keys[0],
                timing=QUICK,
            )
            pair.open.append(edge)
            Sender(edge, replace(linked(Counters(1).blocks[0]), number=number))
            errors = []

            def error():
                errors[:] = [r for r in caplog.records if r.levelno == logging.ERROR]
                return errors

            eventually(error)
            said = errors[0].getMessage()
            reason = said.partition(": no link to ")[2].partition(": ")[2]
            eventually(lambda: reason in edge.waits_for())
            # It goes on trying, and says no more.
            before = sum(pair.screen.refusals.values())
            eventually(lambda: sum(pair.screen.refusals.values()) > before + 2)
            assert len(error()) == 1
            assert pair.screen.waits_for()
            return reason, set(pair.screen.refusals)

        return attempt

    def test_another_app(self, refused):
        reason, causes = refused(AppIdentity("other", "digest", "one"))
        assert "it belongs to the app 'other', this end to 'app'" in reason
        assert causes == {"app"}

    def test_another_version_of_the_app(self, refused):
        reason, causes = refused(AppIdentity("app", "changed", "one"))
        assert "its 'app' differs from the one here" in reason
        assert causes == {"app"}

    def test_a_flow_that_is_none(self, refused):
        reason, causes = refused(number=3)
        assert "no flow camera.out -> view.image with the number 3 leads to" in reason
        assert causes == {"flow"}

    def test_another_version_of_the_link(self, refused, monkeypatch):
        monkeypatch.setattr("holoflow.link.zeromq.handshake.hello", lambda _: b"\x01\x63\x00new")
        reason, causes = refused()
        mine = f"this end version {handshake.VERSION}"
        assert f"it uses version 99 of the link protocol, {mine}; install the same" in reason
        assert causes == {"version"}

    def test_a_key_that_is_not_allowed(self, refused, tmp_path):
        stranger = KeyStore(tmp_path / "stranger")
        stranger.create("stranger")
        reason, causes = refused(keys=stranger)
        assert "it does not allow the key of this host; allow it there" in reason
        assert causes == {"key", "connection"}

    def test_no_encryption_where_there_should_be(self, refused):
        reason, causes = refused(encrypted=False)
        assert "one end encrypts and the other does not" in reason
        assert causes == {"connection"}


def test_a_key_may_be_allowed_while_the_app_runs(pairs):
    pair = pairs("curve")
    pair.keys[1].remove("edge")
    pair.start_screen()
    pair.screen.accept()
    pair.start_edge()
    eventually(lambda: "does not allow the key" in pair.edge.waits_for())
    pair.keys[1].allow("edge", pair.keys[0].own().public)
    eventually(lambda: not pair.edge.waits_for())


def test_a_server_with_another_key_is_told_apart(pairs, tmp_path, caplog):
    pair = pairs("curve")
    pair.start_screen()
    pair.screen.accept()
    other = KeyStore(tmp_path / "other")
    pair._own = other.create("other").public
    pair.start_edge()
    eventually(lambda: "is not the one allowed here" in caplog.text)
    assert "the handshake breaks off" in pair.edge.waits_for()


def test_a_second_sender_of_another_program_is_refused_while_the_first_is_there(pairs, caplog):
    pair = pairs("tcp")
    got, collect = collector()
    pair.start_screen(collect)
    pair.screen.accept()
    first = pair.start_edge()
    first.send(b"0")
    eventually(lambda: got == [0])
    pair.names[0] = "another program"
    pair.start_edge()
    eventually(lambda: "another sender of camera.out -> view.image" in pair.edge.waits_for())
    first.send(b"1")
    eventually(lambda: got == [0, 1])


def test_without_keys_there_is_no_encrypted_link(tmp_path):
    empty = KeyStore(tmp_path / "none")
    for bind, peers in (
        ([PeerAddress("tcp://127.0.0.1:*", "x")], {}),
        ([], {"b": PeerAddress("tcp://x:1", "x")}),
    ):
        with pytest.raises(HoloflowError, match="holoflow keys new"):
            ZeroMQ("a", AppIdentity("app", "d", "l"), bind, peers, keys=empty)


@pytest.mark.parametrize(
    ("endpoint", "why"),
    [
        ("tcp://192.0.2.1:7421", "that is not an address of this host"),
        ("tcp://no-such-host.invalid:7421", "cannot listen on"),
        ("ipc:///no/such/folder/x", "cannot listen on"),
        ("tcp://127.0.0.1:nothing", "cannot listen on"),
    ],
)
def test_where_one_cannot_listen_is_said(endpoint, why):
    with pytest.raises(HoloflowError, match=why):
        ZeroMQ("a", AppIdentity("app", "d", "l"), [PeerAddress(endpoint)])


def test_a_port_that_is_taken_is_said(pairs):
    pair = pairs("tcp")
    pair.start_screen()
    with pytest.raises(HoloflowError, match="another program listens there; give the fragment"):
        ZeroMQ("a", AppIdentity("app", "d", "l"), [PeerAddress(pair.endpoint)])


def test_a_name_of_a_host_is_enough(pairs):
    pair = pairs("tcp")
    pair.endpoint = "tcp://localhost:*"
    pair.start_screen()
    assert pair.endpoint.startswith(("tcp://127.0.0.1:", "tcp://[::1]:"))


def test_a_fragment_of_which_nobody_knows_where_it_is(pairs):
    edge = ZeroMQ("edge", AppIdentity("app", "d", "l"))
    with pytest.raises(HoloflowError, match="address of the fragment 'screen'"):
        edge.outlet([linked(Counters(1).blocks[0])], None)
    edge.close(0)


def test_closing_takes_no_longer_than_it_may(pairs, caplog):
    pair = pairs("tcp")
    pair.start_screen()
    sender = pair.start_edge()  # which is never welcomed
    sender.send(b"0")
    sender.outlet.close()
    pair.open.remove(pair.edge)
    pair.edge.close(0.2)
    assert "has not confirmed what was sent to it" in caplog.text


def test_a_sender_is_there_once_it_has_heard_that_it_is_welcome(tmp_path):
    # Who only comes to say that nothing more is taken must not go before that was heard.
    hello = FlowHello(
        "app", "digest", 0, "camera.out", "view.image", "x", 1, 0, [0] * CONSUMER_COUNTERS
    )
    with Pair(tmp_path, "tcp") as pair, zmq.Context() as context:
        pair.start_screen()
        pair.screen.accept()
        with context.socket(zmq.DEALER) as sender:
            sender.linger = 0
            sender.connect(pair.endpoint)
            sender.send(handshake.hello(hello))
            assert sender.recv()[0] == frames.WELCOME
            assert "no link from edge" in pair.screen.waits_for()
            sender.send(frames.state(frames.SenderProgress(0, 0, 0, False)))
            eventually(lambda: not pair.screen.waits_for())
