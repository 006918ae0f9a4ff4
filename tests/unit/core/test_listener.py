"""Strangers get so much of a listening socket, and whoever asks at once gets an answer."""

from __future__ import annotations

import errno
import logging
import resource
import socket
from contextlib import ExitStack

import pytest

from holoflow.core.listener import EACH, PATIENCE, Listener, Refusals

LOG = logging.getLogger("holoflow.test")


class Place:
    """A listener, those who came to it, and a clock."""

    def __init__(self, stack: ExitStack) -> None:
        self.now = 0.0
        self.refusals = Refusals(LOG, lambda: self.now)
        listener = socket.create_server(("127.0.0.1", 0))
        self.listener = stack.enter_context(Listener(listener, self.refusals, lambda: self.now))
        self.stack = stack

    def come(self, host: str = "127.0.0.1") -> tuple[socket.socket, socket.socket]:
        """Return both ends of a new connection: the visitor's and ours."""
        visitor = self.stack.enter_context(socket.create_connection(
            self.listener.getsockname(), timeout=60, source_address=(host, 0)))  # fmt: skip
        own, _ = self.listener.accept()
        return visitor, self.stack.enter_context(own)


@pytest.fixture
def place():
    with ExitStack() as stack:
        yield Place(stack)


@pytest.fixture
def few_files(monkeypatch):
    """So many that 30 of them may be connections, and 6 of these strangers'."""
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (90, 90))


def is_cut_off(own: socket.socket) -> bool:
    own.setblocking(False)
    try:
        return own.recv(1) == b""
    except BlockingIOError:
        return False


def test_the_oldest_of_an_address_gives_way(place):
    first = place.come("127.0.0.2")[1]
    other = place.come("127.0.0.3")[1]
    mine = [place.come("127.0.0.2")[1] for _ in range(EACH)]
    assert is_cut_off(first)
    assert not any(is_cut_off(own) for own in (other, *mine))
    assert place.refusals.counts == {"stranger": 1}


def test_of_many_addresses_the_one_that_has_most_gives_way(few_files, place):
    lone = place.come("127.0.0.2")[1]
    many = [place.come("127.0.0.3")[1] for _ in range(6)]
    assert [is_cut_off(own) for own in (lone, *many)] == [False, True] + 5 * [False]


def test_who_is_not_done_is_cut_off_and_who_is_welcome_is_not(place):
    guest, slow, asking = (place.come() for _ in range(3))
    assert place.listener.welcome(guest[0].getsockname())
    place.now = PATIENCE - 1
    place.listener.renew(asking[0].getsockname())
    place.now = PATIENCE
    place.listener.expire()
    assert [is_cut_off(own) for _, own in (guest, slow, asking)] == [False, True, False]
    place.now = 2 * PATIENCE
    place.listener.expire()
    assert [is_cut_off(own) for _, own in (guest, asking)] == [False, True]


def test_guests_leave_room_for_the_run(few_files, place):
    guests = [place.come() for _ in range(6)]
    while len(guests) < 24:
        assert place.listener.welcome(guests[-1][0].getsockname())
        guests.append(place.come())
    for visitor, _ in guests:
        assert place.listener.welcome(visitor.getsockname())
    late = [place.come() for _ in range(6)]
    assert not place.listener.welcome(late[0][0].getsockname())
    with pytest.raises(ConnectionAbortedError):
        place.come()
    guests[0][1].close()
    assert place.listener.welcome(late[0][0].getsockname())


def test_full_it_is_said_once_and_not_tried_at_once(place, monkeypatch, caplog):
    tries = []

    def full(self):
        tries.append(self)
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(socket.socket, "accept", full)
        with pytest.raises(OSError, match="Too many"):
            place.listener.accept()
        for _ in range(100):
            with pytest.raises(BlockingIOError):
                place.listener.accept()
    assert len(tries) == 1
    assert caplog.messages == ["refused: connections: Too many open files"]
    place.now = 1.0
    place.come()
