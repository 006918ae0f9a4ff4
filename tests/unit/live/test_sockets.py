"""Where the sockets are, and who may have made them."""

import os
import socket
import stat
import subprocess
import sys

import pytest

from holoflow.core.errors import HoloflowError
from holoflow.live import sockets
from holoflow.live.sockets import SocketAddress


def test_folders_are_the_users_own(monkeypatch, tmp_path, place):
    own = tmp_path / f"holoflow-{os.getuid()}"
    assert sockets.places() == [place, own]
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert sockets.places() == [own]
    monkeypatch.setenv("XDG_RUNTIME_DIR", "relative")
    assert sockets.places() == [own]


def test_names_are_short_and_tell_everything_apart():
    assert sockets.name("faces", "a1b2c3d4", "main", 4711) == "faces.a1b2c3d4.main.4711"
    strange = ["x" * 300, "x" * 301, "../../etc", "..-..-etc", "", "a.b", "ä", "a b", "\ud800\n/"]
    names = {sockets.name(text, "r", text, 1) for text in strange}
    assert len(names) == len(strange)
    assert all("/" not in name and len(name) < 80 for name in names)
    assert SocketAddress(None, sockets.name("a.1", "b.2", "c.3", 4711)).pid == 4711


@pytest.mark.parametrize("name", ["x", "x.y", "x.-1", "x.٣", "x." + "9" * 20, ""])
def test_other_names_tell_no_process(name):
    assert SocketAddress(None, name).pid == 0


def test_a_socket_is_listed_while_it_is_listened_to(place):
    address = SocketAddress(place, "a")
    with sockets.listen(address) as server:
        assert stat.S_IMODE(place.stat().st_mode) == 0o700
        assert sockets.addresses(place) == [address]
        client = sockets.connect(address)
        with client, server.accept()[0] as line:
            line.send(b"hello")
            assert client.recv(5) == b"hello"
    sockets.remove(address)
    assert sockets.addresses(place) == []
    sockets.remove(address)


def test_a_folder_may_have_a_long_name(tmp_path):
    place = tmp_path / ("x" * 200)
    address = SocketAddress(place, "y" * 75)
    with sockets.listen(address) as server, sockets.connect(address), server.accept()[0]:
        assert sockets.addresses(place) == [address]


def test_what_nobody_listens_to_is_removed_and_nothing_else(place):
    sockets.listen(SocketAddress(place, "left")).close()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(place / ".born"))
        (place / "file").touch()
        (place / "link").symlink_to(place / "left")
        assert sockets.addresses(place) == [SocketAddress(place, "left")]
        assert sockets.connect(SocketAddress(place, "left")) is None
        assert sorted(os.listdir(place)) == [".born", "file", "link"]
        assert sockets.connect(SocketAddress(place, "none")) is None


def test_clean_leaves_those_whose_process_is_there(place, gone):
    mine, theirs = SocketAddress(place, f"x.{os.getpid()}"), SocketAddress(place, f"x.{gone}")
    held = SocketAddress(place, f"held.{gone}")
    for address in (mine, theirs):
        sockets.listen(address).close()
    with sockets.listen(held):
        sockets.clean(place)
        assert sockets.addresses(place) == sorted([mine, held])


def test_a_folder_that_others_may_enter_is_refused(place):
    place.mkdir(mode=0o750)
    place.chmod(0o750)
    address = SocketAddress(place, "a")
    with pytest.raises(HoloflowError, match=r"make it private with: chmod 700 .*/holoflow$"):
        sockets.addresses(place)
    with pytest.raises(HoloflowError, match="private"):
        sockets.listen(address)
    assert sockets.connect(address) is None
    place.chmod(0o700)
    sockets.listen(address).close()


def test_a_folder_of_another_user_is_refused(place, monkeypatch):
    place.mkdir(mode=0o700)
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    with pytest.raises(HoloflowError, match="belongs to another user"):
        sockets.addresses(place)


@pytest.mark.parametrize("target", ["there", "missing", "file"])
def test_links_and_files_are_refused(place, tmp_path, target):
    (tmp_path / "there").mkdir(mode=0o700)
    (tmp_path / "file").touch()
    place.symlink_to(tmp_path / target)
    with pytest.raises((HoloflowError, OSError)):
        sockets.listen(SocketAddress(place, "a"))
    assert os.listdir(tmp_path / "there") == []


def test_processes_that_are_gone(gone):
    assert sockets.is_gone(gone)
    assert not sockets.is_gone(os.getpid())
    with subprocess.Popen([sys.executable, "-S", "-c", "pass"]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert sockets.is_gone(process.pid)
    assert not sockets.is_gone(1)
    assert not sockets.is_gone(0)
