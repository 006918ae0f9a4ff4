"""Following apps, also those that are none."""

import contextlib
import json
import os
import re
import select
import socket
import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.snapshots import faces, history, names

from holoflow.core.errors import HoloflowError
from holoflow.live import attach, sockets
from holoflow.live.attach import Attachment, running
from holoflow.live.protocol import VERSION, Hello, read_hello, read_snapshot
from holoflow.live.publish import Publisher
from holoflow.stats.merge import merge
from holoflow.stats.snapshot import to_json

PATIENCE = 300.0


def stats(app="faces", run="1", seconds=1.0):
    return replace(faces(seconds), app=app, run=run)


def part(*operators, run="1", seconds=1.0):
    """The statistics of a fragment that has only these operators."""
    whole = stats(run=run, seconds=seconds)
    return replace(
        whole,
        operators=tuple(b for b in whole.operators if b.name in operators),
        flows=tuple(b for b in whole.flows if b.consumer in operators),
        paths=whole.paths if "screen" in operators else (),
    )


@pytest.fixture(autouse=True)
def quick(monkeypatch, place):
    monkeypatch.setattr(attach, "SCAN", 0.02)
    return place


@pytest.fixture
def follow():
    with ExitStack() as opened:
        yield lambda app=None: opened.enter_context(Attachment(app))


def until(attachment, met):
    """Wait until the attachment's state is as wanted; returns it."""
    deadline = time.monotonic() + PATIENCE
    while not met(state := attachment.state()):
        assert time.monotonic() < deadline, state
        attachment.wait(0.1)
    return state


def shows(snapshot):
    return lambda state: state.snapshot == snapshot


def is_(kind):
    return lambda state: state.kind == kind


def test_nothing_runs(follow):
    assert follow().state().kind == "looking"
    assert follow().look().kind == "none"
    assert follow("faces").look().kind == "none"
    assert running() == []


@pytest.mark.parametrize("app", ["faces", None])
def test_the_app_that_runs_is_followed(follow, app):
    with Publisher("faces", "1", "main") as publisher:
        publisher.put(stats(), history(stats(), 3))
        state = until(follow(app), shows(stats()))
        assert (state.kind, state.app, state.run) == ("live", "faces", "1")
        assert state.histories == {"main": history(stats(), 3)}
        assert state.fragments["main"].pid == os.getpid()
        assert state.fragments["main"].live
        assert 0 <= state.fragments["main"].age < PATIENCE
        (found,) = running()
        assert (found.app, found.run, found.fragments) == ("faces", "1", {"main": os.getpid()})


def test_an_app_is_followed_from_its_beginning_to_its_end_and_into_its_next_run(follow):
    attachment = follow("faces")
    assert attachment.look().kind == "none"
    with Publisher("faces", "1", "main") as publisher:
        state = until(attachment, is_("live"))
        assert state.snapshot is None
        publisher.put(stats(seconds=1))
        until(attachment, shows(stats(seconds=1)))
        publisher.put(stats(seconds=2))
    state = until(attachment, is_("ended"))
    assert state.snapshot == stats(seconds=2)
    assert not state.fragments["main"].live
    assert state.running == ()
    with Publisher("faces", "2", "main") as publisher:
        publisher.put(stats(run="2"))
        state = until(attachment, shows(stats(run="2")))
        assert (state.kind, state.run) == ("live", "2")


def test_whoever_took_the_only_app_stays_with_it(follow):
    attachment = follow()
    with Publisher("faces", "1", "main"):
        until(attachment, is_("live"))
    until(attachment, is_("ended"))
    with Publisher("hello", "2", "main"):
        assert {app.app for app in running()} == {"hello"}
        attachment.wait(0.1)
        assert attachment.state().kind == "ended"
        with Publisher("faces", "3", "main"):
            assert until(attachment, is_("live")).run == "3"


