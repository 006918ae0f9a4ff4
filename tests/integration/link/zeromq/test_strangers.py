"""Whoever comes to the door of a fragment, the app goes on."""

import os
import socket
from contextlib import ExitStack

import pytest
import zmq
from support.ends import eventually
from support.pairs import Pair

from holoflow.link.zeromq import frames, handshake
from holoflow.link.zeromq.handshake import FlowHello
from holoflow.stats.counters import CONSUMER_COUNTERS, SENT, lost

NOISE = [
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\xff" + bytes(8) + b"\x7f",
    b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(48),
    b"\xff" + bytes(8) + b"\x7f\x03\x01CURVE" + bytes(47) + b"\x04\xff" + bytes(300),
    bytes(500),
    b"\x01\x00" * 100,
    os.urandom(4096),
]


@pytest.fixture(params=["tcp", "curve"])
def running(request, tmp_path):
    """Two fragments between which messages flow; `check` is that they still do."""
    with Pair(tmp_path, request.param) as pair:
        got = []
        pair.start_screen(lambda number, head, buffers: got.append(number))
        pair.screen.accept()
        sender = pair.start_edge()

        def check():
            before = len(got)
            for _ in range(10):
                sender.send(b"x", bytes(100_000))
            eventually(lambda: len(got) == before + 10)
            assert got == list(range(1, len(got) + 1))
            assert lost(pair.blocks[1]) == 0

        check()
        pair.check = check
        yield pair


def visit(pair):
    """Return a plain connection to the receiver."""
    return socket.create_connection(("127.0.0.1", int(pair.endpoint.rpartition(":")[2])))


def trusted(pair, context):
    """Return a socket of someone whose key is allowed."""
    dealer = context.socket(zmq.DEALER)
    dealer.linger = 0
    if pair._own is not None:
        own = pair.keys[0].own()
        dealer.curve_serverkey = pair._own.encode()
        dealer.curve_publickey, dealer.curve_secretkey = own.public.encode(), own.secret.encode()
    dealer.connect(pair.endpoint)
    return dealer


def test_noise(running):
    for noise in NOISE:
        with visit(running) as stranger:
            stranger.sendall(noise)
            running.check()
    eventually(lambda: running.screen.refusals["connection"] >= 1)
    running.check()


def test_many_connections_at_once(running):
    with ExitStack() as stack:
        for _ in range(400):
            stack.enter_context(visit(running))
        running.check()
    running.check()
    eventually(lambda: running.screen.refusals["connection"] >= 300)


@pytest.mark.parametrize("running", ["curve"], indirect=True)
def test_zeromq_without_a_key(running):
    with zmq.Context() as context, context.socket(zmq.DEALER) as stranger:
        stranger.linger = 0
        stranger.connect(running.endpoint)
        stranger.send(b"hello?")
        eventually(lambda: running.screen.refusals["connection"] >= 1)
        running.check()


@pytest.mark.parametrize("running", ["curve"], indirect=True)
def test_zeromq_with_a_key_that_nobody_knows(running):
    with zmq.Context() as context, context.socket(zmq.DEALER) as stranger:
        stranger.linger = 0
        stranger.curve_serverkey = running._own.encode()
        stranger.curve_publickey, stranger.curve_secretkey = zmq.curve_keypair()
        stranger.connect(running.endpoint)
        eventually(lambda: running.screen.refusals["key"] == 1)
        running.check()


def test_garbage_with_a_key_that_is_allowed(running):
    garbage = [
        [b""],
        [b"\x00"],
        [b"\x01"],
        [bytes([1, handshake.VERSION, 0]) + b"\x91" * 3000],
        [b"\x05" + b"\xff" * 100],
        [frames.pack([frames.message(1 << 40, b"x", []).packed])],
        [b"\x06", b"", b""],
        [b"\x06"] + [b"x"] * 3000,
        [b"\x07" * 10],
        [b"\xff" * 1_000_000],
        [b"\x03refused"],
    ]
    with zmq.Context() as context, trusted(running, context) as stranger:
        for parts in garbage:
            stranger.send_multipart(parts)
        eventually(lambda: sum(running.screen.refusals.values()) == len(garbage))
        running.check()
    assert set(running.screen.refusals) <= {"unknown", "malformed"}


def test_one_who_says_hello_for_a_flow_that_is_taken(running):
    hello = FlowHello(
        "app", "digest", 0, "camera.out", "view.image", "x", 1, 0, [0] * CONSUMER_COUNTERS
    )
    with zmq.Context() as context, trusted(running, context) as stranger:
        stranger.send(handshake.hello(hello))
        assert b"another sender of camera.out -> view.image is connected" in stranger.recv()
        # It is refused, and what it sends all the same is not taken.
        stranger.send(frames.pack([frames.message(1 << 40, b"x", []).packed]))
        running.check()


def test_a_message_that_is_too_large_ends_the_connection(tmp_path):
    with Pair(tmp_path, "tcp") as pair, zmq.Context() as context:
        pair.options["most"] = 1 << 20
        pair.start_screen()
        pair.screen.accept()
        with (
            trusted(pair, context) as stranger,
            stranger.get_monitor_socket(zmq.Event.DISCONNECTED) as monitor,
        ):
            stranger.send(bytes(2 << 20))
            assert monitor.poll(30_000)
            stranger.disable_monitor()


def test_a_replayed_message_is_dropped(running):
    """By one who has broken into a host that is allowed, and taken over its connection."""
    running.kill(running.edge)
    hello = FlowHello(
        "app", "digest", 0, "camera.out", "view.image", "x", 1, 10, [0] * CONSUMER_COUNTERS
    )
    packed = frames.pack([frames.message(11, b"x", []).packed])
    with zmq.Context() as context, trusted(running, context) as stranger:
        stranger.send(handshake.hello(hello))
        while stranger.recv()[0] == frames.REFUSED:  # until the other is known to be away
            stranger.send(handshake.hello(hello))
        for _ in range(5):
            stranger.send(packed)
        eventually(lambda: running.screen.refusals["duplicate"] == 4)
    assert running.blocks[1][SENT] == 11
