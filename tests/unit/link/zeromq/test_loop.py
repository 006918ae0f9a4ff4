"""The thread that looks after sockets, and what is left to others."""

import threading

import pytest
import zmq
from support.ends import eventually

from holoflow.link.ends import Notifier
from holoflow.link.zeromq import loop as module
from holoflow.link.zeromq import sockets
from holoflow.link.zeromq.loop import Loop


@pytest.fixture
def loop():
    made = Loop("test")
    made.start()
    yield made
    made.call(made.stop)
    made.join()


@pytest.fixture
def ends(loop):
    """Return a socket that the loop watches, one that sends to it, and what was read."""
    here, there = (loop.context.socket(zmq.PAIR) for _ in range(2))
    port = here.bind_to_random_port("tcp://127.0.0.1")
    there.connect(f"tcp://127.0.0.1:{port}")
    got = []
    with loop.lock:
        loop.watch(here, lambda: got.append((here.recv(), threading.current_thread().name)))
    yield here, there, got
    with loop.lock:
        loop.forget(here)
        for socket in (here, there):
            socket.close(0)


def test_what_comes_is_read_by_its_thread(loop, ends):
    _, there, got = ends
    loop.call(lambda: None)  # it looks at the socket that it was told to watch
    for _ in range(3):  # a handler may leave something
        there.send(b"x")
    eventually(lambda: got == [(b"x", "zeromq-test")] * 3)


def test_what_is_left_to_a_stage_wakes_the_stage(loop, ends, monkeypatch):
    monkeypatch.setattr(module, "_LEFT", 60.0)
    here, there, got = ends
    notifier = Notifier()
    with loop.lock:
        loop.leave(here, notifier)
        loop.leave(here, notifier)
        assert not sockets.has_input(here)
    there.send(b"x")

    def come():
        notifier.wait()
        with loop.lock:
            return sockets.has_input(here)

    eventually(come)
    assert not got
    with loop.lock:
        loop.take_back(here)
        assert here.recv() == b"x"
    there.send(b"y")
    eventually(lambda: got == [(b"y", "zeromq-test")])
    notifier.close()


def test_what_is_left_to_a_stage_that_does_not_look_is_read_all_the_same(loop, ends):
    here, there, got = ends
    with loop.lock:
        loop.leave(here)
        sockets.has_input(here)
    loop.call(lambda: None)
    there.send(b"x")
    eventually(lambda: got == [(b"x", "zeromq-test")])


def test_what_is_no_longer_watched_notifies_nobody(loop, ends, monkeypatch):
    monkeypatch.setattr("holoflow.link.ends.LOOK", 0.01)
    here, there, _ = ends
    notifier = Notifier()
    with loop.lock:
        loop.leave(here, notifier)
        loop.forget(here)
        there.send(b"x")
    notifier.wait()
    assert notifier._files.poll(0.01) == []
    with loop.lock:
        loop.watch(here, here.recv)
    notifier.close()


def test_what_is_put_off_is_done_soon_in_order(loop):
    done = []
    for round_ in range(3):
        with loop.lock:
            for number in range(3):
                loop.later(lambda number=number: done.append(number))
        eventually(lambda round_=round_: done == [0, 1, 2] * (round_ + 1))


def test_a_failure_ends_nothing(loop, caplog):
    def fail():
        raise RuntimeError("of a handler")

    loop.call(fail)
    done = threading.Event()
    loop.call(done.set)
    assert done.wait(300)
    assert "of a handler" in caplog.text
