"""Doorbells."""

from __future__ import annotations

import os
import socket
import threading

import pytest

from holoflow.link import ends
from holoflow.link.ends import Notifier


@pytest.fixture(params=[False, True], ids=["of this process", "of others too"])
def notifier(request, tmp_path, monkeypatch):
    # A wait that nobody ends would be seen as a test that takes a minute.
    monkeypatch.setattr(ends, "WAIT", ends.struct.pack("@ll", 60, 0))
    made = Notifier(tmp_path / "a.wake" if request.param else None)
    yield made
    made.close()
    assert not list(tmp_path.iterdir())


def test_who_waits_is_woken(notifier):
    woken = threading.Event()

    def wait() -> None:
        notifier.wait()
        woken.set()

    waiting = threading.Thread(target=wait)
    waiting.start()
    notifier.notify()
    assert woken.wait(300)
    waiting.join()


def test_a_call_before_the_wait_is_not_lost_and_many_block_nobody(notifier):
    for _ in range(10_000):
        notifier.notify()
    notifier.wait()


def test_a_socket_left_behind_is_replaced_and_other_processes_may_notify(tmp_path):
    path = tmp_path / "a.wake"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as former:
        former.bind(str(path))
    notifier = Notifier(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.sendto(b"", str(path))
    notifier.wait()
    notifier.close()
    notifier.close()


def test_a_wait_ends_as_long_as_a_file_that_is_watched_can_be_read(notifier, monkeypatch):
    monkeypatch.setattr(ends, "LOOK", 60)
    file = os.eventfd(0)
    notifier.watch(file)
    os.eventfd_write(file, 1)
    notifier.wait()
    notifier.wait()
    os.eventfd_read(file)
    notifier.notify()
    notifier.wait()
    notifier.forget(file)
    os.eventfd_write(file, 1)
    monkeypatch.setattr(ends, "LOOK", 0.01)
    notifier.wait()  # nobody notifies
    os.close(file)


def test_a_wait_ends_by_itself():
    notifier = Notifier()
    notifier.wait()
    notifier.close()
    notifier.notify()
