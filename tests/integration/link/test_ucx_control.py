"""The ends of a ucx flow, joined by a real connection and a courier where UCX would be."""

import socket
import threading

import pytest
from support.ends import eventually
from support.ucx_connections import Pair, free_ports, pair

from holoflow.link.ucx import ConnectionLostError
from holoflow.link.ucx.control import UcxHello, write
from holoflow.stats.counters import ARRIVED, GONE, SENT, delivered, dropped, waiting

BOTH = pytest.mark.parametrize("near", [True, False], ids=["one host", "two hosts"])


@pytest.fixture(autouse=True)
def _ports(monkeypatch):
    monkeypatch.setattr("holoflow.link.ucx.frame.FIRST_PORT", free_ports())
    for name in ("TCP_TX_SEG_SIZE", "TCP_RX_SEG_SIZE", "LOG_LEVEL", "NET_DEVICES", "TLS"):
        monkeypatch.setenv(f"UCX_{name}", "")  # what a transport sets is gone after the test


@BOTH
def test_each_message_once_in_order_then_the_end(tmp_path, near):
    came = []

    def work(number, head, buffers):
        came.append((number, head, bytes(buffers[0])))

    with pair(tmp_path, near=near, work=work, when_full="block", queue=3) as joined:
        for i in range(200):
            joined.sender.send(b"head %d" % i, bytes([i]) * 1000)
        joined.sender.outlet.close()
        assert joined.receiver.ended.wait(300)
        eventually(lambda: len(came) == 200)
        assert came == [(i + 1, b"head %d" % i, bytes([i]) * 1000) for i in range(200)]
        eventually(lambda: joined.sending.done and joined.receiving.done)
        for linked in joined.linked:
            eventually(lambda block=linked.counters: waiting(block) == 0)
            assert (
                linked.counters[SENT],
                delivered(linked.counters),
                dropped(linked.counters),
            ) == (200, 200, {})


@BOTH
@pytest.mark.parametrize("when_full", ["drop_oldest", "drop_newest"])
def test_what_has_no_room_is_dropped_and_booked(tmp_path, near, when_full):
    came = []
    go = threading.Event()

    def work(number, head, buffers):
        came.append(number)
        assert go.wait(300)

    with pair(tmp_path, near=near, work=work, when_full=when_full, queue=2) as joined:
        joined.sender.send(b"")
        eventually(lambda: came == [1])
        for _ in range(99):
            joined.sender.send(b"")
        joined.sender.outlet.close()
        eventually(lambda: joined.receiving.clock.offset is not None or near)
        go.set()
        assert joined.receiver.ended.wait(300)
        eventually(lambda: joined.sending.done)
        block = joined.linked[-1].counters
        eventually(lambda: waiting(block) == 0)
        assert (block[SENT], block[ARRIVED]) == (100, 100)
        eventually(lambda: delivered(block) == len(came))  # counted just before it is worked on
        assert len(came) < 100
        assert dropped(block) == {"full": 100 - len(came)}
        assert came == sorted(set(came))
        if when_full == "drop_oldest":
            assert came[-1] == 100


@BOTH
def test_a_consumer_that_takes_nothing_more(tmp_path, near):
    with pair(tmp_path, near=near, work=lambda *_: None, when_full="block", queue=2) as joined:
        joined.sender.send(b"")
        eventually(lambda: delivered(joined.linked[-1].counters) == 1)
        joined.receiver.abandon()
        eventually(lambda: joined.linked[0].counters[GONE])
        eventually(lambda: joined.sending.done and joined.receiving.done)
        assert not joined.sender.send(b"")
        assert [transport.failure for transport in joined.transports] == [None, None]


@BOTH
@pytest.mark.parametrize("who", [0, 1], ids=["sender", "receiver"])
def test_a_peer_that_has_gone(tmp_path, near, who):
    with pair(tmp_path, near=near, work=lambda *_: None, when_full="block", queue=2) as joined:
        joined.sender.send(b"")
        eventually(lambda: delivered(joined.linked[-1].counters) == 1)
        left = joined.transports[1 - who]
        (gone,) = joined.transports[who]._router.connections
        gone.socket.shutdown(socket.SHUT_RDWR)  # as the kernel does for a process that died
        eventually(lambda: left.failure is not None)
        name = "ab"[who]
        assert str(left.failure) == (
            f"source.out -> sink.x: fragment {name} has disappeared; ucx cannot continue without it"
        )


def test_a_stranger_on_the_line(tmp_path, caplog):
    with pair(tmp_path, near=True, work=lambda *_: None, when_full="block", queue=2) as joined:
        with socket.socket(socket.AF_UNIX) as stranger:
            stranger.settimeout(300)
            stranger.connect(str(tmp_path / "ucx-0"))
            assert stranger.recv(1) == b""  # the connection is taken
        joined.sender.send(b"")
        eventually(lambda: delivered(joined.linked[-1].counters) == 1)


@pytest.mark.parametrize(
    "said", [b"GET / HTTP/1.1\r\n\r\n" * 9, write(UcxHello(0, 0, "other run"))]
)
def test_a_stranger_who_comes_first(tmp_path, caplog, said):
    made = Pair(tmp_path, near=True, work=lambda *_: None, when_full="block", queue=2)
    try:
        made.transports[1].accept()
        with socket.socket(socket.AF_UNIX) as stranger:
            stranger.settimeout(300)
            stranger.connect(str(tmp_path / "ucx-0"))
            stranger.sendall(said)
            while stranger.recv(1000):
                pass
        made.transports[0].accept()
        assert all(transport.meet(lambda: False) for transport in made.transports)
        assert "a stranger connected" in caplog.text
    finally:
        made.close()


def test_of_another_run(tmp_path):
    made = Pair(tmp_path, near=True, work=lambda *_: None)
    try:
        made.transports[0]._router.connections[0]._run = "another"
        for transport in made.transports[::-1]:
            transport.accept()
        with pytest.raises(ConnectionLostError, match="belongs to another run"):
            made.transports[0].meet(lambda: False)
    finally:
        made.close()


def test_nobody_comes(tmp_path):
    made = Pair(tmp_path, near=True, work=lambda *_: None)
    try:
        made.transports[0].accept()
        assert made.transports[0].waits_for() == "b"
        assert not made.transports[0].meet(lambda: True)
    finally:
        made.close()


def test_the_clock_of_another_host(tmp_path):
    with pair(tmp_path, near=False, work=lambda *_: None, when_full="block", queue=2) as joined:
        for _ in range(3):
            joined.sender.send(b"")
        transport = joined.transports[1]
        eventually(lambda: joined.receiving.clock.offset is not None)
        offset, uncertainty = transport.shift(joined.linked[1])
        assert abs(offset) <= uncertainty  # it is the same clock
        assert uncertainty > 0