def test_of_several_apps_one_must_be_named(follow):
    with Publisher("hello", "1", "main"):
        with Publisher("faces", "2", "main") as publisher:
            attachment = follow()
            state = attachment.look()
            assert (state.kind, state.snapshot) == ("several", None)
            assert [app.app for app in state.running] == ["faces", "hello"]
            publisher.put(stats(run="2"))
            state = until(follow("faces"), shows(stats(run="2")))
            assert [app.app for app in state.running] == ["faces"]
        assert until(attachment, is_("live")).app == "hello"


def test_the_newest_run_is_followed_and_then_the_one_that_goes_on(follow):
    attachment = follow("faces")
    with Publisher("faces", "1", "main") as older:
        older.put(stats())
        until(attachment, shows(stats()))
        with Publisher("faces", "2", "main") as newer:
            newer.put(stats(run="2"))
            state = until(attachment, shows(stats(run="2")))
            assert [app.run for app in state.running] == ["2", "1"]
        until(attachment, shows(stats()))


def test_fragments_are_merged_and_each_may_come_and_go(follow):
    attachment = follow()
    edge, view = part("camera"), part("detect", "overlay", "screen", seconds=2.0)
    with Publisher("faces", "1", "edge") as first:
        with Publisher("faces", "1", "view") as second:
            first.put(edge)
            second.put(view)
            state = until(attachment, shows(merge([edge, view])))
            assert names(state.snapshot.operators) == names(faces().operators)
            assert state.running[0].fragments == {"edge": os.getpid(), "view": os.getpid()}
        state = until(attachment, lambda state: not state.fragments["view"].live)
        assert state.kind == "live"
        assert state.snapshot == merge([edge, view])
        with Publisher("faces", "1", "view") as second:
            state = until(attachment, lambda state: state.fragments["view"].live)
            assert state.snapshot == merge([edge, view])
            again = part("detect", "overlay", "screen", seconds=0.5)
            second.put(again)
            until(attachment, shows(merge([edge, again])))


def test_there_is_a_descriptor_to_wait_for(follow):
    attachment = follow("faces")
    with Publisher("faces", "1", "main") as publisher:
        until(attachment, is_("live"))
        publisher.put(stats())
        assert select.select([attachment], [], [], PATIENCE)[0]
        attachment.wait(0)
        assert attachment.state().snapshot == stats()


def test_states_come_at_intervals(follow):
    with Publisher("faces", "1", "main") as publisher:
        publisher.put(stats())
        for state in follow("faces").states(0.01):
            if state.snapshot is not None:
                break
        assert state.snapshot == stats()


# -- those who are no app ------------------------------------------------------------------------


@contextmanager
def served(place, *pieces, name="faces.1.main.1", hold=True):
    """Somebody who says `pieces` to everyone who connects."""
    address = sockets.SocketAddress(place, name)
    server = sockets.listen(address)
    server.setblocking(True)
    lines = []

    def serve():
        while True:
            try:
                line, _ = server.accept()
            except OSError:
                return
            lines.append(line)
            try:
                for piece in pieces:
                    line.sendall(piece)
            except OSError:
                pass
            if not hold:
                line.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
        for line in [server, *lines]:
            line.close()
        sockets.remove(address)


def hello(**values):
    made = Hello(VERSION, "faces", "1", "main", 1, 1.0)
    return to_json(replace(made, **values)) + b"\n"


SNAPSHOT = to_json(stats()) + b"\n"


