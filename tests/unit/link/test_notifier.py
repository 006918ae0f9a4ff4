"""Doorbells."""

from __future__ import annotations

import os
import socket
import threading

import pytest

from holoflow.link import ends
from holoflow.link.ends import Notifier


@pytest.fixture(params=[False, True], ids=["of this process", "of others too"])
def bell(request, tmp_path, monkeypatch):
    # A wait that nobody ends would be seen as a test that takes a minute.
    monkeypatch.setattr(ends, "WAIT", ends.struct.pack("@ll", 60, 0))
    made = Notifier(tmp_path / "a.bell" if request.param else None)
    yield made
    made.close()
    assert not list(tmp_path.iterdir())


def test_who_waits_is_woken(bell):
    woken = threading.Event()

    def wait() -> None:
        bell.wait()
        woken.set()

    waiting = threading.Thread(target=wait)
    waiting.start()
    bell.ring()
    assert woken.wait(300)
    waiting.join()


def test_a_call_before_the_wait_is_not_lost_and_many_block_nobody(bell):
    for _ in range(10_000):
        bell.ring()
    bell.wait()


def test_a_former_bell_is_replaced_and_others_may_ring(tmp_path):
    path = tmp_path / "a.bell"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as former:
        former.bind(str(path))
    bell = Notifier(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.sendto(b"", str(path))
    bell.wait()
    bell.close()
    bell.close()


def test_a_wait_ends_as_long_as_a_file_that_is_watched_can_be_read(bell, monkeypatch):
    monkeypatch.setattr(ends, "LOOK", 60)
    file = os.eventfd(0)
    bell.watch(file)
    os.eventfd_write(file, 1)
    bell.wait()
    bell.wait()
    os.eventfd_read(file)
    bell.ring()
    bell.wait()
    bell.forget(file)
    os.eventfd_write(file, 1)
    monkeypatch.setattr(ends, "LOOK", 0.01)
    bell.wait()  # nobody rings
    os.close(file)


def test_a_wait_ends_by_itself():
    bell = Notifier()
    bell.wait()
    bell.close()
    bell.ring()
