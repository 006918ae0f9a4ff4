"""What a running app shows to who watches it, and what watching may not do to it."""

import contextlib
import json
import logging
import math
import os
import threading
from dataclasses import replace

import pytest
from support.snapshots import faces, history

from holoflow.core.errors import HoloflowError
from holoflow.live import ask, publish, sockets
from holoflow.live.protocol import VERSION, ChangeAnswer, ChangeRequest
from holoflow.live.publish import Publisher
from holoflow.stats.snapshot import Sample, Snapshot, from_plain


def at(seconds: float) -> Snapshot:
    return faces(seconds)


class Watcher:
    def __init__(self, place):
        (self.address,) = sockets.addresses(place)
        while (line := sockets.connect(self.address)) is None:  # others wait there
            pass
        self.line = line
        self.line.settimeout(300)
        self.file = self.line.makefile("rb")

    def read(self):
        return self.file.readline()

    def snapshot(self):
        line = self.read()
        assert line, "the publisher has let this watcher go"
        return from_plain(Snapshot, json.loads(line))

    def close(self):
        self.file.close()
        self.line.close()


@pytest.fixture
def watch(place):
    watchers = []

    def watch():
        watchers.append(Watcher(place))
        return watchers[-1]

    yield watch
    for watcher in watchers:
        watcher.close()


@pytest.fixture
def publisher(place):
    with Publisher("faces", "a1b2c3", "main") as publisher:
        yield publisher


def test_a_hello_then_snapshots_one_a_line(publisher, watch):
    publisher.put(at(1), history(at(1), 3))
    watcher = watch()
    hello = json.loads(watcher.read())
    assert from_plain(tuple[Sample, ...], hello.pop("history")) == history(at(1), 3)
    assert hello.pop("began") > 0
    assert hello.pop("age") >= 0
    assert hello == {
        "holoflow": VERSION, "app": "faces", "run": "a1b2c3", "fragment": "main",
        "pid": os.getpid(), "phases": None, "waits": "", "trouble": "",
    }  # fmt: skip
    assert watcher.snapshot() == at(1)
    publisher.put(at(2))
    assert watcher.snapshot() == at(2)
    later = watch()
    assert json.loads(later.read())["history"] == []
    assert later.snapshot() == at(2)


def test_who_comes_before_the_first_snapshot_gets_it_later(publisher, watch):
    watcher = watch()
    watcher.read()
    publisher.put(at(1))
    assert watcher.snapshot() == at(1)


def test_a_launcher_says_what_its_fragments_do(place, watch):
    with Publisher("faces", "a1b2c3", "launcher") as publisher:
        assert json.loads(watch().read())["age"] is None
        publisher.tell({"edge": "running", "view": "starting"})
        watcher = watch()
        assert json.loads(watcher.read())["phases"] == {"edge": "running", "view": "starting"}
    assert watcher.read() == b""


def test_the_last_snapshot_arrives_and_nothing_is_left(place, watch):
    with Publisher("faces", "a1b2c3", "main") as publisher:
        watcher = watch()
        watcher.read()
        publisher.put(at(1))
        publisher.put(at(9))
    *_, last = watcher.file.readlines()
    assert from_plain(Snapshot, json.loads(last)) == at(9)
    assert os.listdir(place) == []
    assert "holoflow-live" not in {thread.name for thread in threading.enumerate()}
    publisher.put(at(10))


def test_who_does_not_read_gets_the_newest_when_it_does(publisher, watch, monkeypatch):
    monkeypatch.setattr(publish, "PATIENCE", math.inf)  # 200 may take a busy machine long
    slow, quick = watch(), watch()
    quick.read()
    for second in range(200):  # more than a socket's buffers hold
        publisher.put(at(second))
        while quick.snapshot().seconds != second:
            pass
    slow.read()
    seen = [slow.snapshot().seconds]
    while seen[-1] != 199:
        seen.append(slow.snapshot().seconds)
    assert seen == sorted(set(seen))
    assert len(seen) < 100


def test_nothing_is_encoded_while_nobody_watches(publisher, watch, monkeypatch):
    encoded = []
    encode = publish.to_json

    def counting(value):
        encoded.append(value)
        return encode(value)

    monkeypatch.setattr(publish, "to_json", counting)
    for second in range(10):
        publisher.put(at(second))
    assert not encoded
    watchers = [watch(), watch(), watch()]
    for watcher in watchers:
        watcher.read()
        assert watcher.snapshot() == at(9)
    assert sum(isinstance(value, Snapshot) for value in encoded) == 1


def test_who_takes_nothing_for_long_is_let_go(publisher, watch, monkeypatch):
    monkeypatch.setattr(publish, "PATIENCE", 0.0)
    stuck, quick = watch(), watch()
    quick.read()
    second = 0
    while len(publisher._watchers) == 2:
        second += 1
        publisher.put(at(second))
        while quick.snapshot().seconds != second:
            pass
    assert stuck.file.readlines()  # what it had got, and then the end