@pytest.mark.parametrize(
    ("pieces", "said"),
    [
        ([b"SSH-2.0-OpenSSH_9.2\n"], "it is not a holoflow app"),
        ([b"\x00\xff\n"], "it is not a holoflow app"),
        ([b"[" * 100_000 + b"\n"], "it is not a holoflow app"),
        ([b'{"holoflow": 1e999}\n'], "it is not a holoflow app"),
        ([b'{"holoflow": 2, "new": "fields"}\n'], "another holoflow .* version 2, this one 1"),
        ([b'{"holoflow": 1, "app": "faces"}\n'], "not a Hello: run: Field required"),
        ([hello(), b"{}\n"], "not a Snapshot: app: Field required"),
        ([hello(), b"garbage\n"], "it is not a holoflow app"),
        ([hello(), SNAPSHOT.replace(b"10.0", b"NaN")], "it is not a holoflow app"),
        ([hello(run="2"), SNAPSHOT], "it sends the statistics of another run than it says"),
        ([hello()[:-1], b" " * 20_000_000], "it sends lines that are too long"),
    ],
)
def test_who_cannot_be_understood_is_named(place, follow, pieces, said):
    with served(place, *pieces):
        attachment = follow("faces")
        state = until(attachment, lambda state: state.problems)
        (problem,) = state.problems
        assert problem.endswith(f": {place}/faces.1.main.1")
        assert re.search(said, problem), problem
        assert state.kind in ("none", "ended")
        assert state.snapshot is None
        # The next who comes is understood all the same.
        with Publisher("faces", "3", "main") as publisher:
            publisher.put(stats(run="3"))
            assert until(attachment, shows(stats(run="3"))).problems == (problem,)


def test_a_problem_is_gone_with_who_made_it(place, follow):
    attachment = follow()
    with served(place, b"garbage\n"):
        until(attachment, lambda state: state.problems)
    until(attachment, lambda state: not state.problems)


def test_who_does_not_answer_holds_nobody_up(place, follow, monkeypatch):
    monkeypatch.setattr(attach, "ANSWER", 0.1)
    with served(place):
        attachment = follow()
        with Publisher("faces", "3", "main"):
            state = until(attachment, lambda state: state.kind == "live" and state.problems)
        assert "it does not answer; it may be stopped" in state.problems[0]


def test_who_holds_the_socket_of_a_dead_process_is_forgotten(place, follow, monkeypatch, gone):
    monkeypatch.setattr(attach, "ANSWER", 0.1)
    with served(place, name=f"faces.1.main.{gone}"):
        attachment = follow()
        until(attachment, lambda state: state.problems)
        until(attachment, lambda state: not state.problems)
        assert sockets.addresses(place) == []


def test_who_lets_nobody_in_is_tried_again(place, follow, monkeypatch):
    monkeypatch.setattr(attach, "AGAIN", 0.0)
    attachment = follow()
    with served(place, hold=False):
        state = until(attachment, lambda state: state.problems)
        assert "it accepts no connection; too many may be watching it" in state.problems[0]
    with served(place, hello(), SNAPSHOT):
        assert until(attachment, shows(stats())).problems == ()


def test_what_a_killed_process_left_is_no_app(place, follow):
    sockets.listen(sockets.SocketAddress(place, "faces.1.main.1")).close()
    state = follow("faces").look()
    assert (state.kind, state.problems) == ("none", ())
    assert os.listdir(place) == []


def test_a_folder_that_others_may_enter_is_a_problem(place, follow):
    place.mkdir()
    place.chmod(0o777)
    state = follow().look()
    assert state.kind == "none"
    assert state.problems == (
        f"others may enter it; make it private with: chmod 700 {place}",
    )  # fmt: skip


def test_pieces_make_lines(place, follow):
    text = hello() + SNAPSHOT + to_json(stats(seconds=2.0)) + b"\n"
    pieces = [text[at : at + 1000] for at in range(0, len(text), 1000)]
    with served(place, *pieces):
        until(follow(), shows(stats(seconds=2.0)))


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)


@given(st.data())
def test_no_line_makes_more_than_an_error(data):
    """Change something anywhere in a snapshot: it is read as one, or refused."""
    plain = json.loads(SNAPSHOT)
    at = plain
    while True:
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(at[key], (dict, list)) or not at[key] or data.draw(st.booleans()):
            break
        at = at[key]
    at[key] = data.draw(LEAVES | st.just([]) | st.just({}) | st.just(10**30))
    line = json.dumps(plain).encode()
    with contextlib.suppress(HoloflowError):
        read_snapshot(line, Hello(VERSION, "faces", "1", "main", 1, 1.0))


@given(st.binary(max_size=50))
def test_no_hello_makes_more_than_an_error(line):
    with pytest.raises(HoloflowError):
        read_hello(line)