@pytest.mark.parametrize(
    "line",
    [b"GET / HTTP/1.1\r\n\r\n", b"{}\n", b"\xff\n", b"[" * 5000 + b"\n", b"a" * 200_000],
    ids=["request", "empty", "bytes", "deep", "long"],
)
def test_who_asks_for_nonsense_is_let_go(publisher, watch, line):
    watcher = watch()
    watcher.read()
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        watcher.line.sendall(line)
        assert watcher.file.readlines() == []
    assert json.loads(watch().read())["app"] == "faces"


def test_a_change_is_asked_for_and_answered(place, watch):
    asked = []

    def change(operator, parameter, value):
        asked.append((operator, parameter, value))
        if value == "no":
            raise HoloflowError("it cannot be", "say yes")

    with Publisher("faces", "a1b2c3", "main", change=change) as publisher:
        publisher.put(replace(at(1), app="faces", run="a1b2c3"))
        requests = [ChangeRequest("detect", "names", value) for value in ("no", ["yes", 1])]
        requests.append(ChangeRequest("nobody", "names", 1))
        name, answers = ask.change(None, requests)
    assert name == "faces"
    assert asked == [("detect", "names", "no"), ("detect", "names", ["yes", 1])]
    assert answers[:2] == [ChangeAnswer("it cannot be", "say yes"), ChangeAnswer()]
    assert answers[2].wrong == "faces has no operator 'nobody'"


def test_without_a_run_nothing_can_be_asked_for(place):
    with pytest.raises(HoloflowError, match="no run of faces is there"):
        ask.change("faces", [])


def test_no_more_than_so_many_watch(publisher, watch, monkeypatch):
    monkeypatch.setattr(publish, "WATCHERS", 2)
    inside = [watch(), watch()]
    for watcher in inside:
        assert watcher.read()
    assert watch().read() == b""
    inside[0].close()
    publisher.put(at(1))
    while not (again := watch()).read():
        again.close()


def test_a_snapshot_that_is_too_long_is_left_out(publisher, watch, monkeypatch):
    monkeypatch.setattr(publish, "LIMIT", 100_000)
    watcher = watch()
    watcher.read()
    publisher.put(replace(at(1), announcements=(("x", "y" * 100_000),)))
    publisher.put(at(2))
    assert watcher.snapshot() == at(2)
    publisher.put(at(3), history(at(3), 200))
    late = watch()
    assert json.loads(late.read())["history"] == []
    assert late.snapshot() == at(3)


@pytest.mark.parametrize("wrong", ["file", "open", "missing"])
def test_a_run_goes_on_where_it_cannot_be_watched(tmp_path, place, monkeypatch, caplog, wrong):
    caplog.set_level(logging.INFO)
    other = tmp_path / f"holoflow-{os.getuid()}"
    if wrong == "file":
        place.touch()
        other.touch()
    elif wrong == "open":
        place.mkdir()
        place.chmod(0o755)
        other.mkdir()
        other.chmod(0o777)
    else:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "no"))
        monkeypatch.setattr(sockets.tempfile, "tempdir", str(tmp_path / "no"))
    with Publisher("faces", "a1b2c3", "main") as publisher:
        publisher.put(at(1))
    (record,) = caplog.records
    assert record.levelno == logging.INFO
    assert "this run cannot be watched with holoflow top: " in record.getMessage()


def test_the_next_folder_is_taken_where_one_cannot_be(tmp_path, place):
    place.touch()
    with Publisher("faces", "a1b2c3", "main"):
        (name,) = os.listdir(tmp_path / f"holoflow-{os.getuid()}")
    assert name == f"faces.a1b2c3.main.{os.getpid()}"


def test_what_killed_processes_left_is_removed(place, gone):
    sockets.listen(sockets.SocketAddress(place, f"faces.old.main.{gone}")).close()
    with Publisher("faces", "a1b2c3", "main"):
        assert len(sockets.addresses(place)) == 1


def test_what_cannot_be_written_ends_watching_and_not_the_run(publisher, watch, caplog):
    caplog.set_level(logging.INFO)
    watcher = watch()
    watcher.read()
    publisher.put(replace(at(1), operators=object()))
    publisher._thread.join()
    publisher.put(at(2))
    assert "can no longer be watched" in caplog.text


def test_connections_that_come_and_go_harm_nobody(publisher, place, watch):
    (address,) = sockets.addresses(place)
    for _ in range(100):
        line = sockets.connect(address)
        if line is not None:
            line.close()
    watcher = watch()
    watcher.read()
    publisher.put(at(1))
    assert watcher.snapshot() == at(1)
